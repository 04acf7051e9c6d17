"""What tests against a real server binary share: a server process on a free loopback
port with a folder of its own, and a plain RESP client over a socket.

Standard library only. The command line is redis-server's, so every test can run
against another server of the same family, to tell a wrong test from a wrong server.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEFAULT_SERVER = ROOT / "build" / "release" / "bin" / "larder-server"
START_SECONDS = 30  # a sanitized binary on a loaded machine
STOP_SECONDS = 20


class ReplyError(Exception):
    """An error reply of the server; str() is its text with the code."""


class Closed(Exception):
    """The server closed the connection where a reply was due."""


class Skip(Exception):
    """A test cannot run on this machine; str() says why."""


class Push(list):
    """An out-of-band message of RESP3."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server. `args` follow the ones that keep it on loopback and off the disk."""

    def __init__(self, binary, args=(), port=None, stdin=None, ready=True):
        self.binary = str(binary)
        self.args = [str(a) for a in args]
        self.port = free_port() if port is None else port
        self.folder = tempfile.mkdtemp(prefix="larder-test-")
        self._stdin = stdin
        self.process = None
        if ready:
            self.restart()

    def command(self):
        return [self.binary, "--port", str(self.port), "--save", "", "--bind", "127.0.0.1",
                "--dir", self.folder, *self.args]

    def restart(self):
        self.spawn(self.command())
        self.wait_ready()

    def spawn(self, command):
        self._lines = []
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE if self._stdin is not None else subprocess.DEVNULL)
        if self._stdin is not None:
            self.process.stdin.write(self._stdin)
            self.process.stdin.close()
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()

    def _read_output(self):
        # Its own, not those of the process that a restart puts in their place meanwhile.
        output, lines, ready = self.process.stdout, self._lines, self._ready
        for line in output:
            lines.append(line.decode(errors="replace"))
            if b"Ready to accept connections" in line:
                ready.set()
        output.close()

    def wait_ready(self):
        until = time.monotonic() + START_SECONDS
        while not self._ready.wait(0.05):
            if self.process.poll() is not None:
                self._reader.join(5)
                raise AssertionError(f"the server stopped at its start ({self.process.returncode}):\n{self.output()}")
            if time.monotonic() > until:
                self.kill()
                raise AssertionError(f"the server was not ready in time:\n{self.output()}")

    def output(self):
        return "".join(self._lines)

    def alive(self):
        return self.process.poll() is None

    def wait(self, seconds=STOP_SECONDS):
        """Exit code of the process, which must end by itself in `seconds`."""
        code = self.process.wait(timeout=seconds)
        self._reader.join(5)
        return code

    def stop(self, with_signal=signal.SIGTERM):
        if self.alive():
            self.process.send_signal(with_signal)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server did not stop in time after its signal")

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    """One connection. Requests go out as arrays; replies come back as Python values:
    bytes for strings, int, float, bool, None, list, dict, set, and Push for pushes.
    An error reply inside an array is a ReplyError value; at the top level it is raised."""

    def __init__(self, address, seconds=20):
        if isinstance(address, int):
            self.socket = socket.create_connection(("127.0.0.1", address), timeout=seconds)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        elif isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout=seconds)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(seconds)
            self.socket.connect(str(address))
        self._buffer = bytearray()
        self._at = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    @staticmethod
    def encode(*args):
        parts = [b"*%d\r\n" % len(args)]
        for arg in args:
            raw = arg if isinstance(arg, bytes) else str(arg).encode()
            parts += [b"$%d\r\n" % len(raw), raw, b"\r\n"]
        return b"".join(parts)

    def send(self, *args):
        self.socket.sendall(self.encode(*args))

    def send_raw(self, raw):
        self.socket.sendall(raw)

    def call(self, *args):
        self.send(*args)
        return self.read()

    def expect_ok(self, *args):
        reply = self.call(*args)
        if reply != b"OK":
            raise AssertionError(f"{args}: {reply!r} is not OK")

    def error(self, *args):
        """Text of the error that this request must be answered with."""
        try:
            reply = self.call(*args)
        except ReplyError as why:
            return str(why)
        raise AssertionError(f"{args}: {reply!r} is not an error")

    def read(self):
        reply = self._value()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def read_to_close(self):
        """Every byte until the server closes; a reset counts as a close."""
        rest = bytes(self._buffer[self._at:])
        self._buffer, self._at = bytearray(), 0
        try:
            while True:
                piece = self.socket.recv(1 << 20)
                if not piece:
                    return rest
                rest += piece
        except ConnectionResetError:
            return rest

    def _fill(self):
        try:
            piece = self.socket.recv(1 << 20)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Closed("the server closed the connection")
        if self._at > 1 << 20:
            del self._buffer[:self._at]
            self._at = 0
        self._buffer += piece

    def _line(self):
        while True:
            end = self._buffer.find(b"\r\n", self._at)
            if end >= 0:
                line = bytes(self._buffer[self._at:end])
                self._at = end + 2
                return line
            self._fill()

    def _bytes(self, count):
        while len(self._buffer) - self._at < count + 2:
            self._fill()
        value = bytes(self._buffer[self._at:self._at + count])
        self._at += count + 2
        return value

    def _value(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest.decode(errors="replace"))
        if kind in b":(":
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"_":
            return None
        if kind in b"$=!":
            if rest == b"-1":
                return None
            value = self._bytes(int(rest))
            return ReplyError(value.decode()) if kind == b"!" else value
        if kind in b"*~>":
            if rest == b"-1":
                return None
            items = [self._value() for _ in range(int(rest))]
            return Push(items) if kind == b">" else items
        if kind == b"%":
            return {self._value(): self._value() for _ in range(int(rest))}
        raise AssertionError(f"no reply starts like {line!r}")


def slow(test):
    """Marks a test that `run.py --fast` leaves out."""
    test.slow = True
    return test


def limit(seconds):
    """Gives a test another time limit than the usual one."""
    def mark(test):
        test.limit_seconds = seconds
        return test
    return mark


def raises_closed(action, what):
    """Requires that the connection is closed, or reset, where `action` needs it open."""
    try:
        reply = action()
    except (Closed, ConnectionResetError, BrokenPipeError):
        return
    raise AssertionError(f"{what}: got {reply!r} instead of a close")


def wait_until(condition, seconds=10, what="the condition"):
    """Polls until `condition()` is true: for what another process does in its own time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come true in {seconds} seconds")
        time.sleep(0.01)


class Stopwatch:
    """The time since it was made, less what the server and this test waited for a processor meanwhile: a bound on it is
    one on what the server does, on a loaded machine as on a quiet one."""

    def __init__(self, server):
        self._processes = (server.process.pid, os.getpid())
        self._queued = self._queued_seconds()
        self._began = time.monotonic()

    def seconds(self):
        return time.monotonic() - self._began - (self._queued_seconds() - self._queued)

    def _queued_seconds(self):
        seconds = 0.0
        for process in self._processes:
            try:
                with open(f"/proc/{process}/schedstat", encoding="ascii") as text:
                    seconds += int(text.read().split()[1]) / 1e9
            except OSError:  # a kernel that does not count this
                pass
        return seconds


def equal(seen, expected):
    if seen != expected:
        raise AssertionError(f"{str(seen)[:400]!r} is not {str(expected)[:400]!r}")


def file_mode(path):
    return os.stat(path).st_mode & 0o777
