#!/usr/bin/env python3
"""CPU time per request of the commands on lists, sets, hashes, sorted sets, streams and the rest, side by side in one run.

Like cpu.py: servers on core 0, the load (larder-bench) on core 1, turns and rounds interleaved, the median of the rounds. The
last line is the median of all ratios.

    bench/compare/types.py                       # larder-server against redis-server
    bench/compare/types.py --only Z --rounds 5
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys

from servers import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEMBERS = 1_000_000
BATCH = 5_000


def pipelined(client, commands) -> None:
    """Sends (command words) in batches and reads the replies."""
    batch = []
    for words in commands:
        batch.append(words)
        if len(batch) == BATCH:
            flush(client, batch)
    flush(client, batch)


def flush(client, batch) -> None:
    out = []
    for words in batch:
        encoded = [word.encode() if isinstance(word, str) else word for word in words]
        out.append(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    client.socket.sendall(b"".join(out))
    for _ in batch:
        client.read()
    batch.clear()


def many(count: int, *words: str):
    """`count` commands in which {} is the number of the command in twelve digits."""
    return ([word.replace("{}", f"{i:012d}") for word in words] for i in range(count))


def geo_points(count: int):
    rng = random.Random(1)
    return (["GEOADD", "places", f"{rng.uniform(2, 3):.6f}", f"{rng.uniform(48, 49):.6f}", f"place:{i}"] for i in range(count))


# name: (what is there before, the command, pipeline, requests per round)
WORKLOADS = {
    "LPUSH": ([], ["LPUSH", "mylist", "__data__"], 16, 1_000_000),
    "LPOP": (many(MEMBERS, "RPUSH", "list:pop", "element:{}"), ["LPOP", "list:pop"], 16, 1_000_000),
    "LRANGE 100": (many(1000, "RPUSH", "list:range", "element:{}"), ["LRANGE", "list:range", "0", "99"], 1, 100_000),
    "LRANGE 600": ([], ["LRANGE", "list:range", "0", "599"], 1, 40_000),
    "SADD": ([], ["SADD", "myset", "element:__rand_int__"], 16, 1_000_000),
    "SPOP": (many(MEMBERS, "SADD", "set:pop", "element:{}"), ["SPOP", "set:pop"], 16, 600_000),
    "SINTER 1k x 1k": ([["SADD", "set:a", *map(str, (f"m{i}" for i in range(1000)))],
                        ["SADD", "set:b", *map(str, (f"m{i}" for i in range(500, 1500)))]],
                       ["SINTER", "set:a", "set:b"], 1, 10_000),
    "HSET": ([], ["HSET", "myhash", "field:__rand_int__", "__data__"], 16, 1_000_000),
    "HGET": ([], ["HGET", "myhash", "field:__rand_int__"], 16, 1_000_000),
    "ZADD": ([], ["ZADD", "myzset", "__rand_int__", "member:__rand_int__"], 16, 1_000_000),
    "ZRANK": (many(MEMBERS, "ZADD", "zset", "{}", "member:{}"), ["ZRANK", "zset", "member:__rand_int__"], 16, 1_000_000),
    "ZRANGE 100": ([], ["ZRANGE", "zset", "__rand_int__", "+inf", "BYSCORE", "LIMIT", "0", "100"], 1, 100_000),
    "ZRANGEBYSCORE": ([], ["ZRANGEBYSCORE", "zset", "__rand_int__", "+inf", "LIMIT", "0", "10", ], 16, 400_000),
    "ZUNIONSTORE 10k": ([*many(10_000, "ZADD", "zset:a", "{}", "member:{}"), *many(10_000, "ZADD", "zset:b", "{}", "other:{}")],
                        ["ZUNIONSTORE", "zset:union", "2", "zset:a", "zset:b"], 1, 150),
    "XADD": ([], ["XADD", "mystream", "MAXLEN", "~", "1000000", "*", "field", "__data__"], 16, 600_000),
    "XREAD 100": (many(10_000, "XADD", "stream:read", "*", "field", "value:{}"),
                  ["XREAD", "COUNT", "100", "STREAMS", "stream:read", "0"], 1, 40_000),
    "PFADD": ([], ["PFADD", "hll", "element:__rand_int__"], 16, 1_000_000),
    "SETBIT": ([], ["SETBIT", "bits", "123456", "1"], 16, 1_000_000),
    "BITCOUNT 1 MB": ([["SETBIT", "bits:mb", "8388607", "1"]], ["BITCOUNT", "bits:mb"], 1, 5_000),
    "GEOSEARCH": (geo_points(10_000), ["GEOSEARCH", "places", "FROMLONLAT", "2.5", "48.5", "BYRADIUS", "5", "km"], 1, 40_000),
}


def run_load(server: Server, command: list[str], pipeline: int, requests: int, options) -> float:
    """Returns the server's CPU time per request in microseconds."""
    before = server.cpu_seconds()
    subprocess.run(["taskset", "-c", str(options.load_core), options.load, "-p", str(server.port), "-c", "50", "-n", str(requests),
                    "-r", str(MEMBERS), "-d", "16", "-P", str(pipeline), "-q", *command],
                   check=True, stdout=subprocess.DEVNULL, timeout=600)
    return (server.cpu_seconds() - before) / requests * 1e6


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", action="append", default=[], metavar="NAME=PATH", help="a further server")
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--load", default=str(ROOT / "build/release/bin/larder-bench"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of requests")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
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
        for workload, (before, command, pipeline, requests) in WORKLOADS.items():
            prepared = list(before)
            for server in servers.values():
                client = server.client()
                pipelined(client, prepared)
                client.close()
            if options.only not in workload:
                continue
            samples: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(options.rounds):
                for name, server in servers.items():
                    count = max(int(requests * options.scale / options.rounds), 10)
                    samples[name].append(run_load(server, command, pipeline, count, options))
            medians = {name: statistics.median(values) for name, values in samples.items()}
            results[workload] = medians
            shown = "  ".join(f"{name} {value:9.3f} us" for name, value in medians.items())
            print(f"{workload:16} {shown}  larder/redis-server {medians['larder'] / medians['redis-server']:.2f} x", flush=True)
    finally:
        for server in servers.values():
            server.stop()
    ratios = [medians["larder"] / medians["redis-server"] for medians in results.values()]
    if ratios:
        print(f"median of the ratios {statistics.median(ratios):.2f} x, largest {max(ratios):.2f} x")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
