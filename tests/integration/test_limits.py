"""What a client can make the server hold or do: bounded in memory, in time, in attention."""

import os
import shutil
import signal
import socket
import time

from harness import Client, Server, Skip, equal, limit, raises_closed, slow, wait_until


def status_number(server, field):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise AssertionError(f"the process status has no {field}")


def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_larder(client):
    return b"larder_version:" in client.call("INFO", "server")


def test_connections_without_a_request_leave_nothing_behind(binary):
    with Server(binary) as server:
        before_kb = status_number(server, "VmSize")
        for _ in range(4000):
            socket.create_connection(("127.0.0.1", server.port)).close()
        time.sleep(0.2)
        # No request here: that would let the server clean up.
        equal(status_number(server, "VmSize") - before_kb < 32 * 1024, True)


def test_running_out_of_descriptors_is_no_busy_loop(binary):
    if not shutil.which("prlimit"):
        raise Skip("needs prlimit")
    with Server(binary) as server, Client(server.port) as watcher:
        if not is_larder(watcher):
            raise Skip("the reference tries again without a pause")
        used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        os.system(f"prlimit --pid {server.process.pid} --nofile={used + 5}:{used + 5}")
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
        time.sleep(0.3)
        before = cpu_seconds(server)
        time.sleep(1)
        equal(cpu_seconds(server) - before < 0.2, True)
        equal(watcher.call("PING"), b"PONG")
        for one in waiting:
            one.close()
        with Client(server.port) as late:
            equal(late.call("PING"), b"PONG")


def test_an_idle_server_sleeps(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.expect_ok("SET", "k", "v")
        time.sleep(0.3)
        began, before = time.monotonic(), status_number(server, "voluntary_ctxt_switches")
        time.sleep(2)
        # The slow periodic work wakes it 10 times a second.
        switches = status_number(server, "voluntary_ctxt_switches") - before
        equal(switches < 50 * (time.monotonic() - began), True)
        # It still notices what falls due.
        client.expect_ok("SET", "soon", "v", "PX", 100)
        wait_until(lambda: client.call("DBSIZE") == 1, 5, "the expiry of a key that nobody asks for")
        began = time.monotonic()
        client.expect_ok("CLIENT", "PAUSE", 200)
        equal(client.call("GET", "k"), b"v")
        equal(0.15 < time.monotonic() - began < 5, True)


def test_the_time_of_the_loop_is_more_than_that_of_its_commands(binary):
    with Server(binary) as server, Client(server.port) as client:
        if not is_larder(client):
            raise Skip("redis-server 7.0 does not tell")
        for _ in range(2000):
            client.call("PING")
        fields = dict(line.split(":", 1) for line in client.call("INFO", "stats").decode().split("\r\n") if ":" in line)
        commands_us = int(fields["eventloop_duration_cmd_sum"])
        # Receiving and sending, one request at a time, takes longer than a PING.
        assert 0 < 2 * commands_us < int(fields["eventloop_duration_sum"]), fields


def test_watch_of_many_keys_is_not_quadratic(binary):
    with Server(binary) as server, Client(server.port) as client:
        if not is_larder(client):
            raise Skip("the reference looks through the list of watched keys for each of them")
        keys = [f"key:{i}" for i in range(50000)]
        before = cpu_seconds(server)
        client.expect_ok("WATCH", *keys)
        client.expect_ok("WATCH", *keys)
        equal(cpu_seconds(server) - before < 2, True)
        client.expect_ok("SET", "key:49999", "changed")
        client.expect_ok("MULTI")
        equal(client.call("EXEC"), None)


def test_queued_transactions_count_as_input(binary):
    with Server(binary, ["--client-query-buffer-limit", "1mb"]) as server, Client(server.port) as client:
        client.expect_ok("MULTI")

        def queue_much():
            for _ in range(50):
                equal(client.call("SET", "k", "x" * 100000), b"QUEUED")
            return "50 queued requests"

        raises_closed(queue_much, "5 MB behind MULTI")
        with Client(server.port) as other:
            equal(other.call("EXISTS", "k"), 0)


def test_timeout_spares_a_client_that_takes_its_replies(binary):
    with Server(binary, ["--timeout", "1"]) as server:
        with Client(server.port) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.expect_ok("SET", "big", "x" * 1000000)
            client.send_raw(client.encode("GET", "big") * 30)
            expected = 30 * len(b"$1000000\r\n" + b"x" * 1000000 + b"\r\n")
            seen = 0
            while seen < expected:
                piece = client.socket.recv(250000)
                if not piece:
                    raise AssertionError(f"closed after {seen} of {expected} bytes")
                seen += len(piece)
                time.sleep(0.02)


def test_room_of_a_large_value_is_given_back(binary):
    # The value's last piece and the start of the next request are received together.
    with Server(binary) as server, Client(server.port) as client, Client(server.port) as watcher:
        if not is_larder(watcher):
            raise Skip("the reference receives in other pieces")
        client.call("CLIENT", "SETNAME", "sender")
        request = client.encode("SET", "k", b"x" * (3 * 1024 * 1024))
        client.send_raw(request[:-10000])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGSTOP)
        client.send_raw(request[-10000:] + b"*1\r\n$4\r\nPI")
        server.process.send_signal(signal.SIGCONT)
        equal(client.read(), b"OK")
        line = next(l for l in watcher.call("CLIENT", "LIST").split(b"\n") if b"name=sender" in l)
        fields = dict(f.split(b"=", 1) for f in line.split(b" "))
        equal(fields[b"qbuf"], b"10")
        equal(int(fields[b"qbuf-free"]) <= 1024 * 1024, True)
        client.send_raw(b"NG\r\n")
        equal(client.read(), b"PONG")


@slow
@limit(120)
def test_many_full_pipelines_are_not_taken_at_once(binary):
    with Server(binary) as server, Client(server.port) as watcher:
        if not is_larder(watcher):
            raise Skip("the reference does not wait for the others of a turn")
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
        server.process.send_signal(signal.SIGSTOP)
        for one in crowd:
            one.sendall(b"\r\n".join([b"PING"] * 5000) + b"\r\n")
        server.process.send_signal(signal.SIGCONT)
        for one in crowd:
            one.settimeout(60)
            left = 5000 * len(b"+PONG\r\n")
            while left > 0:
                piece = one.recv(1 << 20)
                if not piece:
                    raise AssertionError("a connection of the crowd was closed")
                left -= len(piece)
            one.close()
        # All at once is 120 MB.
        equal(status_number(server, "VmHWM") < 60 * 1024, True)


def test_the_hard_output_limit_ends_a_pipeline_of_large_replies(binary):
    count = 12
    with Server(binary, ["--client-output-buffer-limit", "normal 20mb 0 0"]) as server:
        with Client(server.port) as greedy, Client(server.port) as other:
            request = greedy.encode("EVAL", "redis.call('incr', 'n') return string.rep('x', 20000000)", 0)
            greedy.send_raw(request * count)
            greedy.read_to_close()
            assert int(other.call("GET", "n")) <= 3, other.call("GET", "n")
