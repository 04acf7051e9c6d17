#!/usr/bin/env python3
"""CPU time per call of scripts and rate limits, side by side in one run.

Like cpu.py: servers on core 0, the load (larder-bench) on core 1, turns and rounds interleaved, the median of the rounds. The
rate limit is GCRA three ways: as a script on both servers, in the way of the libraries that ship one (the time, a GET, floats, a SET
with a time to live), and as CL.THROTTLE on Larder. Every workload draws from 100,000 keys of its
own, all of the same length, and every request is allowed.

    bench/compare/scripts.py                       # larder-server against redis-server
    bench/compare/scripts.py --only GCRA --rounds 5
"""


from command_line import end_with, matching
from rounds import LARDER_BENCH, Load, by_turns, medians, parser, show, started, write_json

KEYS = 100_000
KEY = ":__rand_int__"  # behind eight letters

INCR_SCRIPT = "return redis.call('INCR', KEYS[1])"

# KEYS[1]: the arrival time in seconds; ARGV: burst, rate, period in seconds, cost.
GCRA_SCRIPT = """
local burst, rate, period, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local interval = period / rate
local clock = redis.call('TIME')
local now = clock[1] - 1500000000 + clock[2] / 1000000
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
if arrival < now then arrival = now end
local next_arrival = arrival + interval * cost
local wait = next_arrival - interval * burst - now
if wait > 0 then return {0, 0, tostring(wait), tostring(arrival - now)} end
local reset = next_arrival - now
if reset > 0 then redis.call('SET', KEYS[1], next_arrival, 'EX', math.ceil(reset)) end
return {cost, math.floor(-wait / interval), '-1', tostring(reset)}
"""
GCRA_ARGUMENTS = ["1000", "1000", "6000", "1"]
THROTTLE = ["CL.THROTTLE", "throttle" + KEY, "1000", "1000", "6000"]

# name: (a script to load or None, the request behind its digest, pipeline, requests a round)
WORKLOADS = {
    "EVALSHA INCR P1": (INCR_SCRIPT, ["1", "counters" + KEY], 1, 100_000),
    "EVALSHA INCR P16": (INCR_SCRIPT, ["1", "counters" + KEY], 16, 400_000),
    "GCRA script P1": (GCRA_SCRIPT, ["1", "arrivals" + KEY, *GCRA_ARGUMENTS], 1, 100_000),
    "GCRA script P16": (GCRA_SCRIPT, ["1", "arrivals" + KEY, *GCRA_ARGUMENTS], 16, 300_000),
}
# The same on Larder alone.
OWN_WORKLOADS = {
    "INCR": (["INCR", "counters" + KEY], 16, 2_000_000),
    "CL.THROTTLE": (THROTTLE, 16, 2_000_000),
    "RL.TAKE GCRA": (["RL.TAKE", "1", "takegcra" + KEY, "GCRA", "1000", "6000000"], 16, 1_000_000),
    "INCREX": (["INCREX", "increxes" + KEY, "EX", "600", "ENX"], 16, 1_000_000),
}
SCRIPT_BUDGET = 0.60
THROTTLE_TO_SCRIPT_BUDGET = 0.15
THROTTLE_TO_INCR_BUDGET = 1.30


def load_script(server, script: str) -> bytes:
    client = server.client()
    try:
        return client.call("SCRIPT", "LOAD", script)
    finally:
        client.close()


def main() -> int:
    options = parser(__doc__, load=LARDER_BENCH).parse_args()
    names = matching([*WORKLOADS, *OWN_WORKLOADS], options.only)
    results: dict[str, dict[str, float]] = {}
    with started(options) as servers:
        for workload, (script, words, pipeline, requests) in WORKLOADS.items():
            if workload not in names:
                continue
            digests = {load_script(server, script).decode() for server in servers.values()}
            load = Load(["EVALSHA", digests.pop(), *words], pipeline, requests, KEYS)
            results[workload] = medians(by_turns(servers, options.rounds, lambda server: load.cpu_us(server, options)))
            show(workload, results[workload], f"  budget {SCRIPT_BUDGET:.2f} x")
        larder = {"larder": servers["larder"]}
        for workload, (words, pipeline, requests) in OWN_WORKLOADS.items():
            if workload not in names:
                continue
            load = Load(words, pipeline, requests, KEYS)
            results[workload] = medians(by_turns(larder, options.rounds, lambda server: load.cpu_us(server, options)))
            print(f"{workload:16} larder {results[workload]['larder']:9.3f} us", flush=True)
    if "CL.THROTTLE" in results:
        throttle = results["CL.THROTTLE"]["larder"]
        if "GCRA script P16" in results:
            ratio = throttle / results["GCRA script P16"]["redis-server"]
            print(f"CL.THROTTLE / the script on redis-server {ratio:.2f} x  budget {THROTTLE_TO_SCRIPT_BUDGET:.2f} x")
        if "INCR" in results:
            print(f"CL.THROTTLE / INCR {throttle / results['INCR']['larder']:.2f} x  budget {THROTTLE_TO_INCR_BUDGET:.2f} x")
    write_json(options, results)
    return 0


if __name__ == "__main__":
    end_with(main)
