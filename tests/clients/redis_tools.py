"""Checks with Debian's redis-cli and redis-benchmark: what an operator types."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

STEP_SECONDS = 60


def _run(command, stdin=None):
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=STEP_SECONDS)


def _check(tally, name, body):
    try:
        body()
    except Exception as why:  # a check may fail in any way; the tally says how
        tally.fail(f"redis-tools: {name}: {type(why).__name__}: {why}")
    else:
        tally.ok(f"redis-tools: {name}")


def _equal(seen, expected):
    assert seen == expected, f"{seen!r} is not {expected!r}"


class _Terminal:
    """An interactive redis-cli on a pseudo-terminal."""

    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.environ["HOME"] = "/nonexistent"  # no history file is read or written
            os.execvp(command[0], command)

    def read_until(self, pattern, seconds=10):
        seen, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    seen += os.read(self.fd, 65536)
                except OSError:
                    break
                if re.search(pattern, seen):
                    return seen
        raise AssertionError(f"no {pattern!r} in {seen!r}")

    def type(self, text):
        os.write(self.fd, text)

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def run_all(server, tally, allow_missing):
    cli, bench = shutil.which("redis-cli"), shutil.which("redis-benchmark")
    if cli is None or bench is None:
        report = tally.skip if allow_missing else tally.fail
        report("redis-tools: redis-cli or redis-benchmark is not installed "
               "(Debian: apt-get install redis-tools)")
        return
    base = [cli, "-h", "127.0.0.1", "-p", str(server.port)]

    def out(*args, stdin=None, code=0):
        result = _run(base + list(args), stdin)
        _equal(result.returncode, code)
        return result.stdout

    def one_shot():
        _equal(out("FLUSHALL"), b"OK\n")
        _equal(out("SET", "cli:a", "v 1"), b"OK\n")
        _equal(out("GET", "cli:a"), b"v 1\n")
        _equal(out("--no-raw", "GET", "cli:a"), b'"v 1"\n')
        _equal(out("--no-raw", "GET", "cli:absent"), b"(nil)\n")
        _equal(out("--no-raw", "INCR", "cli:n"), b"(integer) 1\n")
        _equal(out("-r", "3", "INCR", "cli:n"), b"2\n3\n4\n")
        _equal(out("-x", "SET", "cli:x", stdin=b"from stdin\0"), b"OK\n")
        _equal(out("STRLEN", "cli:x"), b"11\n")
        _equal(out("-n", "3", "DBSIZE"), b"0\n")
        assert b"redis_version:" in out("INFO", "server")

    def error_reply():
        out("SET", "cli:text", "abc")
        _equal(out("INCR", "cli:text"), b"ERR value is not an integer or out of range\n\n")
        _equal(out("-e", "INCR", "cli:text", code=1).strip(),
               b"ERR value is not an integer or out of range")

    def resp3():
        lines = out("-3", "--no-raw", "CONFIG", "GET", "maxclients").decode().split("\n")
        _equal(lines[0].startswith('1# "maxclients" => "'), True)
        _equal(out("-3", "--no-raw", "GET", "cli:absent"), b"(nil)\n")
        assert b"resp=3" in out("-3", "CLIENT", "INFO")

    def stdin_script():
        _equal(out(stdin=b"SET cli:s 'a b'\nGET cli:s\n"), b"OK\na b\n")

    def pipe_mode():
        request = b"".join(
            b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$1\r\n%d\r\n" % (len(key), key, i % 10)
            for i in range(20000) for key in [b"cli:pipe:%d" % i])
        seen = out("--pipe", stdin=request)
        assert b"errors: 0, replies: 20000" in seen, seen
        _equal(out("GET", "cli:pipe:19999"), b"9\n")

    def interactive():
        terminal = _Terminal(base)
        try:
            prompt = rb"127\.0\.0\.1:%d> " % server.port
            terminal.read_until(prompt)
            terminal.type(b"SET cli:i 'two words'\r")
            terminal.read_until(rb"OK\r?\n")
            terminal.type(b"GET cli:i\r")
            terminal.read_until(rb'"two words"\r?\n')
            terminal.type(b"SELECT 5\r")
            terminal.read_until(rb"127\.0\.0\.1:%d\[5\]> " % server.port)
            terminal.type(b"NOSUCH\r")
            terminal.read_until(rb"\(error\) ERR unknown command")
            terminal.type(b"QUIT\r")
            time.sleep(0.2)
        finally:
            terminal.close()

    def scan_mode():
        _equal(len(out("--scan", "--pattern", "cli:pipe:*").split()), 20000)

    def benchmark(extra):
        def body():
            result = _run([bench, "-h", "127.0.0.1", "-p", str(server.port),
                           "-t", "ping,set,get,incr,mset", "-q", "-n", "20000"] + extra)
            text = result.stdout.decode(errors="replace").replace("\r", "\n")
            assert result.returncode == 0, f"exit code {result.returncode}: {text[-500:]}"
            for test in ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"):
                rate = re.search(rf"^{re.escape(test)}: ([\d.]+) requests per second",
                                 text, re.M)
                assert rate and float(rate.group(1)) > 0, f"no rate of {test}: {text[-500:]}"
            assert "WARNING: Could not fetch server CONFIG" not in text, text[:300]
        return body

    _check(tally, "redis-cli one-shot", one_shot)
    _check(tally, "redis-cli error replies and -e", error_reply)
    _check(tally, "redis-cli -3", resp3)
    _check(tally, "redis-cli commands on stdin", stdin_script)
    _check(tally, "redis-cli --pipe, 20,000 commands", pipe_mode)
    _check(tally, "redis-cli --scan", scan_mode)
    _check(tally, "redis-cli interactive on a terminal", interactive)
    _check(tally, "redis-benchmark", benchmark([]))
    _check(tally, "redis-benchmark, pipeline of 16, random keys", benchmark(["-P", "16", "-r", "1000"]))
