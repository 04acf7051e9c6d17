#!/usr/bin/env python3
"""Latency at a fixed rate, side by side in one run: what clients see of a server that is busy but not full.

First the saturation of each server is measured (a closed loop). Then each gets the same requests a second: a share of the
*lowest* of these, and once more of Larder's own if that is higher. The loop is open (larder-bench --rate): each request is
sent when it is due and its time counts from then, so a server that stalls cannot hide what it made wait. Servers take turns
within each round; the figures are medians of the rounds.

    bench/compare/latency.py
    bench/compare/latency.py --pipeline 16 --rounds 7 --json out.json
    nice -n -15 bench/compare/latency.py       # as root, where other programs run: servers and load go first
"""

import json
import statistics
import subprocess

from command_line import above_zero, count, end_with, program
from cpu import fill
from rounds import LARDER_BENCH, by_turns, server_parser, started, write_json
from servers import Server

FIGURES = ["p50_ms", "p99_ms", "p99.9_ms", "p99.99_ms", "max_ms"]


def run_load(server: Server, options, seconds: float, *more: str) -> dict:
    command = ["taskset", "-c", str(options.load_core), options.load, "-p", str(server.port), "-c", str(options.connections),
               "-r", str(options.keys), "-d", "100", "--ratio", options.ratio, "-P", str(options.pipeline),
               "--warmup", "0.5", "--duration", str(seconds), "--json", *more]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=seconds * 4 + 60)
    return json.loads(done.stdout.decode().splitlines()[0])


def medians(samples: list[dict]) -> dict:
    return {figure: statistics.median(sample[figure] for sample in samples) for figure in ["rps", *FIGURES]}


def measure(servers: dict[str, Server], options) -> dict:
    runs = by_turns(servers, options.rounds, lambda server: run_load(server, options, options.seconds))
    saturation = {name: medians(samples)["rps"] for name, samples in runs.items()}
    print("saturation   " + "  ".join(f"{name} {rps:,.0f}/s" for name, rps in saturation.items()), flush=True)
    results = {"pipeline": options.pipeline, "connections": options.connections, "ratio": options.ratio,
               "saturation_rps": saturation, "rates": []}
    for rate in sorted({int(min(saturation.values()) * options.share), int(saturation["larder"] * options.share)}):
        runs = by_turns(servers, options.rounds, lambda server: run_load(server, options, options.seconds, "--rate", str(rate)))
        figures = {name: medians(samples) for name, samples in runs.items()}
        results["rates"].append({"rate": rate, "servers": figures})
        print(f"at {rate:,} requests a second")
        for name, values in figures.items():
            print(f"  {name:14}" + "".join(f"  {figure[:-3]} {values[figure]:8.3f} ms" for figure in FIGURES), flush=True)
    return results


def main() -> int:
    parser = server_parser(__doc__)
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--load", type=program, default=LARDER_BENCH)
    parser.add_argument("--rounds", type=count, default=5)
    parser.add_argument("--seconds", type=above_zero, default=4, help="of each run")
    parser.add_argument("--share", type=above_zero, default=0.7, help="of the saturation")
    parser.add_argument("--connections", type=count, default=50)
    parser.add_argument("--pipeline", type=count, default=1)
    parser.add_argument("--ratio", default="1:4", help="SETs:GETs")
    parser.add_argument("--keys", type=count, default=1_000_000)
    options = parser.parse_args()
    with started(options) as servers:
        for server in servers.values():
            fill(server, options.keys)
        write_json(options, measure(servers, options))
    return 0


if __name__ == "__main__":
    end_with(main)
