#!/usr/bin/env python3
"""CPU time per request, side by side in one run.

Starts each server on core 0, the load generator on core 1, and reports the server's user and system time per request
(from /proc/PID/stat). The servers take turns within each workload and the rounds are interleaved, so that a noisy
machine harms all alike; the figure is the median of the rounds. The budget is a ratio to the first reference server.

    bench/compare/cpu.py                                   # build/release/bin/larder-server against redis-server
    bench/compare/cpu.py --server redis8=/opt/redis8/redis-server --rounds 5 --json out.json
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

from servers import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
# name: (redis-benchmark arguments, pipeline, requests per round, budget as a ratio to redis-server 7.0.15)
WORKLOADS = {
    "SET P1": (["-t", "set"], 1, 300_000, 0.85),
    "GET P1": (["-t", "get"], 1, 300_000, 0.87),
    "SET P16": (["-t", "set"], 16, 3_000_000, 0.33),
    "GET P16": (["-t", "get"], 16, 3_000_000, 0.33),
    "SET P64": (["-t", "set"], 64, 5_000_000, None),
    "GET P64": (["-t", "get"], 64, 5_000_000, 0.20),
    "INCR P16": (["-t", "incr"], 16, 3_000_000, None),
    "MSET P16": (["-t", "mset"], 16, 500_000, None),
}


def run_load(server: Server, args: list[str], pipeline: int, requests: int, options) -> float:
    """One run of the load generator; returns the server's CPU time per request in microseconds."""
    before = server.cpu_seconds()
    subprocess.run(["taskset", "-c", str(options.load_core), options.load, "-p", str(server.port), "-c", "50", "-n", str(requests),
                    "-r", str(options.keys), "-d", "100", "-P", str(pipeline), "-q", *args],
                   check=True, stdout=subprocess.DEVNULL, timeout=300)
    return (server.cpu_seconds() - before) / requests * 1e6


def fill(server: Server, keys: int) -> None:
    """Every key of the key space, so that GET always hits."""
    client = server.client()
    value = b"x" * 100
    for start in range(0, keys, 10_000):
        words = [b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$100\r\n%s\r\n" % (i, value)
                 for i in range(start, min(start + 10_000, keys))]
        client.socket.sendall(b"".join(words))
        for _ in words:
            client.read()
    client.close()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", action="append", default=[], metavar="NAME=PATH", help="a further server")
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--load", default="redis-benchmark")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of requests")
    parser.add_argument("--only", help="only workloads whose name contains this")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    paths = {"larder": options.larder, "redis-server": options.reference}
    paths.update(pair.split("=", 1) for pair in options.server)
    servers = {name: Server(name, path, options.server_core) for name, path in paths.items()}
    results: dict[str, dict[str, float]] = {}
    try:
        for server in servers.values():
            fill(server, options.keys)
        for workload, (args, pipeline, requests, budget) in WORKLOADS.items():
            if options.only and options.only not in workload:
                continue
            samples: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(options.rounds):
                for name, server in servers.items():
                    samples[name].append(run_load(server, args, pipeline, int(requests * options.scale), options))
            medians = {name: statistics.median(values) for name, values in samples.items()}
            results[workload] = medians
            ratio = medians["larder"] / medians["redis-server"]
            shown = "  ".join(f"{name} {value:6.3f} us" for name, value in medians.items())
            target = f"  budget {budget:.2f} x" if budget else ""
            print(f"{workload:9} {shown}  larder/redis-server {ratio:.2f} x{target}", flush=True)
    finally:
        for server in servers.values():
            server.stop()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
