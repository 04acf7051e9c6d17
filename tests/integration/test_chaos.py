"""Hundreds of clients at random: they subscribe, block, watch, track, pause and kill each
other, send half a request, stop reading and go. Afterwards every connection still answers
and the server is as idle as before.

The seed is printed. LARDER_CHAOS_SEED repeats a run (up to what the kernel schedules);
LARDER_CHAOS_SECONDS and LARDER_CHAOS_CLIENTS make a longer and a larger one.
"""

import os
import random
import select
import socket
import time

from harness import Client, Server, equal, limit, wait_until

SECONDS = float(os.environ.get("LARDER_CHAOS_SECONDS", "6"))
CLIENTS = int(os.environ.get("LARDER_CHAOS_CLIENTS", "150"))
SEED = int(os.environ.get("LARDER_CHAOS_SEED", "20261121"))
ARGUMENTS = ["--client-output-buffer-limit", "pubsub", "1mb", "256kb", "1",
             "--maxmemory-clients", "32mb", "--databases", "4",
             "--tracking-table-max-keys", "20", "--notify-keyspace-events", "KEA"]
ANSWER_SECONDS = 60  # of a sanitized server on a loaded machine
LOST_BYTES_MAX = (2048 + 256) * 1024  # what the buffers of a tick and tables may keep after they had been large

KEYS = [f"key:{i}" for i in range(12)]
CHANNELS = [f"channel:{i}" for i in range(8)]
PATTERNS = ["channel:*", "chan*[0-3]", "__key*", "*"]


class Member:
    """One of the crowd: sends without waiting, reads what comes unless it is lazy."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.socket.setblocking(False)
        self.lazy = False
        self.half_sent = False
        self.tail = b""

    def send(self, raw):
        """False when the server has closed the connection, or takes no more."""
        try:
            return self.socket.send(raw) == len(raw)
        except (BlockingIOError, ConnectionError):
            return False

    def read(self):
        """False at the end of the connection."""
        try:
            piece = self.socket.recv(1 << 16)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        self.tail = (self.tail + piece)[-64:]
        return bool(piece)


def timeout(rng):
    return rng.choice(["0", "0", "0.001", "0.05", "0.5"])


def blocking_request(rng):
    key, other, wait = rng.choice(KEYS), rng.choice(KEYS), timeout(rng)
    milliseconds = int(float(wait) * 1000)
    return rng.choice([
        ("BLPOP", key, other, wait), ("BRPOP", key, wait), ("BLMOVE", key, other, "LEFT", "RIGHT", wait),
        ("BRPOPLPUSH", key, other, wait), ("BLMPOP", wait, 2, key, other, "LEFT"), ("BZPOPMIN", key, other, wait),
        ("BZPOPMAX", key, wait), ("BZMPOP", wait, 1, key, "MIN"),
        ("XREAD", "BLOCK", milliseconds, "STREAMS", key, "$"),
        ("XREADGROUP", "GROUP", "g", "c", "BLOCK", milliseconds, "STREAMS", key, ">")])


def key_request(rng):
    key, other, value = rng.choice(KEYS), rng.choice(KEYS), rng.randrange(100)
    return rng.choice([
        ("RPUSH", key, value), ("LPUSH", key, value, value), ("ZADD", key, value, value), ("XADD", key, "*", "f", value),
        ("XGROUP", "CREATE", key, "g", "$", "MKSTREAM"), ("DEL", key), ("DEL", key, other), ("RENAME", key, other),
        ("COPY", key, other), ("SET", key, "x" * rng.choice([1, 100, 40_000])), ("GET", key), ("MGET", key, other),
        ("PEXPIRE", key, 10), ("LMOVE", key, other, "LEFT", "LEFT"), ("LRANGE", key, 0, -1), ("TYPE", key),
        ("EVAL", "return redis.call('rpush', KEYS[1], 1, 2)", 1, key), ("MOVE", key, value % 4),
        ("SWAPDB", value % 4, 0), ("FLUSHDB",) if value < 20 else ("PING",)])


def conversation_request(rng):
    key, channel, pattern = rng.choice(KEYS), rng.choice(CHANNELS), rng.choice(PATTERNS)
    return rng.choice([
        ("SUBSCRIBE", channel, rng.choice(CHANNELS)), ("PSUBSCRIBE", pattern), ("SSUBSCRIBE", channel),
        ("UNSUBSCRIBE",), ("UNSUBSCRIBE", channel), ("PUNSUBSCRIBE",), ("SUNSUBSCRIBE",),
        ("PUBLISH", channel, "m" * rng.choice([5, 500, 5000])), ("PUBLISH", channel, "hello"), ("SPUBLISH", channel, "m"),
        ("MULTI",), ("EXEC",), ("EXEC",), ("DISCARD",), ("WATCH", key, rng.choice(KEYS)), ("UNWATCH",),
        ("CLIENT", "TRACKING", "ON"), ("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "key:"),
        ("CLIENT", "TRACKING", "ON", "OPTIN", "NOLOOP"), ("CLIENT", "TRACKING", "OFF"), ("CLIENT", "CACHING", "YES"),
        ("CLIENT", "REPLY", "OFF"), ("CLIENT", "REPLY", "SKIP"), ("CLIENT", "REPLY", "ON"), ("CLIENT", "NO-EVICT", "ON"),
        ("CLIENT", "NO-TOUCH", "ON"), ("CLIENT", "SETNAME", "somebody"), ("HELLO", "3"), ("HELLO", "2"),
        ("SELECT", rng.randrange(4)), ("RESET",), ("MONITOR",), ("QUIT",)])


def against_others(rng, ids):
    """What one client does to another."""
    victim = rng.choice(ids)
    return rng.choice([
        ("CLIENT", "KILL", "ID", victim), ("CLIENT", "UNBLOCK", victim), ("CLIENT", "UNBLOCK", victim, "ERROR"),
        ("CLIENT", "KILL", "TYPE", "pubsub", "MAXAGE", 5), ("CLIENT", "PAUSE", 20, rng.choice(["WRITE", "ALL"])),
        ("CLIENT", "UNPAUSE"), ("CLIENT", "TRACKING", "ON", "REDIRECT", victim), ("CLIENT", "LIST")])


class Crowd:
    def __init__(self, server, control, rng):
        self.server, self.control, self.rng = server, control, rng
        self.own_id = control.call("CLIENT", "ID")
        self.ids = [self.own_id + 1]
        self.members = {}
        self.poller = select.epoll()

    def join(self):
        member = Member(self.server.port)
        self.members[member.socket.fileno()] = member
        self.poller.register(member.socket, select.EPOLLIN)

    def leave(self, member):
        del self.members[member.socket.fileno()]
        self.poller.unregister(member.socket)
        member.socket.close()

    def make_lazy(self, member, lazy):
        member.lazy = lazy
        self.poller.modify(member.socket, 0 if lazy else select.EPOLLIN)

    def request(self):
        kind = self.rng.random()
        if kind < 0.30:
            return blocking_request(self.rng)
        if kind < 0.65:
            return key_request(self.rng)
        if kind < 0.97:
            return conversation_request(self.rng)
        return against_others(self.rng, self.ids)

    def step(self):
        rng = self.rng
        member = rng.choice(list(self.members.values()))
        raw = b"".join(Client.encode(*self.request()) for _ in range(rng.choice([1, 1, 1, 2, 8])))
        act = rng.random()
        if act < 0.01:
            return self.leave(member)
        if act < 0.02 or member.half_sent:
            member.send(raw[:rng.randrange(1, len(raw))])
            return self.leave(member)
        if act < 0.03:
            member.half_sent = True
            raw = raw[:rng.randrange(1, len(raw))]
        if act > 0.99:
            self.make_lazy(member, not member.lazy)
        if not member.send(raw):
            self.leave(member)

    def read(self):
        for fd, _ in self.poller.poll(0):
            member = self.members[fd]
            if not member.read():
                self.leave(member)

    def run(self, seconds):
        until = time.monotonic() + seconds
        next_look = 0.0
        steps = 0
        while time.monotonic() < until:
            while len(self.members) < CLIENTS:
                self.join()
            self.step()
            self.read()
            steps += 1
            if time.monotonic() > next_look:
                next_look = time.monotonic() + 0.5
                self.look()
        return steps

    def look(self):
        """The server answers, and who is there."""
        lines = self.control.call("CLIENT", "LIST").decode().splitlines()
        ids = [int(line.split(" ", 1)[0][3:]) for line in lines]
        self.ids = [i for i in ids if i != self.own_id] or self.ids

    def unblock_all(self):
        self.control.call("CLIENT", "UNPAUSE")
        for line in self.control.call("CLIENT", "LIST").decode().splitlines():
            fields = dict(word.split("=", 1) for word in line.split(" "))
            if "b" in fields["flags"]:
                self.control.call("CLIENT", "UNBLOCK", fields["id"])

    def calm_down(self):
        """Ends what everybody was doing; each must answer a last request or have been closed."""
        for member in list(self.members.values()):
            if member.half_sent:
                self.leave(member)
                continue
            self.make_lazy(member, False)
        marker = b"the end of it"
        asked = set()
        until = time.monotonic() + ANSWER_SECONDS
        while self.members:
            assert time.monotonic() < until, f"{len(self.members)} clients do not answer"
            self.unblock_all()
            for fd, member in list(self.members.items()):
                last = Client.encode("CLIENT", "REPLY", "ON") + Client.encode("RESET") + Client.encode("ECHO", marker)
                if fd not in asked and member.send(last):
                    asked.add(fd)
            self.poller.poll(0.05)
            self.read()
            for fd in list(asked):
                if fd not in self.members:
                    asked.discard(fd)
                elif self.members[fd].tail.endswith(marker + b"\r\n"):
                    self.leave(self.members[fd])
                    asked.discard(fd)


def figures(control, section):
    lines = control.call("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def used_memory(control):
    return int(figures(control, "memory")["used_memory"])


def idle_memory(control):
    """What the server holds when all are gone and nothing is stored."""
    wait_until(lambda: figures(control, "clients")["connected_clients"] == "1", ANSWER_SECONDS, "the end of all others")
    for name in ("total_watched_keys", "total_blocking_keys"):  # of those who have gone: taken away in the background
        wait_until(lambda name=name: figures(control, "clients")[name] == "0", ANSWER_SECONDS, f"{name}:0")
    clients = figures(control, "clients")
    for name in ("blocked_clients", "tracking_clients", "pubsub_clients", "watching_clients", "clients_in_timeout_table",
                 "total_blocking_keys_on_nokey"):
        equal(f"{name}:{clients[name]}", f"{name}:0")
    equal(control.call("PUBSUB", "CHANNELS"), [])
    equal(control.call("PUBSUB", "SHARDCHANNELS"), [])
    equal(control.call("PUBSUB", "NUMPAT"), 0)
    control.expect_ok("FLUSHALL")
    control.expect_ok("SCRIPT", "FLUSH")
    time.sleep(0.3)  # the server measures buffers every 100 ms
    return used_memory(control)


@limit(SECONDS * 2 + 240)
def test_hundreds_of_clients_at_random(binary):
    print(f"     LARDER_CHAOS_SEED={SEED} LARDER_CHAOS_SECONDS={SECONDS:g} LARDER_CHAOS_CLIENTS={CLIENTS}")
    with Server(binary, ARGUMENTS) as server, Client(server.port, ANSWER_SECONDS) as control:
        control.expect_ok("CLIENT", "NO-EVICT", "ON")
        crowd = Crowd(server, control, random.Random(SEED))
        steps = crowd.run(SECONDS / 4)
        crowd.calm_down()
        before = idle_memory(control)
        steps += crowd.run(SECONDS * 3 / 4)
        crowd.calm_down()
        after = idle_memory(control)
        commands = figures(control, "stats")["total_commands_processed"]
        closed = figures(control, "stats").get("client_output_buffer_limit_disconnections", "?")
        print(f"     {steps} steps, {commands} commands, {closed} closed for what they were owed, memory {before} -> {after}")
        wait_until(lambda: used_memory(control) <= before + LOST_BYTES_MAX,
                   what=f"idle memory that has not grown ({before} before, {after} behind)")
        equal(server.stop(), 0)
