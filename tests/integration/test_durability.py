"""Ending the process in the middle of work: what was acknowledged under appendfsync
always is there at the next start, whenever the process is killed.

LARDER_KILLS is the number of kills (12); the long run of 200 is by hand.
"""

import os
import random
import re
import resource
import signal
import subprocess
import threading
import time

from harness import Client, Closed, ReplyError, Server, equal, limit, wait_until

KILLS = int(os.environ.get("LARDER_KILLS", "12"))
WRITERS = 6
PIPELINE = 8
LOG = ["--appendonly", "yes"]


class Writer(threading.Thread):
    """Counts in keys of its own, on one connection, until the server is gone. acknowledged[key] is the last value that
    was answered, sent[key] the last that was sent."""

    def __init__(self, port, name, seed, acknowledged, sent):
        super().__init__(daemon=True)
        self.port, self.name_of_keys, self.random = port, name, random.Random(seed)
        self.acknowledged, self.sent = acknowledged, sent

    def run(self):
        try:
            with Client(self.port) as client:
                while True:
                    self.round(client)
        except (Closed, OSError):
            pass

    def round(self, client):
        batch = []
        for _ in range(self.random.randint(1, PIPELINE)):
            key = f"{self.name_of_keys}:{self.random.randrange(4)}"
            value = self.sent.get(key, 0) + 1
            self.sent[key] = value
            batch.append((key, value))
        for key, value in batch:
            if self.random.random() < 0.5:
                client.send("SET", key, value)
            else:
                client.send("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, key, value)
        for key, value in batch:
            equal(client.read(), b"OK")
            self.acknowledged[key] = value


def check(port, acknowledged, sent):
    with Client(port) as client:
        for key, value in acknowledged.items():
            found = int(client.call("GET", key) or 0)
            assert value <= found <= sent[key], f"{key}: {value} was acknowledged, {found} is there, {sent[key]} was sent"
        return {key: int(client.call("GET", key) or 0) for key in sent}


@limit(max(60, 3 * KILLS))
def test_kill_under_always_loses_nothing(binary):
    seed = random.randrange(1 << 30)
    print(f"     seed {seed}")
    chance = random.Random(seed)
    acknowledged, sent = {}, {}
    with Server(binary, LOG + ["--appendfsync", "always", "--auto-aof-rewrite-min-size", "64kb"]) as server:
        for _ in range(KILLS):
            writers = [Writer(server.port, f"w{i}", chance.random(), acknowledged, sent) for i in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.05, 0.5))
            server.process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.join(20)
            server.process.wait()
            server.restart()
            # What is there is what the next round goes on from.
            now = wait_loaded(server.port, acknowledged, sent)
            acknowledged.update(now)
            sent.update(now)
    print(f"     {KILLS} kills, {sum(acknowledged.values())} acknowledged writes, none lost")


def wait_loaded(port, acknowledged, sent):
    until = time.monotonic() + 20
    while True:
        try:
            return check(port, acknowledged, sent)
        except ReplyError as error:
            if not str(error).startswith("LOADING") or time.monotonic() > until:
                raise
            time.sleep(0.02)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_kill_after_a_second_of_everysec(binary):
    with Server(binary, LOG + ["--appendfsync", "everysec"]) as server:
        with Client(server.port) as client:
            client.call("SET", "k", "v")
            client.call("RPUSH", "l", "a", "b")
            # The writer gathers for 5 ms.
            path = os.path.join(server.folder, "appendonlydir", "appendonly.aof.1.incr.aof")
            wait_until(lambda: b"RPUSH" in read(path), what="the commands in the file")
        server.kill()
        server.restart()
        with Client(server.port) as client:
            equal(client.call("WAITAOF", 1, 0, 0), [1, 0])
            equal(client.call("GET", "k"), b"v")
            equal(client.call("LLEN", "l"), 2)


def test_a_torn_tail_is_cut_at_the_start_and_by_the_checker(binary):
    with Server(binary, LOG + ["--appendfsync", "always"]) as server:
        with Client(server.port) as client:
            for i in range(10):
                client.call("SET", f"k{i}", "v")
        server.kill()
        folder = os.path.join(server.folder, "appendonlydir")
        path = os.path.join(folder, "appendonly.aof.1.incr.aof")
        with open(path, "rb") as log:
            padding = re.search(rb"#{44,}\n#LE:", log.read())
        os.truncate(path, padding.start() - 5)
        manifest = os.path.join(folder, "appendonly.aof.manifest")
        checked = subprocess.run([binary, "--check-aof", manifest], stdout=subprocess.PIPE, timeout=20)
        assert checked.returncode == 1 and b"torn: " in checked.stdout, checked.stdout
        server.restart()
        with Client(server.port) as client:
            equal(client.call("DBSIZE"), 9)
        wait_until(lambda: "was cut at offset" in server.output(), what="the line about the tail")
        server.stop()
        checked = subprocess.run([binary, "--check-aof", manifest], stdout=subprocess.PIPE, timeout=20)
        equal(checked.returncode, 0)


FILE_BYTES_MAX = 300_000


def write_until_refused(client):
    """How many SETs were answered before one was refused."""
    for i in range(1000):
        try:
            client.expect_ok("SET", f"k{i}", "x" * 1000)
        except ReplyError as error:
            assert str(error).startswith("MISCONF"), error
            return i
    return 1000


def test_a_limit_of_the_size_of_files_does_not_end_the_process(binary):
    """It is an error of the disk: the log goes on in another file, or writes are refused until it can."""
    for rule in ("always", "everysec"):
        with Server(binary, LOG + ["--appendfsync", rule]) as server:
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, resource.RLIM_INFINITY))
            with Client(server.port) as client:
                answered = write_until_refused(client)
            wait_until(lambda: "Writing the append only log failed: no space" in server.output(), what="the line about the log")
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            with Client(server.port) as client:
                wait_until(lambda: b"aof_last_write_status:ok" in client.call("INFO", "persistence"), 10, "the healing")
                client.expect_ok("SET", "behind", "1")
                equal(client.call("WAITAOF", 1, 0, 0), [1, 0])
            server.kill()
            server.restart()
            with Client(server.port) as client:
                wait_until(lambda: b"\r\nloading:0" in client.call("INFO", "persistence"))
                equal(client.call("EXISTS", "behind", *[f"k{i}" for i in range(answered)]), answered + 1)


def test_a_log_that_is_turned_on_with_a_new_folder_begins_there(binary):
    with Server(binary, ["--enable-protected-configs", "yes", "--appendfsync", "always"]) as server:
        os.mkdir(os.path.join(server.folder, "new"))
        with Client(server.port) as client:
            client.expect_ok("SET", "k", "1")
            client.expect_ok("CONFIG", "SET", "appendonly", "yes", "dir", "new")
            client.expect_ok("SET", "k", "2")
            error = client.error("CONFIG", "SET", "appendonly", "no", "dir", "missing")
            assert "argument 'dir'" in error, error
            client.expect_ok("SET", "k", "3")
        server.kill()
        assert "rewriting failed" not in server.output(), server.output()
        equal(server.output().count("rewriting started"), 1)
        server.args += LOG + ["--dir", os.path.join(server.folder, "new")]
        server.restart()
        with Client(server.port) as client:
            wait_until(lambda: b"\r\nloading:0" in client.call("INFO", "persistence"))
            equal(client.call("GET", "k"), b"3")
