#!/usr/bin/env python3
"""Hit ratios of eviction policies: a trace of keys is replayed into each server as a cache (GET, and SET on a miss).

    bench/hitrate/hitrate.py                         the synthetic traces, every policy, redis-server beside it
    bench/hitrate/hitrate.py --trace keys.txt        one key per line
    bench/hitrate/hitrate.py --policies allkeys-lru allkeys-s3fifo --only zipf --json out.json

All servers get the same maxmemory: what --share of the keys takes in the reference server. Traces are seeded, so every server
sees the same requests in the same order. How many keys a server holds at the end is shown, too: where one holds more in the same
memory, fewer misses are not the policy's merit alone. With --same-keys each gets the maxmemory in which it holds that share itself,
and the policies alone differ. With few keys the limit is mostly what a server needs for itself.
"""

import argparse
import bisect
import itertools
import json
import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/compare"))
from command_line import above_zero, count, end_with, output_file  # noqa: E402
from servers import Server  # noqa: E402

BATCH = 64
VALUE = b"v" * 100
POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-random", "allkeys-s3fifo"]


def zipf_ranks(count: int, keys: int, skew: float, rng: random.Random):
    weights = list(itertools.accumulate(1 / (i + 1) ** skew for i in range(keys)))
    total = weights[-1]
    for _ in range(count):
        yield bisect.bisect(weights, rng.random() * total)


def zipf(count: int, keys: int, rng: random.Random):
    names = list(range(keys))
    rng.shuffle(names)
    for rank in zipf_ranks(count, keys, 1.0, rng):
        yield names[rank]


def zipf_with_scans(count: int, keys: int, rng: random.Random):
    """Every tenth stretch of 2,000 requests reads keys one after the other that are asked for only then."""
    scanned = keys
    for i, key in enumerate(zipf(count, keys, rng)):
        if i // 2000 % 10 == 9:
            scanned += 1
            yield scanned
        else:
            yield key


def shifting(count: int, keys: int, rng: random.Random):
    """Nine requests of ten go to a hot set of 5 % of the keys, which moves on a tenth of its size 50 times."""
    hot = max(keys // 20, 1)
    for i in range(count):
        start = i * 50 // count * (hot // 10)
        yield (start + rng.randrange(hot)) % keys if rng.random() < 0.9 else rng.randrange(keys)


TRACES = {"zipf": zipf, "zipf with scans": zipf_with_scans, "shifting hot set": shifting}


def keys_of(path: pathlib.Path) -> list[bytes]:
    """The lines of a file, whatever bytes they have."""
    try:
        keys = [line.rstrip(b"\r") for line in path.read_bytes().split(b"\n")]
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    return [key for key in keys if key] or sys.exit(f"{path}: no keys in it")


def replay(server: Server, keys: list[bytes]) -> tuple[float, int]:
    """The share of requests that hit, and how many keys the server holds at the end."""
    client = server.client()
    hits = 0
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        client.socket.sendall(b"".join(b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key) for key in batch))
        missed = [key for key in batch if client.read() is None]
        hits += len(batch) - len(missed)
        if missed:
            client.socket.sendall(b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(VALUE), VALUE)
                                           for key in missed))
            for _ in missed:
                client.read()
    held = client.call("DBSIZE")
    client.close()
    return hits / len(keys), held


def bytes_for_keys(name: str, path: str, keys: int) -> int:
    """maxmemory at which a server holds about that many keys of the trace."""
    server = Server(name, path, 0)
    try:
        replay(server, [b"k%015d" % i for i in range(max(keys, 1))])
        info = server.client().call("INFO", "memory").decode()
        return int(next(line.split(":")[1] for line in info.splitlines() if line.startswith("used_memory:")))
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--keys", type=count, default=200_000)
    parser.add_argument("--requests", type=count, default=1_000_000)
    parser.add_argument("--share", type=above_zero, default=0.1, help="of the keys that the reference holds at the limit")
    parser.add_argument("--same-keys", action="store_true", help="a limit of its own for each server")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace", type=pathlib.Path, help="file with one key per line")
    parser.add_argument("--only", choices=list(TRACES))
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--json", type=output_file, metavar="FILE")
    options = parser.parse_args()
    if options.share > 1:
        parser.error("--share is at most 1")
    if options.trace:
        traces = {options.trace.name: keys_of(options.trace)}
    else:
        traces = {name: [b"k%015d" % key for key in make(options.requests, options.keys, random.Random(options.seed))]
                  for name, make in TRACES.items() if options.only in (None, name)}
    results = []
    for name, keys in traces.items():
        wanted = int(len(set(keys) if options.trace else range(options.keys)) * options.share)
        limits = dict.fromkeys((options.reference, options.larder), bytes_for_keys("reference", options.reference, wanted))
        if options.same_keys:
            limits[options.larder] = bytes_for_keys("larder", options.larder, wanted)
        print(f"{name}: {len(keys)} requests, maxmemory {limits[options.reference]} bytes of redis-server, {limits[options.larder]} of larder",
              flush=True)
        for policy in ["redis-server allkeys-lru", "redis-server allkeys-lfu", *options.policies]:
            path = options.reference if policy.startswith("redis") else options.larder
            server = Server(policy, path, 0, ["--maxmemory", str(limits[path]), "--maxmemory-policy", policy.split()[-1]])
            try:
                hit_ratio, held = replay(server, keys)
            except RuntimeError as error:  # a limit below what the server needs for itself
                raise RuntimeError(f"{policy}: {error}") from error
            finally:
                server.stop()
            results.append({"trace": name, "policy": policy, "hit_ratio": hit_ratio, "keys_held": held, "maxmemory": limits[path]})
            lru_misses = 1 - next(r["hit_ratio"] for r in results if r["trace"] == name)  # the first policy's
            times = f"{(1 - hit_ratio) / lru_misses:5.2f}" if lru_misses > 0 else "    -"
            print(f"  {policy:28s} hits {hit_ratio:7.2%}   misses {times} x redis-server allkeys-lru   {held} keys held", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    end_with(main)
