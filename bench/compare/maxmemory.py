#!/usr/bin/env python3
"""Whether `maxmemory` holds under a load that writes far more, and what keeping it costs other requests.

For each size of value a fresh server is filled beyond its limit by pipelined SETs. A second connection reads INFO memory every
few milliseconds; the probe (probe.py) sends a PING every 0.3 ms. Printed are the
largest `used_memory` seen and the resident set at the end as parts of the limit, and the waits.

    bench/compare/maxmemory.py                             # values of 100 bytes, 10 KB, 1 MB and of all three sizes
    bench/compare/maxmemory.py --policy allkeys-s3fifo --only 1000000
"""

import subprocess
import threading
import time

from command_line import above_zero, count, end_with, program
from probe import Probe, before_other_programs
from rounds import one_by_one, server_parser
from servers import Server

# name: sizes of the values, pipeline of each
LOADS = {
    "100": [(100, 16)],
    "10000": [(10_000, 16)],
    "1000000": [(1_000_000, 2)],
    "mixed": [(100, 16), (10_000, 4), (1_000_000, 1)],
}


def used_memory(client) -> int:
    lines = client.call("INFO", "memory").decode().splitlines()
    return int(next(line.split(":")[1] for line in lines if line.startswith("used_memory:")))


def watch(server: Server, stop: threading.Event, seen: list[int]) -> None:
    client = server.client()
    while not stop.is_set():
        seen.append(used_memory(client))
        time.sleep(0.004)
    client.close()


def under_load(server: Server, sizes: list[tuple[int, int]], limit: int, options) -> dict:
    probe = Probe(server, options.load_core)
    seen: list[int] = []
    stop_watch = threading.Event()
    watcher = threading.Thread(target=watch, args=(server, stop_watch, seen))
    probe.start()
    watcher.start()
    counts = [int(options.times * limit / size / len(sizes)) for size, _ in sizes]
    cpu_s = server.cpu_seconds()
    loads = [subprocess.Popen(["nice", "-n", "10", "taskset", "-c", str(options.load_core), options.load, "-p", str(server.port), "-c",
                               "8", "-P", str(pipeline), "-r", "100000000", "-d", str(size), "-t", "set", "-q", "-n",
                               str(count)], stdout=subprocess.DEVNULL)
             for (size, pipeline), count in zip(sizes, counts)]
    codes = [load.wait(timeout=600) for load in loads]
    cpu_s = server.cpu_seconds() - cpu_s
    stop_watch.set()
    watcher.join()
    probe.finish()
    if any(codes):
        raise RuntimeError(f"the load ended with exit codes {codes}")
    return {"used_max_of_limit": max(seen) / limit, "resident_of_limit": server.resident_bytes() / limit,
            "cpu_us_per_set": cpu_s / sum(counts) * 1e6,
            **{f"probe_{name}": value for name, value in probe.figures().items()}}


def measure(name: str, path: str, options) -> dict:
    figures = {}
    limit = options.limit_mb * 1024 * 1024
    for label, sizes in LOADS.items():
        if options.only not in ("", label):
            continue
        server = Server(name, path, options.server_core, ["--maxmemory", str(limit), "--maxmemory-policy", options.policy])
        try:
            before_other_programs(server)
            found = under_load(server, sizes, limit, options)
        finally:
            server.stop()
        figures |= {f"{label} {key}": value for key, value in found.items()}
    return figures


def main() -> int:
    parser = server_parser(__doc__)
    parser.add_argument("--load", type=program, default="redis-benchmark")
    parser.add_argument("--limit-mb", type=count, default=200)
    parser.add_argument("--times", type=above_zero, default=4, help="what is written, as a multiple of the limit")
    parser.add_argument("--policy", default="allkeys-lru")
    parser.add_argument("--only", default="", choices=["", *LOADS], metavar="LOAD", help="one load: " + ", ".join(LOADS))
    one_by_one(parser.parse_args(), measure)
    return 0


if __name__ == "__main__":
    end_with(main)
