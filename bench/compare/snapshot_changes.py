#!/usr/bin/env python3
"""How long the first request that changes a large collection waits when a snapshot has just begun, and the longest until its end.

Fills a hash, a set, a sorted set, a list and a stream, asks for BGSAVE, and then changes one element of each, again and
again until the snapshot is done. On a machine that does other work the longest wait shows the scheduler too: the first
change of each collection, as the least of some runs, is what the snapshot costs.

    bench/compare/snapshot_changes.py --elements 1000000
"""

import argparse
import pathlib
import time

from command_line import count, end_with
from rounds import pipelined
from servers import RespClient, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]


def contents(elements: int):
    """The requests that make the collections."""
    for start in range(0, elements, 500):
        names = [b"element:%010d" % i for i in range(start, min(start + 500, elements))]
        yield ["HSET", "hash", *[word for name in names for word in (name, b"value-of-16-byte")]]
        yield ["SADD", "set", *names]
        yield ["ZADD", "zset", *[word for i, name in enumerate(names, start) for word in (i * 7919 % elements, name)]]
        yield ["RPUSH", "list", *names]
        yield from (["XADD", "stream", "*", "field", name] for name in names)


def changes(elements: int) -> list[tuple]:
    return [("HSET", "hash", "element:0000000007", "other"), ("SREM", "set", "element:0000000007"),
            ("ZADD", "zset", "5", "element:0000000009"), ("LSET", "list", str(elements // 2), "other"),
            ("XADD", "stream", "*", "field", "value")]


def waits_ms(client: RespClient, requests: list[tuple]) -> list[float]:
    waits = []
    for request in requests:
        start = time.perf_counter()
        client.call(*request)
        waits.append((time.perf_counter() - start) * 1000)
    return waits


def measure(server: Server, elements: int) -> None:
    client = server.client()
    pipelined(client, contents(elements))
    requests = changes(elements)
    idle = [min(waits) for waits in zip(*(waits_ms(client, requests) for _ in range(20)))]
    client.call("BGSAVE")
    first = longest = waits_ms(client, requests)
    while b"rdb_bgsave_in_progress:1" in client.call("INFO", "persistence"):
        longest = [max(pair) for pair in zip(longest, waits_ms(client, requests))]
    for request, *waits in zip(requests, idle, first, longest):
        print(f"{server.name:8} {request[0]:5} idle {waits[0]:8.2f} ms  first {waits[1]:8.2f} ms  longest {waits[2]:8.2f} ms", flush=True)
    client.close()


def elements(text: str) -> int:
    number = count(text)
    if number < 10:  # the seventh and the ninth are changed
        raise argparse.ArgumentTypeError(f"not 10 or more: {text}")
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elements", type=elements, default=300_000)
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server", help="empty: none")
    options = parser.parse_args()
    for name, path in [("larder", options.larder)] + ([("redis", options.reference)] if options.reference else []):
        server = Server(name, path, core=0)
        try:
            measure(server, options.elements)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    end_with(main)
