#!/usr/bin/env python3
"""CPU time per request of the commands on lists, sets, hashes, sorted sets, streams and the rest, side by side in one run.

Like cpu.py: servers on core 0, the load (larder-bench) on core 1, turns and rounds interleaved, the median of the rounds. The
last line is the median of all ratios.

    bench/compare/types.py                       # larder-server against redis-server
    bench/compare/types.py --only Z --rounds 5
"""

import random
import statistics

from command_line import end_with, matching
from rounds import LARDER_BENCH, Load, by_turns, medians, parser, pipelined, show, started, write_json

MEMBERS = 1_000_000
VALUE_BYTES = 16


def many(count: int, *words: str):
    """`count` commands in which {} is the number of the command in twelve digits."""
    return ([word.replace("{}", f"{i:012d}") for word in words] for i in range(count))


def geo_points(count: int):
    rng = random.Random(1)
    return (["GEOADD", "places", f"{rng.uniform(2, 3):.6f}", f"{rng.uniform(48, 49):.6f}", f"place:{i}"] for i in range(count))


# What a workload needs before it runs, made once in a run.
DATA = {
    "list:pop": lambda: many(MEMBERS, "RPUSH", "list:pop", "element:{}"),
    "list:range": lambda: many(1000, "RPUSH", "list:range", "element:{}"),
    "set:pop": lambda: many(MEMBERS, "SADD", "set:pop", "element:{}"),
    "set:a, set:b": lambda: [["SADD", "set:a", *(f"m{i}" for i in range(1000))],
                             ["SADD", "set:b", *(f"m{i}" for i in range(500, 1500))]],
    "myhash": lambda: many(MEMBERS, "HSET", "myhash", "field:{}", "x" * VALUE_BYTES),
    "zset": lambda: many(MEMBERS, "ZADD", "zset", "{}", "member:{}"),
    "zset:a, zset:b": lambda: [*many(10_000, "ZADD", "zset:a", "{}", "member:{}"),
                               *many(10_000, "ZADD", "zset:b", "{}", "other:{}")],
    "stream:read": lambda: many(10_000, "XADD", "stream:read", "*", "field", "value:{}"),
    "bits:mb": lambda: [["SETBIT", "bits:mb", "8388607", "1"]],
    "places": lambda: geo_points(10_000),
}

# name: (the data it needs, the command, pipeline, requests of all rounds together)
WORKLOADS = {
    "LPUSH": (None, ["LPUSH", "mylist", "__data__"], 16, 1_000_000),
    "LPOP": ("list:pop", ["LPOP", "list:pop"], 16, 1_000_000),
    "LRANGE 100": ("list:range", ["LRANGE", "list:range", "0", "99"], 1, 100_000),
    "LRANGE 600": ("list:range", ["LRANGE", "list:range", "0", "599"], 1, 40_000),
    "SADD": (None, ["SADD", "myset", "element:__rand_int__"], 16, 1_000_000),
    "SPOP": ("set:pop", ["SPOP", "set:pop"], 16, 600_000),
    "SINTER 1k x 1k": ("set:a, set:b", ["SINTER", "set:a", "set:b"], 1, 10_000),
    "HSET": (None, ["HSET", "newhash", "field:__rand_int__", "__data__"], 16, 1_000_000),
    "HGET": ("myhash", ["HGET", "myhash", "field:__rand_int__"], 16, 1_000_000),
    "ZADD": (None, ["ZADD", "myzset", "__rand_int__", "member:__rand_int__"], 16, 1_000_000),
    "ZRANK": ("zset", ["ZRANK", "zset", "member:__rand_int__"], 16, 1_000_000),
    "ZRANGE 100": ("zset", ["ZRANGE", "zset", "__rand_int__", "+inf", "BYSCORE", "LIMIT", "0", "100"], 1, 100_000),
    "ZRANGEBYSCORE": ("zset", ["ZRANGEBYSCORE", "zset", "__rand_int__", "+inf", "LIMIT", "0", "10"], 16, 400_000),
    "ZUNIONSTORE 10k": ("zset:a, zset:b", ["ZUNIONSTORE", "zset:union", "2", "zset:a", "zset:b"], 1, 150),
    "XADD": (None, ["XADD", "mystream", "MAXLEN", "~", "1000000", "*", "field", "__data__"], 16, 600_000),
    "XREAD 100": ("stream:read", ["XREAD", "COUNT", "100", "STREAMS", "stream:read", "0"], 1, 40_000),
    "PFADD": (None, ["PFADD", "hll", "element:__rand_int__"], 16, 1_000_000),
    "SETBIT": (None, ["SETBIT", "bits", "123456", "1"], 16, 1_000_000),
    "BITCOUNT 1 MB": ("bits:mb", ["BITCOUNT", "bits:mb"], 1, 5_000),
    "GEOSEARCH": ("places", ["GEOSEARCH", "places", "FROMLONLAT", "2.5", "48.5", "BYRADIUS", "5", "km"], 1, 40_000),
}


def prepare(servers, name: str) -> None:
    commands = list(DATA[name]())
    for server in servers.values():
        client = server.client()
        pipelined(client, commands)
        client.close()


def main() -> int:
    options = parser(__doc__, load=LARDER_BENCH).parse_args()
    names = matching(WORKLOADS, options.only)
    results: dict[str, dict[str, float]] = {}
    ratios, prepared = [], set()
    with started(options) as servers:
        for workload, (data, command, pipeline, requests) in WORKLOADS.items():
            if workload not in names:
                continue
            if data is not None and data not in prepared:
                prepare(servers, data)
                prepared.add(data)
            load = Load(command, pipeline, requests // options.rounds, MEMBERS, VALUE_BYTES)
            results[workload] = medians(by_turns(servers, options.rounds, lambda server: load.cpu_us(server, options)))
            ratios.append(show(workload, results[workload]))
    print(f"median of the ratios {statistics.median(ratios):.2f} x, largest {max(ratios):.2f} x")
    write_json(options, results)
    return 0


if __name__ == "__main__":
    end_with(main)
