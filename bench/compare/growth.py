#!/usr/bin/env python3
"""The longest wait of a request while the keyspace grows to N keys at full speed.

One connection inserts keys in pipelines; a second one sends a PING every 0.2 ms or so and records how long each answer
takes. The probe has real-time priority on the core that it shares with the load, so that it is never kept waiting for it. Growth that
copies a table at once shows as a long wait. The histogram is printed; compare "larder" with a reference and with "idle",
the same probe without inserts.

    bench/compare/growth.py --keys 10000000
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

from servers import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOUNDS_US = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 1_000_000]


def probe(server: Server, stop: threading.Event, waits_us: list[float]) -> None:
    os.sched_setaffinity(0, {1})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        print("note: no right to real-time priority, so waits for the core count as waits for the server", file=sys.stderr)
    client = server.client()
    while not stop.is_set():
        start = time.perf_counter_ns()
        client.call("PING")
        waits_us.append((time.perf_counter_ns() - start) / 1000)
        time.sleep(0.0002)
    client.close()


def measure(server: Server, keys: int, load: str | None, pipeline: int) -> list[float]:
    waits_us: list[float] = []
    stop = threading.Event()
    thread = threading.Thread(target=probe, args=(server, stop, waits_us))
    thread.start()
    if load is None:
        time.sleep(10)
    else:
        subprocess.run(["nice", "-n", "10", "taskset", "-c", "1", load, "-p", str(server.port), "-t", "set", "-n", str(keys * 3),
                        "-r", str(keys), "-d", "8", "-P", str(pipeline), "-c", "4", "-q"],
                       check=True, stdout=subprocess.DEVNULL, timeout=600)
    stop.set()
    thread.join()
    return waits_us


def summary(waits_us: list[float]) -> dict:
    ordered = sorted(waits_us)
    at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))]
    histogram, low = {}, 0
    for bound in BOUNDS_US:
        histogram[f"<= {bound} us"] = sum(1 for wait in ordered if low < wait <= bound)
        low = bound
    return {"samples": len(ordered), "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999),
            "max_us": ordered[-1], "histogram": histogram}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--load", default="redis-benchmark")
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--pipeline", type=int, default=16)
    parser.add_argument("--json")
    options = parser.parse_args()
    results = {}
    for name, path in {"larder": options.larder, "redis-server": options.reference}.items():
        server = Server(name, path, 0)
        try:
            results[f"{name} idle"] = summary(measure(server, 0, None, 1))
            results[f"{name} growing"] = summary(measure(server, options.keys, options.load, options.pipeline))
            client = server.client()
            results[f"{name} growing"]["keys"] = client.call("DBSIZE")
        finally:
            server.stop()
        for label in (f"{name} idle", f"{name} growing"):
            print(label, json.dumps(results[label], indent=2), flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
