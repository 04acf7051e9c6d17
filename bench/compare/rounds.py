"""What the comparisons of CPU time share: their options, the servers, rounds by turns, a load, and the printed line.

Servers run on one core, the load on another. In each round every server has its turn, so that a noisy machine harms all
alike; the figure is the median of the rounds.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import subprocess
from dataclasses import dataclass

from command_line import above_zero, count, named_program, output_file, program
from servers import RespClient, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONNECTIONS = 50
BATCH = 5_000


def server_parser(doc: str, further: str = "a further server") -> argparse.ArgumentParser:
    """The options about servers, cores and output."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--server", action="append", type=named_program, default=[], metavar="NAME=PATH", help=further)
    made.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    made.add_argument("--server-core", type=int, default=0)
    made.add_argument("--load-core", type=int, default=1)
    made.add_argument("--json", type=output_file, metavar="FILE", help="write the figures to this file")
    return made


def parser(doc: str, load: str | None = None) -> argparse.ArgumentParser:
    """The options that all comparisons know; `load` is the load generator, if there is one."""
    made = server_parser(doc)
    made.add_argument("--reference", default="redis-server")
    if load:
        made.add_argument("--load", type=program, default=load)
    made.add_argument("--rounds", type=count, default=3)
    made.add_argument("--scale", type=above_zero, default=1.0, help="factor on the number of requests")
    made.add_argument("--only", default="", help="only workloads whose name contains this")
    return made


LARDER_BENCH = str(ROOT / "build/release/bin/larder-bench")


@contextlib.contextmanager
def started(options, arguments: list[str] | None = None):
    """The servers by name, larder and redis-server first; stopped at the end."""
    paths = {"larder": options.larder, "redis-server": options.reference} | dict(options.server)
    servers: dict[str, Server] = {}
    try:
        for name, path in paths.items():
            servers[name] = Server(name, path, options.server_core, arguments)
        yield servers
    finally:
        for server in servers.values():
            server.stop()


def by_turns(servers: dict[str, Server], rounds: int, measure) -> dict[str, list]:
    """measure(server) of each server in each round; who is first changes from round to round."""
    samples: dict[str, list] = {name: [] for name in servers}
    for number in range(rounds):
        for name in list(servers) if number % 2 == 0 else reversed(servers):
            samples[name].append(measure(servers[name]))
    return samples


def medians(samples: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in samples.items()}


@dataclass
class Load:
    """One workload of redis-benchmark or larder-bench."""

    arguments: list[str]  # the command, or the generator's name of it
    pipeline: int
    requests: int  # in a round
    keys: int = 1_000_000
    value_bytes: int = 100

    def cpu_us(self, server: Server, options) -> float:
        """Runs it; the server's CPU time per request in microseconds."""
        requests = max(int(self.requests * options.scale), 10)
        before = server.cpu_seconds()
        subprocess.run(["taskset", "-c", str(options.load_core), options.load, "-p", str(server.port), "-c", str(CONNECTIONS),
                        "-n", str(requests), "-r", str(self.keys), "-d", str(self.value_bytes), "-P", str(self.pipeline), "-q",
                        *self.arguments],
                       check=True, stdout=subprocess.DEVNULL, timeout=600)
        return (server.cpu_seconds() - before) / requests * 1e6


def pipelined(client: RespClient, commands) -> None:
    """Sends requests (lists of words) in batches and reads the replies."""
    batch: list = []

    def flush() -> None:
        client.socket.sendall(b"".join(client.encoded(*words) for words in batch))
        for _ in batch:
            client.read()
        batch.clear()

    for words in commands:
        batch.append(words)
        if len(batch) == BATCH:
            flush()
    flush()


def one_by_one(options, measure, only: str | None = None) -> None:
    """Prints and writes measure(name, path, options) of Larder and the further servers, each alone on the machine."""
    paths = {"larder": options.larder} | dict(options.server)
    if only not in (None, *paths):
        raise RuntimeError(f"--only: no server is called {only}; there are {', '.join(paths)}")
    results = {}
    for name, path in paths.items():
        if only not in (None, name):
            continue
        results[name] = measure(name, path, options)
        print(name, json.dumps({key: round(value, 3) for key, value in results[name].items()}, indent=2), flush=True)
    write_json(options, results)


def show(workload: str, figures: dict[str, float], note: str = "") -> float:
    """Prints a line; returns Larder's part of what redis-server needs."""
    ratio = figures["larder"] / figures["redis-server"]
    shown = "  ".join(f"{name} {value:9.3f} us" for name, value in figures.items())
    print(f"{workload:16} {shown}  larder/redis-server {ratio:.2f} x{note}", flush=True)
    return ratio


def write_json(options, results) -> None:
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
