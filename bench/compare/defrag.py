#!/usr/bin/env python3
"""Whether memory goes back after most keys were deleted, and what giving it back costs other requests.

Keys of mixed sizes are loaded, then three of four are deleted at random. The resident set is read before, after, and from then
on until it stops shrinking; the probe (probe.py) sends a PING every 0.3 ms meanwhile. The measure is the resident set of a
fresh server with the keys that are left.

    bench/compare/defrag.py                                # 5 million keys, activedefrag yes
    bench/compare/defrag.py --defrag no --keys 1000000
"""

import random
import time

from command_line import above_zero, count, end_with
from probe import Probe, before_other_programs
from rounds import one_by_one, pipelined, server_parser
from servers import Server

SETTLED_S = 12.0  # malloc gives what is free back after ten seconds


def key(number: int) -> bytes:
    return b"key:%012d" % number


def load(client, numbers, sizes) -> None:
    pipelined(client, (["SET", key(i), b"v" * sizes[i]] for i in numbers))


def start(name: str, path: str, options) -> Server:
    defrag = ["--activedefrag", options.defrag, "--active-defrag-ignore-bytes", "1mb", "--active-defrag-threshold-lower", "5",
              "--active-defrag-cycle-min", str(options.cycle), "--active-defrag-cycle-max", str(options.cycle)]
    return Server(name, path, options.server_core, defrag if name == "larder" else [])


def settle(server: Server) -> float:
    """Seconds until the resident set has not shrunk for SETTLED_S."""
    begin = changed = time.monotonic()
    least = server.resident_bytes()
    while time.monotonic() - changed < SETTLED_S:
        time.sleep(0.2)
        now = server.resident_bytes()
        if now < least - 512 * 1024:
            least, changed = now, time.monotonic()
    return changed - begin


def measure(name: str, path: str, options) -> dict:
    rng = random.Random(options.seed)
    sizes = [rng.randint(options.min_bytes, options.max_bytes) for _ in range(options.keys)]
    left = [rng.random() < 1 - options.share for _ in range(options.keys)]
    figures = {}
    fresh = start(name, path, options)
    try:
        load(fresh.client(), (i for i in range(options.keys) if left[i]), sizes)
        settle(fresh)
        figures["fresh_mb"] = fresh.resident_bytes() / 1e6
    finally:
        fresh.stop()
    server = start(name, path, options)
    try:
        before_other_programs(server)
        client = server.client()
        load(client, range(options.keys), sizes)
        figures["full_mb"] = server.resident_bytes() / 1e6
        deleted = [i for i in range(options.keys) if not left[i]]
        rng.shuffle(deleted)
        pipelined(client, (["DEL", key(i)] for i in deleted))
        figures["after_delete_mb"] = server.resident_bytes() / 1e6
        with Probe(server, options.load_core) as probe:
            figures["settled_after_s"] = settle(server)
            figures["settled_mb"] = server.resident_bytes() / 1e6
        figures |= {f"probe_{name}": value for name, value in probe.figures().items()}
        figures["ratio_to_fresh"] = figures["settled_mb"] / figures["fresh_mb"]
        info = client.call("INFO", "stats").decode().splitlines()
        figures["blocks_moved"] = int(next(line.split(":")[1] for line in info if line.startswith("active_defrag_hits:")))
    finally:
        server.stop()
    return figures


def main() -> int:
    parser = server_parser(__doc__, "a further server, without defragmentation")
    parser.add_argument("--defrag", choices=["yes", "no"], default="yes")
    parser.add_argument("--cycle", type=count, default=25, help="percent of the processor that it may take")
    parser.add_argument("--keys", type=count, default=5_000_000)
    parser.add_argument("--min-bytes", type=count, default=8, help="of a value")
    parser.add_argument("--max-bytes", type=count, default=400)
    parser.add_argument("--share", type=above_zero, default=0.75, help="of the keys that are deleted")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.share >= 1 or options.min_bytes > options.max_bytes:
        parser.error("--share is below 1, --min-bytes is at most --max-bytes")
    one_by_one(options, measure)
    return 0


if __name__ == "__main__":
    end_with(main)
