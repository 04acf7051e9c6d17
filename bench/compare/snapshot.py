#!/usr/bin/env python3
"""How long requests wait while a snapshot is being written, and what memory it takes.

Fills a server with strings and one large hash, set, sorted set and list, overwrites random strings at a fixed rate from
the load generator; the probe (probe.py) sends a PING every 0.3 ms. The same load runs once without a snapshot ("idle"), once with
BGSAVE and once with the rewrite that switching the log on begins. On a machine of two cores the server's helpers, the load and the
probe share one, where the kernel looks after turns once a tick (1 to 4 ms): "beside" is the load without a snapshot, with a
program on that core that only computes, and tells what of a wait is that. Memory is the resident set and what a forked child has for itself
(Private_* of its smaps_rollup), against the moment before.

    bench/compare/snapshot.py --keys 5000000 --elements 1000000 --rate 40000
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

from command_line import count, end_with, named_program, output_file, program
from probe import Probe, let_helpers_run, loop_alone_on
from servers import RespClient, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]


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


def taken_bytes(server: Server) -> int:
    """The resident set, and what a child that the server has forked has for itself."""
    with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children", encoding="ascii") as children:
        return server.resident_bytes() + sum(private_bytes(child) for child in children.read().split())


def private_bytes(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private"))
    except OSError:  # it is gone
        return 0


def overwrite(server: Server, options, seconds: int) -> subprocess.Popen:
    """Random overwrites of the strings at the fixed rate, in the background."""
    return subprocess.Popen(["nice", "-n", "10", "taskset", "-c", "1", options.load, "-p", str(server.port), "-t", "set", "-c", "20",
                             "-d", "200", "-r", str(options.keys), "--rate", str(options.rate), "--duration", str(seconds), "-q"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


# What is done meanwhile, and the fields of INFO persistence that tell that it is going on and how it ended.
PHASES = {
    "BGSAVE": (["BGSAVE"], b"rdb_bgsave_in_progress:1", b"rdb_last_bgsave_status:ok"),
    "rewrite": (["CONFIG", "SET", "appendonly", "yes"], b"aof_rewrite_in_progress:1", b"aof_last_bgrewrite_status:ok"),
}


def measure_idle(server: Server, options) -> dict:
    load = overwrite(server, options, options.seconds)
    time.sleep(1)
    with Probe(server) as probe:
        time.sleep(options.seconds - 2)
    load.wait()
    return probe.figures()


def measure_beside(server: Server, options) -> dict:
    busy = subprocess.Popen(["taskset", "-c", "1", sys.executable, "-c", "while True: pass"])
    try:
        return measure_idle(server, options)
    finally:
        busy.kill()
        busy.wait()


def measure_phase(server: Server, options, phase: str) -> dict:
    command, going_on, well = PHASES[phase]
    load = overwrite(server, options, options.seconds * 12)
    try:
        client = server.client()
        time.sleep(1)
        before = most = taken_bytes(server)
        with Probe(server) as probe:
            start = time.monotonic()
            client.call(*command)
            while going_on in client.call("INFO", "persistence"):
                let_helpers_run(server)
                most = max(most, taken_bytes(server))
                time.sleep(0.1)
            took = time.monotonic() - start
        if well not in client.call("INFO", "persistence") or load.poll() is not None:
            raise RuntimeError(f"{server.name}: {phase} failed or took longer than the load")
        client.close()
    finally:
        load.terminate()
        load.wait()
    return {**probe.figures(), "seconds": round(took, 1), "memory_before_mb": before >> 20, "memory_more_mb": (most - before) >> 20}


def seconds(text: str) -> int:
    number = count(text)
    if number < 3:  # the first and the last are not probed
        raise argparse.ArgumentTypeError(f"not 3 or more: {text}")
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=count, default=1_000_000)
    parser.add_argument("--elements", type=count, default=200_000)
    parser.add_argument("--rate", type=count, default=20_000)
    parser.add_argument("--seconds", type=seconds, default=10, help="of the idle measurement, 3 or more")
    parser.add_argument("--server", action="append", type=named_program, default=[], metavar="NAME=PATH", help="a further server")
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server", help="empty: none")
    parser.add_argument("--load", type=program, default=str(ROOT / "build/release/bin/larder-bench"))
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the figures to this file as well")
    options = parser.parse_args()
    servers = [("larder", options.larder)] + ([("redis", options.reference)] if options.reference else [])
    servers += options.server
    figures = {}
    for name, path in servers:
        server = Server(name, path, None)
        try:
            loop_alone_on(0, server)
            fill(server, options.keys, options.elements)
            figures[name] = {"idle": measure_idle(server, options), "beside": measure_beside(server, options)}
            figures[name] |= {phase: measure_phase(server, options, phase) for phase in PHASES}
        finally:
            server.stop()
        for phase, result in figures[name].items():
            print(f"{name:8} {phase:9} " + "  ".join(f"{key} {value}" for key, value in result.items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    end_with(main)
