#!/usr/bin/env python3
"""What the append-only log costs and how fast data are loaded, side by side with redis-server in one run.

    cost     CPU time per SET at pipeline 16 with `appendonly no` and `everysec`, and the 99th percentile of the waits at one
             fixed rate for all (larder-bench --rate)
    always   SETs a second of 50 clients under `appendfsync always`, and how many requests shared a sync
    load     keys a second from one RDB and from one log of commands: the same files for all servers, wall and CPU time from
             the start of the process to the first PING that is answered

    bench/compare/aof.py
    bench/compare/aof.py --only load --keys 1500000 --data /tmp/dataset      # the dataset is kept there, made if missing
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from command_line import above_zero, count, end_with, matching
from rounds import LARDER_BENCH, by_turns, medians, parser, pipelined, started, write_json
from servers import RespClient, Server

GOALS = {"cost": 1.15, "p99": 1.5, "always": 1.5, "rdb": 2.2, "log": 2.5}
LOG = ["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"]
# CPU times differ by a third from one second to the next where other machines share the processor: many short rounds.
COST_ROUNDS = 5
LOG_RULES = {"no log": [], "everysec": [*LOG, "--appendfsync", "everysec"]}


def bench(server: Server, options, *more: str) -> dict:
    command = ["taskset", "-c", str(options.load_core), options.load, "-p", str(server.port), "-c", "50", "-r", "1000000",
               "-d", "100", "-t", "set", "--json", *more]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600)
    return json.loads(done.stdout.decode().splitlines()[0])


def info(server: Server, field: str) -> int:
    client = server.client()
    text = client.call("INFO").decode()
    client.close()
    return next((int(line.split(":")[1]) for line in text.splitlines() if line.startswith(field + ":")), 0)


# ---- The cost of a log

def cpu_us(server: Server, options) -> float:
    requests = max(int(500_000 * options.scale), 10)
    before = server.cpu_seconds()
    bench(server, options, "-P", "16", "-n", str(requests))
    return (server.cpu_seconds() - before) / requests * 1e6


def measure_cost(options) -> dict:
    plain, logged = (started(options, arguments) for arguments in LOG_RULES.values())
    with plain as without, logged as with_log:
        both = {f"{name}, {rule}": server for rule, servers in zip(LOG_RULES, (without, with_log)) for name, server in servers.items()}
        by_turns(both, 1, lambda server: bench(server, options, "-P", "16", "-n", "500000"))
        cost_samples = by_turns(both, COST_ROUNDS * options.rounds, lambda server: cpu_us(server, options))
        rate = ["-P", "16", "--warmup", "0.5", "--duration", "2", "--rate", str(options.rate)]
        p99_samples = by_turns(both, options.rounds, lambda server: bench(server, options, *rate)["p99_ms"])
        names = list(without)
    results = {}
    for name in names:
        for what, samples, unit in (("cost", cost_samples, "us"), ("p99", p99_samples, "ms")):
            before, after = (samples[f"{name}, {rule}"] for rule in LOG_RULES)
            # Of each round, so that an hour of a busy machine harms both sides of a quotient.
            ratios = sorted(b / a for a, b in zip(before, after))
            results[f"{name} {what}"] = {"no_log": statistics.median(before), "everysec": statistics.median(after),
                                         "ratio": statistics.median(ratios)}
            print(f"{what:8} {name:14} no log {statistics.median(before):7.3f} {unit}  everysec {statistics.median(after):7.3f} {unit}"
                  f"  {statistics.median(ratios):.2f} x (of {len(ratios)} rounds: {ratios[0]:.2f} to {ratios[-1]:.2f})"
                  f"  goal {GOALS[what]:.2f} x", flush=True)
    return results | {"rate": options.rate}


# ---- appendfsync always

def syncs_alone(directory: str, seconds: float = 1.0) -> float:
    """Appends of 5 KB with fdatasync that the disk does in a second, one after the other."""
    with open(os.path.join(directory, "syncs"), "wb", buffering=0) as file:
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            file.write(b"x" * 5000)
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def measure_always(options) -> dict:
    with started(options, [*LOG, "--appendfsync", "always"]) as servers:
        disk = syncs_alone(next(iter(servers.values())).directory.name)
        syncs: list[float] = []

        def rps(server: Server) -> float:
            before = info(server, "aof_syncs")
            reached = bench(server, options, "--warmup", "0.5", "--duration", str(options.seconds))["rps"]
            if server.name == "larder":
                syncs.append((info(server, "aof_syncs") - before) / (options.seconds + 0.5))
            return reached

        figures = medians(by_turns(servers, options.rounds, rps))
    per_second = statistics.median(syncs)
    print(f"always   " + "  ".join(f"{name} {value:,.0f}/s" for name, value in figures.items()) +
          f"  larder/redis-server {figures['larder'] / figures['redis-server']:.2f} x  goal {GOALS['always']:.1f} x\n"
          f"         the disk alone {disk:.0f} syncs/s; larder {per_second:.0f} syncs/s, "
          f"{figures['larder'] / max(per_second, 1):.1f} requests each", flush=True)
    return {"rps": figures, "disk_syncs": disk, "larder_syncs": per_second}


# ---- Loading

def dataset(keys: int):
    """Requests that make about `keys` keys: 70 % strings, a seventh of them with a time to live, the rest small collections;
    and one large collection of each type."""
    value = b"x" * 60
    for i in range(keys * 7 // 10):
        life = ["PX", 10**10 + i] if i % 7 == 0 else []
        yield ["SET", f"key:{i:012d}", value + b"%d" % i, *life]
    for i in range(keys * 3 // 40):
        yield ["HSET", f"hash:{i}", *(word for field in range(5) for word in (f"field{field}", f"value:{i}:{field}"))]
        yield ["RPUSH", f"list:{i}", *(f"element:{i}:{n}" for n in range(10))]
        yield ["SADD", f"set:{i}", *(f"member:{i}:{n}" for n in range(10))]
        yield ["ZADD", f"zset:{i}", *(word for n in range(10) for word in (n * 7 + 0.5, f"member:{n}"))]
    for start in range(0, keys // 10, 100):
        numbers = range(start, start + 100)
        yield ["HSET", "large:hash", *(word for n in numbers for word in (f"field:{n}", f"value:{n}"))]
        yield ["RPUSH", "large:list", *(f"element:{n}" for n in numbers)]
        yield ["SADD", "large:set", *(f"member:{n}" for n in numbers)]
        yield ["ZADD", "large:zset", *(word for n in numbers for word in (n * 37 % 10007, f"member:{n}"))]


def make_dataset(options, directory: pathlib.Path) -> None:
    """rdb/ and log/ below `directory`, written by the reference: what both servers read."""
    if (directory / "log").exists():
        return
    server = Server("maker", options.reference, options.server_core, [*LOG, "--appendfsync", "no", "--aof-use-rdb-preamble", "no"])
    try:
        client = server.client()
        pipelined(client, dataset(options.keys))
        client.call("SAVE")
        client.close()
        (directory / "rdb").mkdir(parents=True, exist_ok=True)
        shutil.copy(pathlib.Path(server.directory.name) / "dump.rdb", directory / "rdb")
        server.process.terminate()
        server.process.wait()
        shutil.copytree(pathlib.Path(server.directory.name) / "appendonlydir", directory / "log" / "appendonlydir")
    finally:
        server.stop()


def load_once(path: str, options, arguments: list[str]) -> dict:
    """One start on the data. The log's folder is read only in effect: nothing is written before the end."""
    begin = time.monotonic()
    server = Server("loading", path, options.server_core, arguments, ready_s=300)
    figures = {"wall_s": time.monotonic() - begin, "cpu_s": server.cpu_seconds()}
    try:
        client: RespClient = server.client()
        figures["keys"] = client.call("DBSIZE")
        client.close()
        server.process.kill()  # so that it writes nothing into the folder
    finally:
        server.stop()
    return figures


def measure_load(options) -> dict:
    if options.data:
        return load_from(pathlib.Path(options.data), options)
    with tempfile.TemporaryDirectory(prefix="larder-compare-") as directory:
        return load_from(pathlib.Path(directory), options)


def load_from(directory: pathlib.Path, options) -> dict:
    make_dataset(options, directory)
    paths = {"larder": options.larder, "redis-server": options.reference} | dict(options.server)
    results = {}
    for source, arguments in {"rdb": ["--dir", str(directory / "rdb")], "log": ["--dir", str(directory / "log"), *LOG]}.items():
        samples = by_turns(paths, options.rounds, lambda path: load_once(path, options, arguments))
        results[source] = {name: {what: statistics.median(run[what] for run in runs) for what in runs[0]} for name, runs in samples.items()}
        for name, figures in results[source].items():
            print(f"load     {source}  {name:14} {figures['keys']:,} keys  wall {figures['wall_s']:6.2f} s  CPU {figures['cpu_s']:6.2f} s"
                  f"  {figures['keys'] / figures['wall_s']:,.0f} keys/s", flush=True)
        own, other = results[source]["larder"], results[source]["redis-server"]
        print(f"         {source}  wall {other['wall_s'] / own['wall_s']:.2f} x faster, CPU {other['cpu_s'] / own['cpu_s']:.2f} x"
              f"  goal {GOALS[source]:.1f} x", flush=True)
    return results


def main() -> int:
    arguments = parser(__doc__, load=LARDER_BENCH)
    arguments.add_argument("--rate", type=count, default=80_000, help="requests a second, for the waits")
    arguments.add_argument("--seconds", type=above_zero, default=4, help="of a run with appendfsync always")
    arguments.add_argument("--keys", type=count, default=1_000_000, help="to load")
    arguments.add_argument("--data", help="the folder of the dataset to load")
    options = arguments.parse_args()
    parts = {"cost": measure_cost, "always": measure_always, "load": measure_load}
    write_json(options, {name: parts[name](options) for name in matching(parts, options.only)})
    return 0


if __name__ == "__main__":
    end_with(main)
