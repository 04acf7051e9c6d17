#!/usr/bin/env python3
"""How long requests wait while a snapshot is being written, and what memory it takes.

Fills a server with strings and one large hash, set, sorted set and list, overwrites random strings at a fixed rate from
the load generator, and asks PING every 0.3 ms from a probe with real-time priority on the load's core. The same load runs
once without a snapshot ("idle") and once with BGSAVE. Memory is what the server and its children have for themselves
(Private_* of smaps_rollup), against the moment before.

    bench/compare/snapshot.py --keys 5000000 --elements 1000000 --rate 40000
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

from servers import RespClient, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Probe(threading.Thread):
    """Asks and records how long each answer took."""

    def __init__(self, server: Server):
        super().__init__()
        self.server = server
        self.stopped = threading.Event()
        self.waits_us: list[float] = []

    def run(self) -> None:
        os.sched_setaffinity(0, {1})
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        except PermissionError:
            print("note: no right to real-time priority, so waits for the core count too", file=sys.stderr)
        client = self.server.client()
        while not self.stopped.is_set():
            start = time.perf_counter_ns()
            client.call("PING")
            self.waits_us.append((time.perf_counter_ns() - start) / 1000)
            time.sleep(0.0003)
        client.close()

    def finish(self) -> dict:
        self.stopped.set()
        self.join()
        ordered = sorted(self.waits_us)
        at = lambda share: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))])
        return {"samples": len(ordered), "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999),
                "max_us": round(ordered[-1])}


def pipelined(client: RespClient, requests: list[bytes]) -> None:
    client.socket.sendall(b"".join(requests))
    for _ in requests:
        client.read()


def encode(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def fill(server: Server, keys: int, elements: int) -> None:
    client = server.client()
    value = b"v" * 200
    for start in range(0, keys, 5000):
        pipelined(client, [encode(b"SET", b"key:%012d" % i, value) for i in range(start, min(start + 5000, keys))])
    for start in range(0, elements, 500):
        numbers = range(start, min(start + 500, elements))
        names = [b"element:%010d" % i for i in numbers]
        pipelined(client, [
            encode(b"HSET", b"large:hash", *[word for name in names for word in (name, b"value-of-16-byte")]),
            encode(b"SADD", b"large:set", *names),
            encode(b"ZADD", b"large:zset", *[word for i, name in zip(numbers, names) for word in (b"%d" % (i * 7919 % elements), name)]),
            encode(b"RPUSH", b"large:list", *names),
        ])
    client.close()


def private_bytes(server: Server) -> int:
    """Of the server and of the child that it may have forked."""
    total = 0
    pids = [server.process.pid]
    try:
        with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children", encoding="ascii") as children:
            pids += [int(pid) for pid in children.read().split()]
    except OSError:
        pass
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
                total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private", "Shared_Dirty"))
                             and (pid == server.process.pid or line.startswith("Private")))
        except OSError:
            pass
    return total


def overwrite(server: Server, options, seconds: int) -> subprocess.Popen:
    """Random overwrites of the strings at the fixed rate, in the background."""
    return subprocess.Popen(["nice", "-n", "10", "taskset", "-c", "1", options.load, "-p", str(server.port), "-t", "set", "-c", "20",
                             "-d", "200", "-r", str(options.keys), "--rate", str(options.rate), "--duration", str(seconds), "-q"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def is_saving(client: RespClient) -> bool:
    return b"rdb_bgsave_in_progress:1" in client.call("INFO", "persistence")


def measure_idle(server: Server, options) -> dict:
    load = overwrite(server, options, options.seconds)
    time.sleep(1)
    probe = Probe(server)
    probe.start()
    time.sleep(options.seconds - 2)
    result = probe.finish()
    load.wait()
    return result


def measure_snapshot(server: Server, options) -> dict:
    load = overwrite(server, options, options.seconds * 6)
    client = server.client()
    time.sleep(1)
    before, most = private_bytes(server), 0
    probe = Probe(server)
    probe.start()
    time.sleep(0.2)
    start = time.monotonic()
    client.call("BGSAVE")
    while is_saving(client):
        most = max(most, private_bytes(server))
        time.sleep(0.1)
    took = time.monotonic() - start
    result = probe.finish()
    if b"rdb_last_bgsave_status:ok" not in client.call("INFO", "persistence"):
        raise RuntimeError(f"{server.name}: the snapshot failed")
    client.close()
    load.terminate()
    load.wait()
    file_bytes = os.path.getsize(os.path.join(server.directory.name, "dump.rdb"))
    return {**result, "seconds": round(took, 1), "memory_before_mb": before >> 20, "memory_more_mb": (most - before) >> 20,
            "file_mb": file_bytes >> 20}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--elements", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=10, help="of the idle measurement")
    parser.add_argument("--server", action="append", default=[], metavar="NAME=PATH", help="a further server")
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server", help="empty: none")
    parser.add_argument("--load", default=str(ROOT / "build/release/bin/larder-bench"))
    parser.add_argument("--json", help="write the figures to this file as well")
    options = parser.parse_args()
    servers = [("larder", options.larder)] + ([("redis", options.reference)] if options.reference else [])
    servers += [tuple(text.split("=", 1)) for text in options.server]
    figures = {}
    for name, path in servers:
        server = Server(name, path, core=0)
        try:
            fill(server, options.keys, options.elements)
            figures[name] = {"idle": measure_idle(server, options), "snapshot": measure_snapshot(server, options)}
        finally:
            server.stop()
        for phase, result in figures[name].items():
            print(f"{name:8} {phase:9} " + "  ".join(f"{key} {value}" for key, value in result.items()), flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
