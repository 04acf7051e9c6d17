#!/usr/bin/env python3
"""The longest wait of another client while a large collection goes, in every way it can; and what reading one whole costs.

For each type a collection of N elements is made and copied, and a copy is removed by DEL, UNLINK, SET, expiry or FLUSHALL while a
second connection sends a PING every 0.2 ms or so. Server and probe have real-time priority, each on a core of its own, so that they
wait for nothing but each other. "idle" is the same probe without anything to do, and "nothing" is it after the collection and its copy
were made, when nothing is removed: the kernel gathers their memory into huge pages then, on either core, and its code is not preempted. Then SMEMBERS of the set: how much resident memory
grows at most while a client reads the reply.

    bench/compare/big_collections.py --elements 3000000
    bench/compare/big_collections.py --types set --reference redis-server     both servers
"""

import argparse
import json
import os
import pathlib
import sys
import threading
import time

from servers import RespClient, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
PER_COMMAND = 1000
IDLE_SECONDS = 3
AFTER_SECONDS = 1.5  # freed in pieces in less, by far

# Arguments of one element, and the command that adds PER_COMMAND of them.
TYPES = {
    "list": (["RPUSH"], lambda i: [b"element:%012d" % i]),
    "set": (["SADD"], lambda i: [b"member:%013d" % i]),
    "hash": (["HSET"], lambda i: [b"field:%010d" % i, b"value:%010d" % i]),
    "zset": (["ZADD"], lambda i: [b"%d" % (i * 7919 % 1_000_003), b"member:%013d" % i]),
    "stream": (["XADD"], lambda i: [b"%d-1" % (i + 1), b"field", b"value:%010d" % i]),
}
WAYS = {
    "nothing": [],
    "DEL": [["DEL", "victim"]], "UNLINK": [["UNLINK", "victim"]], "SET": [["SET", "victim", "x"]],
    "expiry": [["PEXPIRE", "victim", "1"]], "FLUSHALL": [["FLUSHALL"]],
}


def real_time(pid: int, core: int) -> None:
    os.sched_setaffinity(pid, {core})
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        print("note: no right to real-time priority, so waits for a core count too", file=sys.stderr)


class Probe:
    """Sends PINGs from a thread of its own while it lives; `longest_us` afterwards."""

    def __init__(self, server: Server):
        self.server = server
        self.stop = threading.Event()
        self.longest_us = 0.0
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        real_time(0, 1)
        client = self.server.client()
        client.call("PING")
        while not self.stop.is_set():
            start = time.perf_counter_ns()
            client.call("PING")
            self.longest_us = max(self.longest_us, (time.perf_counter_ns() - start) / 1000)
            time.sleep(0.0002)
        client.close()

    def __enter__(self):
        self.thread.start()
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def fill(client: RespClient, kind: str, elements: int) -> None:
    command, element = TYPES[kind]
    per_command = 1 if kind == "stream" else PER_COMMAND
    batch = 100 * PER_COMMAND
    for start in range(0, elements, batch):
        end = min(start + batch, elements)
        requests = []
        for first in range(start, end, per_command):
            words = [word for i in range(first, min(first + per_command, end)) for word in element(i)]
            requests.append(client.encoded(*command, "base", *words))
        client.socket.sendall(b"".join(requests))
        for _ in requests:
            client.read()


def removals(server: Server, kind: str, elements: int) -> dict:
    """The longest wait in milliseconds for each way."""
    client = server.client()
    client.call("FLUSHALL")
    fill(client, kind, elements)
    found = {}
    for way, commands in WAYS.items():
        if way != "FLUSHALL":
            client.call("COPY", "base", "victim")
        time.sleep(0.5)
        with Probe(server) as probe:
            for words in commands:
                client.call(*words)
            time.sleep(AFTER_SECONDS)
        found[way] = round(probe.longest_us / 1000, 2)
        if not commands:
            client.call("DEL", "victim")
            time.sleep(AFTER_SECONDS)
    client.close()
    return found


def status_kib(pid: int, field: str) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise KeyError(field)


def read_whole(server: Server, elements: int) -> dict:
    """Resident memory before SMEMBERS and at the most while it is read, in MiB; the longest wait of others in ms."""
    client = server.client()
    client.call("FLUSHALL")
    fill(client, "set", elements)
    time.sleep(1)
    pid = server.process.pid
    before = status_kib(pid, "VmRSS")
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    with Probe(server) as probe:
        client.send("SMEMBERS", "base")
        received = 0
        header = client.file.readline()
        count = int(header[1:])
        while count:
            line = client.file.readline()
            client.file.read(int(line[1:]) + 2)
            received += 1
            count -= 1
    client.close()
    return {"before_mib": before // 1024, "peak_mib": status_kib(pid, "VmHWM") // 1024, "members": received,
            "longest_wait_ms": round(probe.longest_us / 1000, 2)}


def measure(name: str, path: str, options) -> dict:
    server = Server(name, path, 0)
    try:
        real_time(server.process.pid, 0)
        result = {}
        with Probe(server) as probe:
            time.sleep(IDLE_SECONDS)
        result["idle"] = round(probe.longest_us / 1000, 2)
        for kind in options.types:
            result[kind] = removals(server, kind, options.elements)
            print(f"{name:14} {kind:8} {result[kind]}", flush=True)
        result["SMEMBERS"] = read_whole(server, options.elements)
        print(f"{name:14} idle {result['idle']}, SMEMBERS {result['SMEMBERS']}", flush=True)
        return result
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", help="another server to measure too")
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--types", nargs="+", default=list(TYPES), choices=list(TYPES))
    parser.add_argument("--json")
    options = parser.parse_args()
    results = {"elements": options.elements}
    for name, path in {"larder": options.larder, "reference": options.reference}.items():
        if path:
            results[name] = measure(name, path, options)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
