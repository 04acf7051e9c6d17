#!/usr/bin/env python3
"""Resident bytes per item and per idle connection, side by side in one run.

For each shape of item a fresh server is started, its resident memory is read, the items are inserted, and the growth is
divided by their number. Connections are opened, used once, and left idle.

    bench/compare/memory.py --items 1000000 --json out.json
    bench/compare/memory.py --counts 1000000,1200000,1500000,1800000      # does the figure hold at any count?
"""

import argparse
import json
import pathlib
import random
import time

from command_line import count, end_with, named_program, output_file
from servers import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH = 5_000
STEADY_LOOKS = 8  # of 0.2 s each


def set_command(index: int, value_bytes: int, ttl: bool) -> bytes:
    key = b"key:%012d" % index
    value = random.randbytes(value_bytes // 2).hex().encode()
    if ttl:
        return b"*5\r\n$3\r\nSET\r\n$16\r\n%s\r\n$%d\r\n%s\r\n$2\r\nEX\r\n$6\r\n%06d\r\n" % (
            key, value_bytes, value, 100_000 + index % 800_000)
    return b"*3\r\n$3\r\nSET\r\n$16\r\n%s\r\n$%d\r\n%s\r\n" % (key, value_bytes, value)


# name: (bytes of the value, with a time to live, budget in bytes per item)
SHAPES = {
    "16 + 8": (8, False, 45),
    "16 + 32": (32, False, 68),
    "16 + 100": (100, False, 136),
    "16 + 32, time to live": (32, True, 80),
}
CONNECTION_BUDGET = 800


def encoded(*words) -> bytes:
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def session(index: int) -> bytes:
    return encoded("HSET", b"session:%08d" % index, "user", index % 100_000, "name", b"user-%07d" % (index % 9_999_999), "role", "editor",
                   "locale", "en_GB", "seen", 1_700_000_000 + index)


# name: (command that adds the item of an index, budget in bytes per item)
COLLECTION_SHAPES = {
    "session: a hash of 5 fields": (session, 135),
    "sorted-set member, 16 bytes": (lambda i: encoded("ZADD", "zset", random.random() * 1e6, b"member:%09d" % i), 52),
    "set member, 16 bytes": (lambda i: encoded("SADD", "set", b"member:%09d" % i), 36),
    "hash field, 15 + 16 bytes": (lambda i: encoded("HSET", "hash", b"field:%09d" % i, b"value:%010d" % i), 52),
    "list element, 16 bytes": (lambda i: encoded("RPUSH", "list", b"element:%08d" % i), None),
}


def setter(shape: tuple):
    return lambda index: set_command(index, shape[0], shape[1])


def settled_resident_bytes(server: Server) -> int:
    """Resident memory once it has not changed for a while: allocators give pages back with a delay (jemalloc: a second)."""
    last, steady = server.resident_bytes(), 0
    for _ in range(50):
        time.sleep(0.2)
        now = server.resident_bytes()
        steady = steady + 1 if abs(now - last) < 64 * 1024 else 0
        last = now
        if steady == STEADY_LOOKS:
            break
    return last


def bytes_per_item(path: str, name: str, command, items: int) -> float:
    """`command(index)` are the bytes that add an item."""
    server = Server(name, path, 0)
    try:
        client = server.client()
        client.call("PING")
        before = settled_resident_bytes(server)
        for start in range(0, items, BATCH):
            batch = range(start, min(start + BATCH, items))
            client.socket.sendall(b"".join(map(command, batch)))
            for _ in batch:
                client.read()
        return (settled_resident_bytes(server) - before) / items
    finally:
        server.stop()


def bytes_per_connection(path: str, name: str, connections: int) -> float:
    server = Server(name, path, 0)
    try:
        before = settled_resident_bytes(server)
        clients = [server.client() for _ in range(connections)]
        for client in clients:
            client.call("SET", "k", "v" * 100)
        growth = settled_resident_bytes(server) - before
        for client in clients:
            client.close()
        return growth / connections
    finally:
        server.stop()


def counts(text: str) -> list[int]:
    return [count(part) for part in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", action="append", type=named_program, default=[], metavar="NAME=PATH")
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--items", type=count, default=1_000_000)
    parser.add_argument("--counts", type=counts, help="only the first shape, at these numbers of items")
    parser.add_argument("--connections", type=count, default=5_000)
    parser.add_argument("--json", type=output_file, metavar="FILE")
    options = parser.parse_args()
    paths = {"larder": options.larder, "redis-server": options.reference} | dict(options.server)
    results: dict[str, dict[str, float]] = {}

    def report(label: str, budget: int | None, measure) -> None:
        results[label] = {name: measure(name, path) for name, path in paths.items()}
        shown = "  ".join(f"{name} {value:8.1f}" for name, value in results[label].items())
        print(f"{label:28} {shown}" + (f"  budget {budget}" if budget else ""), flush=True)

    if options.counts:
        for items in options.counts:
            report(f"16 + 8, {items} items", 45,
                   lambda name, path, items=items: bytes_per_item(path, name, setter(SHAPES["16 + 8"]), items))
    else:
        for label, shape in SHAPES.items():
            report(label, shape[2], lambda name, path, shape=shape: bytes_per_item(path, name, setter(shape), options.items))
        for label, (command, budget) in COLLECTION_SHAPES.items():
            report(label, budget,
                   lambda name, path, command=command: bytes_per_item(path, name, command, options.items))
        report("idle connection", CONNECTION_BUDGET,
               lambda name, path: bytes_per_connection(path, name, options.connections))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    end_with(main)
