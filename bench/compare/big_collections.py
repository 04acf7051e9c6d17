#!/usr/bin/env python3
"""The longest wait of another client while a large collection goes, in every way it can; and what reading one whole costs.

For each type a collection of N elements is made and copied, and a copy is removed by DEL, UNLINK, SET, expiry or FLUSHALL while
the probe (probe.py) sends a PING every 0.3 ms, with real-time priority on a core that is not the loop's. "idle" is the same probe
without anything to do, and "nothing" is it after the collection and its copy were made, when nothing is removed. Each figure is the
longest wait in milliseconds. Then SMEMBERS of the set: how much resident memory grows at most while a client reads the reply.

    bench/compare/big_collections.py --elements 3000000
    bench/compare/big_collections.py --types set --reference redis-server     both servers
"""

import argparse
import json
import pathlib
import time

from command_line import count, end_with, output_file
from probe import Probe, before_other_programs, loop_alone_on
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


def longest(probe: Probe) -> float:
    """Without the machine's own stops (witness.py)."""
    return round(probe.own_waits_ms()[-1], 2)


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
        found[way] = longest(probe)
        if not commands:
            client.call("DEL", "victim")
            time.sleep(AFTER_SECONDS)
    client.close()
    return found


def read_whole(server: Server, elements: int) -> dict:
    """Resident memory before SMEMBERS and at the most while it is read, in MiB; what others waited."""
    client = server.client()
    client.call("FLUSHALL")
    fill(client, "set", elements)
    time.sleep(1)
    before = server.resident_bytes()
    server.forget_most_resident()
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
    return {"before_mib": before >> 20, "peak_mib": server.most_resident_bytes() >> 20, "members": received,
            "longest_wait_ms": longest(probe)}


def measure(name: str, path: str, options) -> dict:
    server = Server(name, path, None)
    try:
        before_other_programs(server)
        loop_alone_on(0, server)
        result = {}
        with Probe(server) as probe:
            time.sleep(IDLE_SECONDS)
        result["idle"] = longest(probe)
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
    parser.add_argument("--elements", type=count, default=10_000_000)
    parser.add_argument("--types", nargs="+", default=list(TYPES), choices=list(TYPES))
    parser.add_argument("--json", type=output_file, metavar="FILE")
    options = parser.parse_args()
    results = {"elements": options.elements}
    for name, path in {"larder": options.larder, "reference": options.reference}.items():
        if path:
            results[name] = measure(name, path, options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    end_with(main)
