#!/usr/bin/env python3
"""The differential tester: the same random commands to Larder and to redis-server, every reply compared.

    tests/differential/differ.py                          two minutes with a fresh seed (printed)
    tests/differential/differ.py --seed 7 --commands 1000000
    tests/differential/differ.py --families list zset     only these families
    tests/differential/differ.py --rounds clients         only rounds of several clients (clients.py)

Commands go out in pipelined batches of random size, in RESP2 or RESP3 by turns. After each round of commands the whole keyspace of both is
read and compared, and both are emptied. Replies whose order is not defined are compared without it. What is allowed to
differ, and why, is in explained(). The last line is "N passed, N failed"; a failure prints the seed and the commands before it
on the same keys.
"""

import argparse
import itertools
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from clients import Clients  # noqa: E402
from scripts import Scripts  # noqa: E402
from generator import FAMILIES, Generator  # noqa: E402

ROUND_COMMANDS = 2000
FAILURES_MAX = 20
UNORDERED = {"SMEMBERS", "SINTER", "SUNION", "SDIFF", "KEYS", "HKEYS", "HVALS", "SPOP"}


class ErrorReply(str):
    pass


class Simple(str):
    pass


class Connection:
    """Pipelined requests over one socket; replies as Python values that keep their protocol type."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, raw):
        self.socket.sendall(raw)

    def receive(self):
        """The replies to what was sent, whose last request is END, as they came."""
        pieces = []
        tail = b""
        while tail != END_REPLY:
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise ConnectionError("the server closed the connection")
            pieces.append(piece)
            tail = (tail + piece)[-len(END_REPLY):]
        return b"".join(pieces)[:-len(END_REPLY)]

    def call_all(self, commands):
        self.send(encoded(commands) + END)
        replies = Replies(self.receive())
        return [replies.read() for _ in commands]

    def call(self, *words):
        return self.call_all([words])[0]


def encoded(commands):
    parts = []
    for words in commands:
        parts.append(b"*%d\r\n" % len(words))
        for word in words:
            raw = word if isinstance(word, bytes) else word.encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


END_TEXT = b"the end of the differential tester's batch"
END = encoded([["ECHO", END_TEXT]])
END_REPLY = b"$%d\r\n%b\r\n" % (len(END_TEXT), END_TEXT)


class Replies:
    """Reads replies one by one from bytes that hold whole ones."""

    def __init__(self, raw):
        self.raw = raw
        self.at = 0

    def text(self, size):
        start = self.at
        self.at += size + 2
        return self.raw[start:start + size]

    def read(self):
        end = self.raw.index(b"\r\n", self.at)
        kind, rest = self.raw[self.at:self.at + 1], self.raw[self.at + 1:end]
        self.at = end + 2
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.text(size)
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return Simple(rest.decode("latin1"))
        if kind == b"-":
            return ErrorReply(rest.decode("latin1"))
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"_":
            return None
        if kind == b"%":
            return ("map", [(self.read(), self.read()) for _ in range(int(rest))])
        if kind == b"~":
            return ("set", [self.read() for _ in range(int(rest))])
        if kind in (b",", b"#", b"("):
            return (kind.decode(), rest)
        if kind == b"=":
            return ("verbatim", self.text(int(rest)))
        if kind == b">":
            return ("push", [self.read() for _ in range(int(rest))])
        raise ValueError(f"a reply starts with {kind + rest!r}")


class Server:
    def __init__(self, path, *arguments):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory(prefix="larder-differ-")
        self.process = subprocess.Popen([path, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                                         "--dir", self.folder.name, *arguments],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connection = Connection(self.port)
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.folder.cleanup()


def sort_key(value):
    return repr(value)


def leaves_unsorted(command):
    """Whether what BY names is the same for all."""
    names = [after for word, after in zip(command, command[1:]) if word == "BY"]
    return any("*" not in str(name) for name in names)


def canonical(command, reply):
    """The reply without what may differ from one right answer to another."""
    name = str(command[0]).upper()
    if name == "XINFO":
        return without_internals(reply)
    if isinstance(reply, tuple) and reply[0] in ("map", "set"):
        return (reply[0], sorted(reply[1], key=sort_key))
    if isinstance(reply, list):
        if name in UNORDERED:
            return sorted(reply, key=sort_key)
        if name == "HGETALL":
            return sorted(zip(reply[::2], reply[1::2]), key=sort_key)
        if name in ("SCAN", "SSCAN") and len(reply) == 2:
            return [reply[0], sorted(reply[1], key=sort_key)]
        if name in ("HSCAN", "ZSCAN") and len(reply) == 2:
            return [reply[0], sorted(zip(reply[1][::2], reply[1][1::2]), key=sort_key)]
        if name in ("SORT", "SORT_RO") and leaves_unsorted(command):
            return sorted(reply, key=sort_key)  # a set has no order
        if name == "XPENDING":  # without the idle time
            return [item[:2] + item[3:] if isinstance(item, list) and len(item) == 4 else item for item in reply]
    return reply


# Of XINFO: what depends on how a stream is kept, and times.
XINFO_DROPPED = {b"radix-tree-keys", b"radix-tree-nodes", b"idle", b"inactive", b"seen-time", b"active-time"}


def without_internals(reply, of=None):
    """XINFO as nested dictionaries, without internals. Consumers to whom nothing is pending are left out, with the number of consumers:
    since 7.2 whoever asks becomes one."""
    if isinstance(reply, tuple):
        pairs = reply[1]
    elif isinstance(reply, list) and reply and reply[0] in (b"length", b"name"):
        pairs = list(zip(reply[::2], reply[1::2]))
    elif isinstance(reply, list):
        if of in (b"entries", b"first-entry", b"last-entry"):
            return reply
        if of == b"pending":  # without the time of delivery
            return [item[:-2] + item[-1:] for item in reply]
        items = [without_internals(item) for item in reply]
        return [item for item in items if not isinstance(item, dict) or "lag" in item or item.get("pel-count", item.get("pending")) != 0]
    else:
        return reply
    kept = {}
    for name, value in pairs:
        if name in XINFO_DROPPED or (name == b"consumers" and isinstance(value, int)):
            continue
        kept[name.decode()] = without_internals(value, name)
    return kept


# Commands that answer with times, and how far the two servers may be apart on a loaded machine.
CLOCK_READERS = {"TTL": 3, "EXPIRETIME": 3, "PTTL": 3000, "PEXPIRETIME": 3000}


def close_in_time(a, b, difference_max):
    return isinstance(a, int) and isinstance(b, int) and abs(a - b) <= difference_max


def same_but_for_digits(ours, theirs):
    """The same reply, with doubles in the shortest text (7.2) in place of 17 digits (7.0)."""
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(same_but_for_digits, ours, theirs))
    if ours == theirs:
        return True
    if type(ours) is not bytes or type(theirs) is not bytes:
        return False
    try:
        return float(ours) == float(theirs) and theirs == b"%.17g" % float(theirs)
    except ValueError:
        return False


def explained(command, ours, theirs):
    """Why two different replies are both right, or None."""
    name = str(command[0]).upper()
    if name in ("SORT", "SORT_RO") and isinstance(theirs, ErrorReply) and "converted into double" in theirs and isinstance(ours, list):
        return "the reference looks at an errno that an earlier request may have left behind"
    if isinstance(ours, ErrorReply) and isinstance(theirs, ErrorReply) and any(b"\0" in word for word in command if isinstance(word, bytes)):
        return "the reference ends an argument that it cites at its first zero byte"
    if name[:1] in ("Z", "G", "B") and same_but_for_digits(ours, theirs):
        return "later versions write doubles in fewer digits"
    if name in CLOCK_READERS and close_in_time(ours, theirs, CLOCK_READERS[name]):
        return "time passes between the two servers"
    if name.startswith("GEO") and "COUNT" in command and isinstance(ours, list) and isinstance(theirs, list):
        if sorted(map(sort_key, ours)) == sorted(map(sort_key, theirs)):
            return "the reference's sort for a part of the places turns those at one distance around"
    if finds_more(command, ours, theirs):
        return "around a place on the last meridian or parallel both sides of it are searched, by the reference one"
    if name in ("EXPIRE", "PEXPIRE") and {ours, theirs} == {0, 1} and command[-1] in ("GT", "LT"):
        return "the same deadline, some milliseconds apart"
    if name.startswith("SORT") and isinstance(ours, list) and any(b"\0" in member for member in ours if member):
        if sorted(map(sort_key, ours)) == sorted(map(sort_key, theirs)):
            return "the reference compares texts up to their first zero byte"
    if name == "OBJECT" and (ours, theirs) == (b"listpack", b"quicklist"):
        return "7.2 keeps a small list as one listpack"
    if name == "OBJECT" and (ours, theirs) == (b"listpack", b"hashtable"):
        return "7.2 keeps a small set of words as a listpack"
    if name in ("SCAN", "SSCAN", "HSCAN", "ZSCAN") and "100000" not in command and isinstance(ours, list) and isinstance(theirs, list):
        return "each server has an order of its own; only whole walks are compared"
    if name == "OBJECT" and (ours, theirs) == (b"listpack", b"skiplist"):
        return "the reference's SORT makes every sorted set that it reads a large one"
    if name == "LPOS" and "-9223372036854775808" in command and isinstance(ours, ErrorReply):
        return "7.2 refuses the rank that has no opposite"
    if name in ("BITCOUNT", "BITPOS") and isinstance(ours, ErrorReply) and (isinstance(theirs, ErrorReply) or theirs in (0, -1)):
        return "7.2 reads the arguments before it looks at the key"
    if name == "XGROUP" and "CREATECONSUMER" in command and {ours, theirs} == {0, 1}:
        return "7.2 makes a consumer of whoever asks, also if it gets nothing"
    if name in ("XREAD", "XREADGROUP") and all("Unbalanced" in str(reply) for reply in (ours, theirs)):
        return "7.2 names the command in this text"
    if refuses_deleted_id(command, ours, theirs):
        return "7.2 refuses an id below what was deleted"
    if name == "XADD" and isinstance(ours, ErrorReply) and theirs == "ERR Elements are too large to be stored":
        return "7.0 answers with another error than the one that happened"
    return None


def same_reply(command, ours, theirs):
    ours, theirs = canonical(command, ours), canonical(command, theirs)
    return ours == theirs or explained(command, ours, theirs) is not None


def finds_more(command, ours, theirs):
    """Whether a search around a member, which may have any score, found more than the reference did."""
    name = str(command[0]).upper()
    if not name.startswith("GEO") or not ("BYMEMBER" in name or "FROMMEMBER" in command) or type(ours) is not type(theirs):
        return False
    return len(ours) > len(theirs) if isinstance(ours, list) else isinstance(ours, int) and ours > theirs


def refuses_deleted_id(command, ours, theirs):
    return str(command[0]).upper() == "XSETID" and "current max_deleted_entry_id" in repr(ours) and theirs in (b"OK", "OK")


def leaves_different_data(command, ours, theirs):
    """Whether other data, which is meant to be other, is left behind: the round ends there.

    PFADD to a damaged sketch: the reference keeps the elements before the one at which it saw the damage, we keep none.
    What a search found more was stored. An XSETID that was refused changed nothing."""
    if refuses_deleted_id(command, ours, theirs):
        return True
    if isinstance(ours, int) and finds_more(command, ours, theirs):
        return True
    return str(command[0]).upper() in ("PFADD", "EXEC") and "INVALIDOBJ" in repr(ours)


# How a value of each type is read as a whole.
READERS = {
    "string": lambda key: [["GET", key]], "list": lambda key: [["LRANGE", key, "0", "-1"]], "set": lambda key: [["SMEMBERS", key]],
    "hash": lambda key: [["HGETALL", key]], "zset": lambda key: [["ZRANGE", key, "0", "-1", "WITHSCORES"]],
    "stream": lambda key: [["XRANGE", key, "-", "+"], ["XINFO", "STREAM", key, "FULL", "COUNT", "0"]],
}


def keyspace_of(connection):
    """Everything in databases 0 and 1, as a dictionary."""
    found = {}
    for db in ("0", "1"):
        connection.call("SELECT", db)
        keys = sorted(connection.call("KEYS", "*"))
        kinds = connection.call_all([["TYPE", key] for key in keys])
        reads = [READERS[kind](key) + [["TTL", key]] for key, kind in zip(keys, kinds)]
        replies = iter(connection.call_all([command for commands in reads for command in commands]))
        for key, kind, commands in zip(keys, kinds, reads):
            values = [canonical(command, next(replies)) for command in commands]
            found[(db, key)] = (kind, values[:-1], values[-1] >= 0)
    connection.call("SELECT", "0")
    return found


def shown(command):
    return " ".join(repr(w) if isinstance(w, bytes) else (w if w and " " not in w and len(w) < 80 else repr(w[:80])) for w in command)


class Tester:
    def __init__(self, larder, reference, seed, families, history_folder):
        self.history_folder = history_folder
        self.servers = [Server(larder), Server(reference)]
        self.connections = [server.connection for server in self.servers]
        self.rng = random.Random(seed)
        self.seed = seed
        self.families = families
        self.compared = 0
        self.failures = 0

    def stop(self):
        for server in self.servers:
            server.stop()

    def fail(self, history, command, ours, theirs):
        self.failures += 1
        keys = {w for w in command[1:] if isinstance(w, str) and w.rstrip("0123456789").removesuffix("_lex") in FAMILIES}
        related = [c for c in history if keys & set(w for w in c if isinstance(w, str))][-12:]
        print(f"DIFFERENT (seed {self.seed}) {shown(command)}\n  larder        {ours!r:.400}\n  redis-server  {theirs!r:.400}")
        for earlier in related:
            print(f"    before: {shown(earlier)}")
        if self.history_folder:
            path = self.history_folder / f"round-{self.seed}-{self.failures}.txt"
            path.write_text("".join(f"{words!r}\n" for words in [*history, command]))
            print(f"    the whole round: {path}")
        sys.stdout.flush()

    def both(self, commands):
        """The two replies to each command; None, and far cheaper, if nothing is to be looked at: they are the same to the byte."""
        raw = encoded(commands) + END
        for connection in self.connections:
            connection.send(raw)
        ours, theirs = (connection.receive() for connection in self.connections)
        if ours == theirs and b"-INVALIDOBJ" not in ours:
            return None
        ours, theirs = Replies(ours), Replies(theirs)
        return [(command, ours.read(), theirs.read()) for command in commands]

    def round(self):
        for connection in self.connections:
            connection.call("FLUSHALL")
        version = self.rng.choice(["2", "3"])
        # Few members are packed, or none: the large encodings are met in small sets.
        packed_max = self.rng.choice(["128", "128", "4", "0"])
        for connection in self.connections:
            connection.call("HELLO", version)
            connection.call("CONFIG", "SET", "zset-max-listpack-entries", packed_max)
        families = self.rng.sample(self.families, min(len(self.families), self.rng.randrange(1, 4)))
        if self.rng.random() < 0.7 and "generic" in self.families and "generic" not in families:
            families.append("generic")
        generator = Generator(self.rng, families)
        history = []
        while len(history) < ROUND_COMMANDS:
            batch = [generator.command() for _ in range(self.rng.randrange(1, 120))]
            if self.rng.random() < 0.1:
                batch = [["MULTI"], *batch[:20], [self.rng.choice(["EXEC", "EXEC", "DISCARD"])]]
            replies = self.both(batch)
            if replies is None:
                history.extend(batch)
                self.compared += len(batch)
                continue
            for command, ours, theirs in replies:
                if not same_reply(command, ours, theirs) and not self.same_exec(history, command, ours, theirs):
                    self.fail(history, command, ours, theirs)
                    return
                history.append(command)
                self.compared += 1
                if leaves_different_data(command, ours, theirs):
                    return
        self.compare_keyspaces(history)

    def same_exec(self, history, command, ours, theirs):
        """The replies inside a transaction, each compared as that of its own command."""
        if command != ["EXEC"] or not isinstance(ours, list) or not isinstance(theirs, list) or len(ours) != len(theirs):
            return False
        start = max(i for i, earlier in enumerate(history) if earlier == ["MULTI"])
        queued = history[start + 1:]
        # Those that were refused when they came are not among the replies; without them the count tells.
        if len(queued) != len(ours):
            return sorted(map(repr, ours)) == sorted(map(repr, theirs))
        return all(map(same_reply, queued, ours, theirs))

    def compare_keyspaces(self, history):
        ours, theirs = (keyspace_of(connection) for connection in self.connections)
        for key in sorted(set(ours) | set(theirs)):
            if not same_but_for_digits(ours.get(key), theirs.get(key)):
                self.fail(history, ["(keyspace at the end)", key[1].decode()], ours.get(key), theirs.get(key))
                return


# Kinds of rounds, run by turns; each with a generator of its own, so that a seed says the same of it whatever else is run.
ROUNDS = {
    "data": lambda tester: tester.round,
    "clients": lambda tester: Clients(tester, random.Random(f"clients {tester.seed}"), sys.modules[__name__]).round,
    "scripts": lambda tester: Scripts(tester, random.Random(f"scripts {tester.seed}"), sys.modules[__name__]).round,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larder", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float, default=80, help="of the tester's processor time: half of what the clock says")
    parser.add_argument("--commands", type=int, help="stop after so many, whatever the time")
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--rounds", nargs="+", default=list(ROUNDS), choices=list(ROUNDS))
    parser.add_argument("--history", type=pathlib.Path, help="a folder for the requests of each round that failed")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}, families {' '.join(options.families)}", flush=True)
    tester = Tester(options.larder, options.reference, seed, options.families, options.history)
    kinds = itertools.cycle([ROUNDS[name](tester) for name in options.rounds])
    rounds = 0
    started = reported = time.monotonic()
    try:
        while tester.failures < FAILURES_MAX:
            if options.commands is not None and tester.compared >= options.commands:
                break
            if options.commands is None and time.process_time() > options.seconds:
                break
            before = tester.failures
            next(kinds)()
            rounds += tester.failures == before
            if time.monotonic() - reported > 10:
                reported = time.monotonic()
                print(f"  {tester.compared} replies compared in {reported - started:.0f} s, {tester.failures} different", flush=True)
    except ConnectionError as error:
        print(f"a connection was lost: {error}; larder's exit code: {tester.servers[0].process.poll()}")
        tester.failures += 1
    finally:
        tester.stop()
    print(f"{tester.compared} replies compared, seed {seed}")
    print(f"{rounds} passed, {tester.failures} failed")
    return 1 if tester.failures else 0


if __name__ == "__main__":
    sys.exit(main())
