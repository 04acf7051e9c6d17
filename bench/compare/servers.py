"""Servers under measurement: started on loopback, pinned to a core, asked about, stopped by process id."""

import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time


def cpu_clock(pid: int) -> int:
    """The clock that tells the processor time of a process, of all of its threads."""
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        raise RuntimeError(f"no processor clock of process {pid}")
    return clock.value


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RespClient:
    """The few lines of RESP2 that a measurement needs: one command, one reply."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")

    @staticmethod
    def encoded(*words) -> bytes:
        raw = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in raw)

    def send(self, *words) -> None:
        self.socket.sendall(self.encoded(*words))

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest

    def call(self, *words):
        self.send(*words)
        return self.read()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Server:
    """One server process: `path` with `args`, pinned to `core` (None: to none). It has `ready_s` seconds to answer."""

    def __init__(self, name: str, path: str, core: int | None, args: list[str] | None = None, ready_s: float = 10):
        if shutil.which(path) is None:
            raise RuntimeError(f"{name}: {path} is no program that can be run")
        self.name = name
        self.port = free_port()
        self.directory = tempfile.TemporaryDirectory(prefix="larder-compare-")
        command = [*([] if core is None else ["taskset", "-c", str(core)]), path, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--dir", self.directory.name, "--maxclients", "20000", *(args or [])]
        self._log = pathlib.Path(self.directory.name) / "server.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait_until_ready(ready_s)
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, ready_s: float) -> None:
        deadline = time.monotonic() + ready_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                said = self._log.read_text(errors="replace").strip().splitlines() or [""]
                raise RuntimeError(f"{self.name} ended with exit code {self.process.returncode}: {said[-1]}")
            try:
                client = RespClient(self.port)
                client.call("PING")
                client.close()
                return
            except (OSError, RuntimeError, ValueError):
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not answer within {ready_s} s")

    def client(self) -> RespClient:
        return RespClient(self.port)

    def cpu_seconds(self) -> float:
        """User and system time of the process so far, all of its threads, in nanoseconds and not in the ticks of /proc."""
        return time.clock_gettime(cpu_clock(self.process.pid))

    def resident_bytes(self) -> int:
        return self._status_bytes("VmRSS")

    def most_resident_bytes(self) -> int:
        """At any time since the start, or since forget_most_resident()."""
        return self._status_bytes("VmHWM")

    def forget_most_resident(self) -> None:
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def _status_bytes(self, field: str) -> int:
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {field}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()
