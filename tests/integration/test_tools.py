"""The tools that come with the server: larder-cli's views of a data set, larder-bench's ways of connecting."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import Client, Server, Skip, equal, wait_until

TOOL_SECONDS = 50


def _tool(binary, name):
    path = pathlib.Path(binary).parent / name
    if not path.exists():
        raise Skip(f"{name} is not built")
    return str(path)


def _run(tool, port, *arguments, code=0, stdin=b""):
    done = subprocess.run([tool, "-p", str(port), *arguments], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TOOL_SECONDS)
    assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{done.stdout.decode()}"
    return done.stdout.decode()


def _has(text, pattern):
    assert re.search(pattern, text, re.MULTILINE), f"no {pattern!r} in\n{text}"


def _fill(client):
    client.expect_ok("SET", "small", "abc")
    client.expect_ok("SET", "big string", "x" * 5000)
    client.call("RPUSH", "list", *range(30))
    client.call("RPUSH", "shorter", *range(10))
    client.call("SADD", "set", *range(20))
    client.call("HSET", "hash", "f", "v")
    client.call("ZADD", "zset", "1", "a", "2", "b")
    client.call("XADD", "stream", "*", "f", "v")
    for n in range(1000):
        client.call("SET", f"filler:{n}", n)


def test_cli_finds_big_keys(binary):
    cli = _tool(binary, "larder-cli")
    with Server(binary) as server, Client(server.port) as client:
        _fill(client)
        text = _run(cli, server.port, "--bigkeys")
        _has(text, r"^Sampled 1008 keys in the keyspace!$")
        _has(text, r"""^Biggest string found '"big string"' has 5000 bytes$""")
        _has(text, r"""^Biggest   list found '"list"' has 30 items$""")
        _has(text, r"^2 lists with 40 items \(00\.20% of keys, avg size 20\.00\)$")
        _has(text, r"^1 streams with 1 entries ")
        _has(text, r"^1002 strings with ")
        text = _run(cli, server.port, "--bigkeys", "--pattern", "s*")
        _has(text, r"^Sampled 4 keys in the keyspace!$")
        text = _run(cli, server.port, "--memkeys")
        _has(text, r"""^Biggest string found '"big string"' has 5\d\d\d bytes$""")
        _run(cli, server.port, "--memkeys-samples", "0")
        client.expect_ok("FLUSHALL")
        _has(_run(cli, server.port, "--bigkeys"), r"^Sampled 0 keys in the keyspace!$")


def test_cli_finds_hot_keys(binary):
    cli = _tool(binary, "larder-cli")
    with Server(binary) as server, Client(server.port) as client:
        _fill(client)
        _has(_run(cli, server.port, "--hotkeys", code=1), "LFU")
        client.expect_ok("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        for _ in range(2000):
            client.call("GET", "small")
        text = _run(cli, server.port, "--hotkeys")
        summary = text[text.index("summary"):]
        _has(summary, r"""counter: \d+\tkeyname: "small"$""")
        equal(summary.count("hot key found"), 16)


def test_cli_latency_ends_where_nobody_watches(binary):
    cli = _tool(binary, "larder-cli")
    with Server(binary) as server:
        started = time.monotonic()
        text = _run(cli, server.port, "--latency")
        assert time.monotonic() - started < 10
        _has(text, r"^\d+\.\d+ \d+\.\d+ \d+\.\d+ \d+$")
        _has(_run(cli, server.port, "--latency", "--csv", "-i", "0.1"), r"^\d+\.\d+,\d+\.\d+,\d+\.\d+,\d+$")
        equal(len(_run(cli, server.port, "-r", "2", "--latency", "-i", "0.1").splitlines()), 2)
        _has(_run(cli, server.port, "-r", "2", "--latency-history", "-i", "0.1"), r"-- 0\.\d+ seconds range$")
        _has(_run(cli, server.port, "--intrinsic-latency", "0.1"), r"^Max latency so far: \d+ microseconds\.$")


def test_cli_runs_a_script_file(binary):
    cli = _tool(binary, "larder-cli")
    with Server(binary) as server:
        path = pathlib.Path(tempfile.mkdtemp()) / "script.lua"
        path.write_text("return {KEYS[1], KEYS[2], ARGV[1], #ARGV}")
        equal(_run(cli, server.port, "--eval", str(path), "a", "b", ",", "x", "y"), "a\nb\nx\n2\n")
        path.write_text("return #KEYS")
        equal(_run(cli, server.port, "--eval", str(path)), "0\n")
        _has(_run(cli, server.port, "--eval", "/nonexistent/file", code=1), "No such file")


def test_cli_saves_the_snapshot_of_a_server_that_sends_one(binary):
    cli = _tool(binary, "larder-cli")
    with Server(binary) as server:
        _has(_run(cli, server.port, "--rdb", "-", code=1), "the server sends no snapshot")
    other = shutil.which("redis-server")
    if other is None:
        raise Skip("redis-server is not installed")
    with Server(other) as server, Client(server.port) as client:
        client.call("SET", "k", "v" * 1000)
        path = pathlib.Path(tempfile.mkdtemp()) / "copy.rdb"
        _has(_run(cli, server.port, "--rdb", str(path)), "success")
        copied = path.read_bytes()
        equal(copied[:5], b"REDIS")
        os.rename(path, pathlib.Path(server.folder) / "copy.rdb")
        with Server(binary, ["--dbfilename", "copy.rdb", "--dir", server.folder]) as reader, Client(reader.port) as c:
            equal(c.call("GET", "k"), b"v" * 1000)


def test_bench_opens_a_connection_for_each_pipeline(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server, Client(server.port) as client:
        text = _run(bench, server.port, "-k", "0", "-c", "5", "-n", "200", "-P", "2", "-q", "-r", "0", "-d", "0", "-t", "set")
        _has(text, "SET: .* requests per second")
        stats = client.call("INFO", "stats").decode()
        assert int(re.search(r"total_connections_received:(\d+)", stats)[1]) >= 100, stats
        _has(_run(bench, server.port, "-u", f"redis://127.0.0.1:{server.port}/3", "-n", "10", "-q", "SET", "k", "v"), "SET k v")
        equal(client.call("INFO", "keyspace").decode().count("db3:keys=1"), 1)


def test_bench_says_that_one_server_of_a_cluster_is_loaded(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server:
        _has(_run(bench, server.port, "--cluster", "-n", "10", "-q", "PING"), "only the server given is loaded")


def test_bench_holds_idle_connections(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server, Client(server.port) as client:
        holder = subprocess.Popen([bench, "-p", str(server.port), "-I", "-c", "20", "--duration", "30", "-3",
                                   "--enable-tracking"], stdout=subprocess.PIPE)
        try:
            equal(holder.stdout.readline(), b"20 idle connections are open\n")
            clients = client.call("INFO", "clients").decode()
            _has(clients, "^connected_clients:21\r?$")
            _has(clients, "^tracking_clients:20\r?$")
        finally:
            holder.terminate()
            holder.wait()
        equal(_run(bench, server.port, "-I", "-c", "2", "--duration", "0.1"), "2 idle connections are open\n")


def test_bench_tells_why_an_idle_connection_was_closed(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary, ["--maxclients", "5"]) as server:
        _has(_run(bench, server.port, "-I", "-c", "10", "--duration", "20", code=1),
             "^the server closed an idle connection: ERR max number of clients reached$")


def test_bench_shows_each_second_at_a_terminal(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary, ["--enable-debug-command", "yes"]) as server, Client(server.port) as client:
        ours, theirs = os.openpty()
        run = subprocess.Popen([bench, "-p", str(server.port), "--rate", "100", "--duration", "5", "PING"], stderr=theirs,
                               stdout=subprocess.DEVNULL)
        os.close(theirs)
        seen = b""
        try:
            while len(re.findall(rb"PING: ", seen)) < 2:
                seen += os.read(ours, 1000)
            client.call("DEBUG", "SLEEP", "1.2")
            while run.poll() is None:
                seen += os.read(ours, 1000)
        except OSError:  # the other end is closed
            pass
        equal(run.wait(timeout=TOOL_SECONDS), 0)
        lines = re.findall(rb"PING: (\d+) requests per second, avg ([\d.]+) ms; so far (\d+), p99 ([\d.]+) ms, (\d+) done", seen)
        os.close(ours)
        assert len(lines) >= 2, seen
        # The second in which the server slept is not averaged away.
        assert max(float(average) for _, average, *_ in lines) > 200, lines


def test_bench_holds_idle_connections_when_it_was_stopped(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server:
        holder = subprocess.Popen([bench, "-p", str(server.port), "-I", "-c", "2", "--duration", "1.5"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        equal(holder.stdout.readline(), b"2 idle connections are open\n")
        holder.send_signal(signal.SIGSTOP)
        state = pathlib.Path(f"/proc/{holder.pid}/stat")
        wait_until(lambda: state.read_text().rsplit(") ", 1)[1].startswith("T"), TOOL_SECONDS, "the stop")
        holder.send_signal(signal.SIGCONT)
        out, _ = holder.communicate(timeout=TOOL_SECONDS)
        equal(out, b"")
        equal(holder.returncode, 0)


def test_bench_counts_the_pause_behind_the_last_request_of_a_rate(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server:
        for more in (["-n", "2"], ["-n", "2", "--threads", "2"], ["--duration", "1"]):
            done = json.loads(_run(bench, server.port, "--rate", "2", "--json", *more, "PING"))
            equal(done["requests"], 2)
            assert done["rps"] <= 2.01 and done["seconds"] >= 1, done


def test_bench_counts_all_that_is_due_behind_the_warm_up(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server:
        for threads in ("1", "3"):
            _has(_run(bench, server.port, "-n", "6", "--warmup", "0.2", "--rate", "5000", "--threads", threads, "PING"),
                 "^  6 requests completed")


def test_bench_shows_what_it_has_when_it_is_interrupted(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server, Client(server.port) as client:
        for more in ([], ["--rate", "1000"]):
            client.call("CONFIG", "RESETSTAT")
            run = subprocess.Popen([bench, "-p", str(server.port), "--duration", "40", "--json", *more, "PING"],
                                   stdout=subprocess.PIPE)
            until = time.monotonic() + TOOL_SECONDS / 2
            while not re.search(r"cmdstat_ping:calls=\d{3}", client.call("INFO", "commandstats").decode()):
                assert time.monotonic() < until
            run.send_signal(signal.SIGINT)
            out, _ = run.communicate(timeout=TOOL_SECONDS)
            equal(run.returncode, 130)
            assert json.loads(out)["requests"] >= 50 and json.loads(out)["unsent"] == 0, out


def _answer_once(listener):
    """Answers the first PING of each connection, and nothing more."""
    held = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        held.append(connection)
        threading.Thread(target=lambda one: (one.recv(65536), one.sendall(b"+PONG\r\n")), args=(connection,), daemon=True).start()


def test_bench_shows_what_it_has_of_a_server_that_stands_still(binary):
    bench = _tool(binary, "larder-bench")
    for more in (["--threads", "2"], ["--rate", "1000"]):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=_answer_once, args=(listener,), daemon=True).start()
            run = subprocess.Popen([bench, "-p", str(listener.getsockname()[1]), "-c", "4", "--json", *more, "PING"],
                                   stdout=subprocess.PIPE)
            time.sleep(1)  # that it waits by now cannot be seen from outside
            began = time.monotonic()
            run.send_signal(signal.SIGINT)
            out, _ = run.communicate(timeout=TOOL_SECONDS)
            equal((run.returncode, json.loads(out)["requests"]), (130, 4))
            assert time.monotonic() - began < 20


def test_bench_says_so_when_its_output_is_lost(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server, open("/dev/full", "wb") as full:
        done = subprocess.run([bench, "-p", str(server.port), "-n", "10", "--csv", "PING"], stdout=full, timeout=TOOL_SECONDS)
        equal(done.returncode, 1)
        for arguments in (["--compare", f"a=127.0.0.1:{server.port}", "--rounds", "1", "-n", "10", "PING"], ["--help"]):
            done = subprocess.run([bench, *arguments], stdout=full, timeout=TOOL_SECONDS)
            equal(done.returncode, 1)


def test_bench_shows_the_comparison_as_far_as_it_got(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server, Client(server.port) as client:
        run = subprocess.Popen([bench, "--compare", f"a=127.0.0.1:{server.port}", f"b=127.0.0.1:{server.port}", "--duration", "40",
                                "--json", "PING"], stdout=subprocess.PIPE)
        wait_until(lambda: re.search(r"cmdstat_ping:calls=\d{3}", client.call("INFO", "commandstats").decode()),
                   TOOL_SECONDS / 2, "the load")
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=TOOL_SECONDS)
        equal(run.returncode, 130)
        first, second = map(json.loads, out.splitlines())
        assert first["requests"] >= 50, out
        equal(second["requests"], 0)


def test_bench_compares_all_requests_and_says_what_was_not_answered(binary):
    bench = _tool(binary, "larder-bench")
    with Server(binary) as server:
        both = ["--compare", f"a=127.0.0.1:{server.port}", f"b=127.0.0.1:{server.port}"]
        for requests, rounds in (("100", "3"), ("2", "3")):
            for line in _run(bench, server.port, *both, "-n", requests, "--rounds", rounds, "--json", "GET", "k").splitlines():
                done = json.loads(line)
                equal((done["requests"], done["nulls"], done["unsent"]), (int(requests), int(requests), 0))
        text = _run(bench, server.port, *both, "--duration", "0.1", "--rounds", "1", "--rate", "100000000", "GET", "k")
        for name in "ab":
            _has(text, rf"^  {name}: \d+ replies were null$")
            _has(text, rf"^  {name}: \d+ requests that were due were not sent: ")


def _serve_counting(listener, served):
    """Answers PING, and INFO with a microsecond of processor time for each of them."""
    def serve(connection):
        with connection:
            while received := connection.recv(65536):
                if b"INFO" in received:
                    text = b"used_cpu_sys:0.0\r\nused_cpu_user:%.6f\r\n" % (served[0] / 1e6)
                    connection.sendall(b"$%d\r\n%s\r\n" % (len(text), text))
                else:
                    served[0] += received.count(b"PING")
                    connection.sendall(b"+PONG\r\n" * received.count(b"PING"))
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def test_bench_leaves_the_warm_up_out_of_the_processor_time(binary):
    bench = _tool(binary, "larder-bench")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve_counting, args=(listener, [0]), daemon=True).start()
        port = listener.getsockname()[1]
        done = json.loads(_run(bench, port, "--compare", f"one=127.0.0.1:{port}", "--rounds", "1", "-c", "1", "--warmup",
                               "0.6", "--duration", "0.3", "--json", "PING"))
        assert 0.9 <= done["cpu_us_per_request"] <= 1.1, done
