#!/usr/bin/env python3
"""How late keys with a time to live go, while the server works.

Keys whose names carry their deadline are loaded, clients set and get other keys at a fixed rate, and a subscriber of the
`expired` events compares the clock with the name. Delays are those a subscriber sees: server, socket and this program
together. The probe (probe.py) sends a PING every half a millisecond meanwhile; its waits are those of other requests. Both have
real-time priority on the core that they share with the load, so that the load does not count as a delay.

    bench/compare/expiry.py                              # a million keys, random deadlines over a minute
    bench/compare/expiry.py --keys 10000000
    bench/compare/expiry.py --same-deadline              # a million keys that are all due in one millisecond
    bench/compare/expiry.py --server redis=/usr/bin/redis-server --only redis
"""

import array
import json
import multiprocessing
import os
import random
import re
import socket
import subprocess
import time

from command_line import count, end_with, program
from probe import Probe, at
from rounds import BATCH, LARDER_BENCH, one_by_one, pipelined, server_parser
from servers import RespClient, Server
from witness import take_core

NAME_START = b"expiry:"
EVENT = re.compile(rb"expiry:(\d{13}):")
SILENCE_S = 5.0  # without an event, at the end: the rest does not come
PROBE_INTERVAL_S = 0.0005


def subscriber(port: int, options, first_deadline_ms: int, ready, results) -> None:
    """Receives the events of all keys: the delays in ms, and when the last one came."""
    take_core(options.load_core, 10)
    client = RespClient(port)
    client.call("SUBSCRIBE", "__keyevent@0__:expired")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    ready.set()
    delays, last_ms, rest = array.array("f"), 0.0, b""
    while len(delays) < options.keys:
        idle_s = max(SILENCE_S, first_deadline_ms / 1000 + SILENCE_S - time.time())
        client.socket.settimeout(idle_s)
        try:
            received = client.socket.recv(1 << 20)
        except TimeoutError:
            break
        if not received:
            raise ConnectionError("the server closed the connection")
        now_ms = time.time() * 1000
        data = rest + received
        whole, rest = data[: data.rfind(b"\n") + 1], data[data.rfind(b"\n") + 1 :]
        if options.same_deadline:  # a million at once are only counted: looking at each takes longer than the server does
            delays.extend([now_ms - first_deadline_ms] * whole.count(NAME_START))
        else:
            delays.extend([now_ms - int(deadline) for deadline in EVENT.findall(whole)])
        last_ms = now_ms
    results.put((delays.tobytes(), last_ms))


def load_keys(server: Server, options, first_deadline_ms: int) -> None:
    client = server.client()
    rng = random.Random(options.seed)
    value = b"v" * options.value_bytes
    for start in range(0, options.keys, BATCH):
        words = []
        for i in range(start, min(start + BATCH, options.keys)):
            deadline = first_deadline_ms + (0 if options.same_deadline else rng.randrange(options.seconds * 1000))
            words.append(b"*5\r\n$3\r\nSET\r\n$29\r\nexpiry:%013d:%08d\r\n$%d\r\n%s\r\n$4\r\nPXAT\r\n$13\r\n%013d\r\n" % (
                deadline, i, len(value), value, deadline))
        client.socket.sendall(b"".join(words))
        for _ in words:
            client.read()
    client.close()


def settled_megabytes(server: Server, after_s: float) -> float:
    time.sleep(after_s)
    return server.resident_bytes() / 1e6


def measure(name: str, path: str, options) -> dict:
    server = Server(name, path, options.server_core, ["--notify-keyspace-events", "Ex",
                                                      "--client-output-buffer-limit", "pubsub 0 0 0"])
    try:
        return measure_server(server, options)
    finally:
        server.stop()


def measure_server(server: Server, options) -> dict:
    fill = server.client()
    pipelined(fill, (["SET", b"key:%012d" % i, b"x" * 100] for i in range(options.other_keys)))
    figures = {"rss_before_mb": settled_megabytes(server, 1)}
    first_deadline_ms = int(time.time() * 1000) + int(options.keys / options.load_per_s * 1000) + 3000
    load_keys(server, options, first_deadline_ms)
    if time.time() * 1000 > first_deadline_ms - 1000:
        raise RuntimeError("loading took longer than expected: give a lower --load-per-s")
    figures["rss_loaded_mb"] = settled_megabytes(server, 0)

    results, ready = multiprocessing.Queue(), multiprocessing.Event()
    listener = multiprocessing.Process(target=subscriber, args=(server.port, options, first_deadline_ms, ready, results), daemon=True)
    listener.start()
    ready.wait()
    probe = Probe(server, options.load_core, PROBE_INTERVAL_S)
    probe.start()
    seconds = first_deadline_ms / 1000 - time.time() + (1 if options.same_deadline else options.seconds)
    load = subprocess.Popen(
        ["nice", "-n", "10", "taskset", "-c", str(options.load_core), options.load, "-p", str(server.port), "--ratio", "1:4",
         "-r", str(options.other_keys), "-d", "100", "-c", "50", "--rate", str(options.rate), "--duration", str(seconds), "--json"],
        stdout=subprocess.PIPE)
    delays, last_ms = results.get()
    probe.finish()
    listener.join()
    if listener.exitcode != 0:
        raise RuntimeError("the subscriber ended with an error")
    reply = json.loads(load.communicate()[0].decode().splitlines()[0])
    figures["rss_after_mb"] = settled_megabytes(server, 3)
    return figures | summary(sorted(array.array("f", delays)), probe, options, first_deadline_ms, last_ms) | {"load_rps": reply["rps"]}


def summary(delays: list[float], probe: Probe, options, first_deadline_ms: int, last_ms: float) -> dict:
    waits = probe.waits_ms(first_deadline_ms, last_ms)
    return {"keys": options.keys, "events": len(delays), "p50_ms": at(delays, 0.5), "p99_ms": at(delays, 0.99),
            "p999_ms": at(delays, 0.999), "max_ms": at(delays, 1), "removal_s": (last_ms - first_deadline_ms) / 1000,
            "other_requests_p50_ms": at(waits, 0.5), "other_requests_p99_ms": at(waits, 0.99), "other_requests_max_ms": at(waits, 1),
            "probes": len(waits)}


def main() -> int:
    parser = server_parser(__doc__)
    parser.add_argument("--load", type=program, default=LARDER_BENCH)
    parser.add_argument("--only", help="only the server of this name")
    parser.add_argument("--keys", type=count, default=1_000_000)
    parser.add_argument("--seconds", type=count, default=60, help="over which the deadlines spread")
    parser.add_argument("--same-deadline", action="store_true")
    parser.add_argument("--value-bytes", type=count, default=32)
    parser.add_argument("--other-keys", type=count, default=100_000, help="what the load sets and gets")
    parser.add_argument("--rate", type=count, default=10_000, help="requests a second of the load")
    parser.add_argument("--load-per-s", type=count, default=100_000, help="keys that can be loaded in a second, at least")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    one_by_one(options, measure, options.only)
    return 0


if __name__ == "__main__":
    end_with(main)
