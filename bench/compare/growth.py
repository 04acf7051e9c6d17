#!/usr/bin/env python3
"""The longest wait of a request while the keyspace grows to N keys at full speed.

Four connections insert keys in pipelines; the probe (probe.py) sends a PING every 0.2 ms, with real-time priority on the load's
core. Growth that copies a table at once shows as
a long wait. "idle" is the same probe without inserts. Memory is the most that was resident against what is when the growth is over.

    bench/compare/growth.py --keys 10000000
"""

import argparse
import json
import pathlib
import subprocess
import time

from command_line import above_zero, count, end_with, output_file, program
from probe import Probe, before_other_programs
from servers import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]


def measure_idle(server: Server, seconds: float) -> dict:
    with Probe(server, interval_s=0.0002) as probe:
        time.sleep(seconds)
    return probe.figures()


def measure(server: Server, options) -> dict:
    with Probe(server, interval_s=0.0002) as probe:
        subprocess.run(["nice", "-n", "10", "taskset", "-c", "1", options.load, "-p", str(server.port), "-t", "set", "-n",
                        str(options.keys * 3), "-r", str(options.keys), "-d", "8", "-P", str(options.pipeline), "-c", "4", "-q"],
                       check=True, stdout=subprocess.DEVNULL, timeout=600)
    return probe.figures()


def memory(server: Server) -> dict:
    time.sleep(3)  # what was freed goes back within a second
    resident, most = server.resident_bytes(), server.most_resident_bytes()
    return {"resident_mb": resident >> 20, "most_resident_mb": most >> 20, "most_of_resident": round(most / resident, 3)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--load", type=program, default="redis-benchmark")
    parser.add_argument("--keys", type=count, default=10_000_000)
    parser.add_argument("--idle-seconds", type=above_zero, default=40,
                        help="about what the growth takes: a longer probe sees more of the machine's stops")
    parser.add_argument("--pipeline", type=count, default=16)
    parser.add_argument("--json", type=output_file, metavar="FILE")
    options = parser.parse_args()
    results = {}
    for name, path in {"larder": options.larder, "redis-server": options.reference}.items():
        server = Server(name, path, 0)
        try:
            before_other_programs(server)
            results[f"{name} idle"] = measure_idle(server, options.idle_seconds)
            results[f"{name} growing"] = measure(server, options)
            client = server.client()
            results[f"{name} growing"] |= {"keys": client.call("DBSIZE"), **memory(server)}
        finally:
            server.stop()
        for label in (f"{name} idle", f"{name} growing"):
            print(f"{label:22}", "  ".join(f"{key} {value}" for key, value in results[label].items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    end_with(main)
