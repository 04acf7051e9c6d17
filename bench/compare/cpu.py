#!/usr/bin/env python3
"""CPU time per request, side by side in one run.

Starts each server on core 0, the load generator on core 1, and reports the server's user and system time per request
(from the processor clock of its process). The servers take turns within each workload and the rounds are interleaved, so that a noisy
machine harms all alike; the figure is the median of the rounds. The budget is a ratio to the first reference server.

    bench/compare/cpu.py                                   # build/release/bin/larder-server against redis-server
    bench/compare/cpu.py --server redis8=/opt/redis8/redis-server --rounds 5 --json out.json
"""

from dataclasses import replace

from command_line import count, end_with, matching
from rounds import Load, by_turns, medians, parser, pipelined, show, started, write_json

SET, GET = ["-t", "set"], ["-t", "get"]
# name: (requests of redis-benchmark per round, budget as a ratio to redis-server 7.0.15)
WORKLOADS = {
    "SET P1": (Load(SET, 1, 300_000), 0.85),
    "GET P1": (Load(GET, 1, 300_000), 0.87),
    "SET P16": (Load(SET, 16, 3_000_000), 0.33),
    "GET P16": (Load(GET, 16, 3_000_000), 0.33),
    "SET P64": (Load(SET, 64, 5_000_000), None),
    "GET P64": (Load(GET, 64, 5_000_000), 0.20),
    "INCR P16": (Load(["-t", "incr"], 16, 3_000_000), None),
    "MSET P16": (Load(["-t", "mset"], 16, 500_000), None),
}
# Of some keys that the first of them fills, so behind the others.
LARGE_KEYS = 50
LARGE_WORKLOADS = {
    "SET 100 KB": (Load(SET, 1, 40_000, LARGE_KEYS, 100_000), None),
    "GET 100 KB": (Load(GET, 1, 40_000, LARGE_KEYS, 100_000), None),
    "SET 1 MB": (Load(SET, 1, 5_000, LARGE_KEYS, 1_000_000), None),
    "GET 1 MB": (Load(GET, 1, 5_000, LARGE_KEYS, 1_000_000), None),
}


def fill(server, keys: int) -> None:
    """Every key of the key space, so that GET always hits."""
    client = server.client()
    pipelined(client, (["SET", f"key:{i:012d}", b"x" * 100] for i in range(keys)))
    client.close()


def main() -> int:
    arguments = parser(__doc__, load="redis-benchmark")
    arguments.add_argument("--keys", type=count, default=1_000_000)
    options = arguments.parse_args()
    names = matching([*WORKLOADS, *LARGE_WORKLOADS], options.only)
    results: dict[str, dict[str, float]] = {}
    with started(options) as servers:
        for server in servers.values():
            fill(server, options.keys)
        small = {name: (replace(load, keys=options.keys), budget) for name, (load, budget) in WORKLOADS.items()}
        for workload, (load, budget) in (small | LARGE_WORKLOADS).items():
            if workload not in names:
                continue
            results[workload] = medians(by_turns(servers, options.rounds, lambda server: load.cpu_us(server, options)))
            show(workload, results[workload], f"  budget {budget:.2f} x" if budget else "")
    write_json(options, results)
    return 0


if __name__ == "__main__":
    end_with(main)
