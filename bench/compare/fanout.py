#!/usr/bin/env python3
"""CPU time per delivered message, side by side in one run.

Starts each server on core 0, publisher and subscribers on core 1, and reports the server's user and system time per message
that a subscriber received. The servers take turns, round by round; the figure is the median of the rounds.

    bench/compare/fanout.py                    # build/release/bin/larder-server against redis-server
    bench/compare/fanout.py --only stalled     # 1,000 subscribers of which 10 never read

Workloads: `pipelined` publishes 100 messages a write, `single` waits for each reply before the next message. `stalled`
publishes 200 messages a second to 1,000 subscribers of which 10 never read, and reports the latency that others see, how far
the server's memory grew, and how many subscribers were closed.
"""

import multiprocessing
import os
import select
import socket
import time

from command_line import above_zero, count, end_with, matching
from rounds import by_turns, medians, parser, started, write_json
from servers import RespClient, Server

# name: (messages a write, messages a round, budget as a ratio to redis-server 7.0.15)
FAN_OUT = {
    "pipelined": (100, 200_000, 0.55),
    "single": (1, 20_000, 0.70),
}
# How far the publisher may be ahead of the slowest part of the subscribers: well below the limit of their output.
AHEAD_MESSAGES = 10_000
CHANNEL = b"channel"
STALLED_PER_S = 200
STALLED_MESSAGE_BYTES = 2000
# Low enough that the subscribers that do not read are closed while the workload runs.
STALLED_LIMITS = ["--client-output-buffer-limit", "pubsub", "4mb", "1mb", "2"]


def message_bytes(size: int) -> int:
    """What a subscriber receives for a message of this size, in RESP2."""
    return len(b"*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n" % (len(CHANNEL), CHANNEL, size)) + size + 2


def publish_request(payload: bytes) -> bytes:
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(CHANNEL), CHANNEL, len(payload), payload)


def subscribe(port: int, count: int) -> list[socket.socket]:
    sockets = []
    for _ in range(count):
        client = RespClient(port)
        client.call("SUBSCRIBE", CHANNEL)
        client.file.close()
        sockets.append(client.socket)
    return sockets


def drain(port: int, count: int, core: int, received) -> None:
    """A process with all subscribers: reads what comes and counts the bytes."""
    os.sched_setaffinity(0, {core})
    poller = select.epoll()
    by_fd = {}
    for each in subscribe(port, count):
        each.setblocking(False)
        by_fd[each.fileno()] = each
        poller.register(each.fileno(), select.EPOLLIN)
    received.value = 0
    room = bytearray(1 << 18)
    while True:
        total = 0
        for fd, _ in poller.poll():
            size = by_fd[fd].recv_into(room)
            if size == 0:
                return
            total += size
        received.value += total


class Subscribers:
    def __init__(self, server: Server, count: int, core: int):
        self.received = multiprocessing.Value("q", -1, lock=False)
        self.process = multiprocessing.Process(target=drain, args=(server.port, count, core, self.received), daemon=True)
        self.process.start()
        while self.received.value < 0:
            time.sleep(0.01)

    def wait_for(self, total: int, pause_s: float) -> None:
        deadline = time.monotonic() + 60
        while self.received.value < total:
            if time.monotonic() > deadline or not self.process.is_alive():
                raise RuntimeError(f"subscribers got {self.received.value} bytes of {total}")
            time.sleep(pause_s)

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()


def fan_out(server: Server, batch: int, messages: int, options) -> tuple[float, float]:
    """Returns the server's CPU time per delivered message in nanoseconds, and messages delivered per second."""
    subscribers = Subscribers(server, options.subscribers, options.load_core)
    publisher = server.client()
    each = message_bytes(options.size) * options.subscribers
    request = publish_request(b"x" * options.size) * batch
    reply = b":%d\r\n" % options.subscribers
    before = server.cpu_seconds()
    began = time.monotonic()
    for sent in range(batch, messages + 1, batch):
        publisher.socket.sendall(request)
        publisher.file.read(len(reply) * batch)
        if sent % 1000 == 0 and sent > AHEAD_MESSAGES:
            subscribers.wait_for((sent - AHEAD_MESSAGES) * each, 0.0005)
    subscribers.wait_for(messages * each, 0.0005)
    seconds = time.monotonic() - began
    cpu = server.cpu_seconds() - before
    publisher.close()
    subscribers.stop()
    delivered = messages * options.subscribers
    return cpu / delivered * 1e9, delivered / seconds


def stalled(server: Server, options) -> dict[str, float]:
    """1,000 subscribers of which 10 never read; 20 of the others measure the time from PUBLISH to arrival."""
    silent = subscribe(server.port, 10)
    probes = subscribe(server.port, 20)
    subscribers = Subscribers(server, 970, options.load_core)
    publisher = server.client()
    request, frame = publish_request(b"x" * STALLED_MESSAGE_BYTES), message_bytes(STALLED_MESSAGE_BYTES)
    before_bytes = grown_bytes = 0
    latencies_us = []
    began = time.monotonic()
    for i in range(int(STALLED_PER_S * options.stalled_seconds)):
        time.sleep(max(0.0, began + i / STALLED_PER_S - time.monotonic()))
        if i % 20 == 0:
            before_bytes = before_bytes or server.resident_bytes()
            grown_bytes = max(grown_bytes, server.resident_bytes() - before_bytes)
        sent = time.monotonic()
        publisher.socket.sendall(request)
        for probe in probes:
            left = frame
            while left:
                left -= len(probe.recv(left))
            latencies_us.append((time.monotonic() - sent) * 1e6)
        publisher.read()
    latencies_us.sort()
    listening = publisher.call("PUBSUB", "NUMSUB", CHANNEL)[1]
    subscribers.stop()
    for each in probes + silent:
        each.close()
    publisher.close()
    return {"p50_us": latencies_us[len(latencies_us) // 2], "p99_us": latencies_us[len(latencies_us) * 99 // 100],
            "max_us": latencies_us[-1], "grown_mb": grown_bytes / 2**20, "closed": 1000 - listening}


def parse_arguments():
    arguments = parser(__doc__)
    arguments.add_argument("--subscribers", type=count, default=50)
    arguments.add_argument("--size", type=count, default=64, help="bytes of a message")
    arguments.add_argument("--stalled-seconds", type=above_zero, default=15)
    return arguments.parse_args()


def main() -> int:
    options = parse_arguments()
    names = matching([*FAN_OUT, "stalled"], options.only)
    os.sched_setaffinity(0, {options.load_core})
    results: dict[str, dict[str, float]] = {}
    with started(options, STALLED_LIMITS) as servers:
        for workload, (batch, messages, budget) in FAN_OUT.items():
            if workload not in names:
                continue
            messages = max(1000, int(messages * options.scale) // 1000 * 1000)
            samples = by_turns(servers, options.rounds, lambda server: fan_out(server, batch, messages, options))
            cpu_ns = medians({name: [cpu for cpu, _ in rounds] for name, rounds in samples.items()})
            rate = medians({name: [rate for _, rate in rounds] for name, rounds in samples.items()})
            shown = "  ".join(f"{name} {cpu_ns[name]:6.0f} ns {rate[name] / 1e6:5.2f} M/s" for name in servers)
            print(f"{workload:9} {shown}  larder/redis-server {cpu_ns['larder'] / cpu_ns['redis-server']:.2f} x"
                  f"  budget {budget:.2f} x", flush=True)
            results[workload] = cpu_ns
        if "stalled" in names:
            for server in servers.values():
                figures = stalled(server, options)
                print(f"stalled   {server.name:12} " + "  ".join(f"{k} {v:.0f}" for k, v in figures.items()), flush=True)
    write_json(options, results)
    return 0


if __name__ == "__main__":
    end_with(main)
