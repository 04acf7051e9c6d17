"""Connections: accepting, refusing, limiting, losing and closing them."""

import ctypes
import fcntl
import os
import re
import resource
import select
import signal
import socket
import stat
import struct
import threading
import time

from harness import Client, Server, Skip, Stopwatch, equal, limit, slow, wait_until


CLONE_NEWNET = 0x40000000  # <linux/sched.h>


def reset(client):
    """Closes with a TCP reset instead of an orderly end."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def info(client, field, section="everything"):
    for line in client.call("INFO", section).decode().split("\r\n"):
        if line.startswith(field + ":"):
            return line.split(":", 1)[1]
    raise AssertionError(f"INFO has no {field}")


def test_maxclients_refuses_with_its_text(binary):
    with Server(binary, ["--maxclients", 3]) as server:
        held = [Client(server.port) for _ in range(3)]
        for client in held:
            equal(client.call("PING"), b"PONG")
        refused = Client(server.port)
        equal(refused.read_to_close(), b"-ERR max number of clients reached\r\n")
        equal(held[0].call("PING"), b"PONG")
        equal(info(held[0], "rejected_connections"), "1")
        held.pop().close()
        wait_until(lambda: info(held[0], "connected_clients") == "2")
        with Client(server.port) as again:
            equal(again.call("PING"), b"PONG")


def test_maxclients_can_be_raised_at_run_time(binary):
    with Server(binary, ["--maxclients", 1]) as server, Client(server.port) as first:
        equal(first.call("PING"), b"PONG")
        equal(Client(server.port).read_to_close(), b"-ERR max number of clients reached\r\n")
        first.expect_ok("CONFIG", "SET", "maxclients", 50)
        with Client(server.port) as second:
            equal(second.call("PING"), b"PONG")


def test_timeout_closes_idle_clients_only(binary):
    with Server(binary, ["--timeout", 1]) as server:
        idle, busy = Client(server.port), Client(server.port)
        equal(idle.call("PING"), b"PONG")
        until = time.monotonic() + 4
        while time.monotonic() < until:
            equal(busy.call("PING"), b"PONG")
            time.sleep(0.2)
        equal(idle.read_to_close(), b"")
        equal(busy.call("PING"), b"PONG")


def test_timeout_zero_keeps_idle_clients(binary):
    with Server(binary) as server, Client(server.port) as client:
        equal(client.call("CONFIG", "GET", "timeout"), [b"timeout", b"0"])
        time.sleep(1.5)
        equal(client.call("PING"), b"PONG")


def test_protected_mode_text(binary):
    # Only a connection from an address that is not loopback is refused, so this one
    # happens in a network namespace of the test's own, on an address that exists there alone.
    _enter_network_namespace("10.99.0.1")
    with Server(binary, ["--bind", "*", "--protected-mode", "yes"]) as server:
        with Client(server.port) as local:
            equal(local.call("PING"), b"PONG")
        refused = Client(("10.99.0.1", server.port)).read_to_close()
        # A server may say its own name here; nothing reads it but people.
        text = rb"-DENIED \w+ is running in protected mode because protected mode is enabled"
        equal(bool(re.match(text, refused)), True)
        equal(refused[-2:], b"\r\n")
        equal(refused.count(b"\n"), 1)
        with Client(server.port) as local:
            local.expect_ok("CONFIG", "SET", "protected-mode", "no")
        with Client(("10.99.0.1", server.port)) as remote:
            equal(remote.call("PING"), b"PONG")


def _enter_network_namespace(address):
    """Moves this process into a new network namespace whose loopback also has `address`."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise Skip("needs root, to make a network namespace for itself")
    set_address, set_flags, up = 0x8916, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, set_flags, struct.pack("16sh22x", b"lo", up))
        family = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(control, set_address, struct.pack("16s16s8x", b"lo:1", family))


def test_unix_socket_and_its_permissions(binary):
    with Server(binary, ready=False) as server:
        path = os.path.join(server.folder, "s.sock")
        server.args = ["--unixsocket", path, "--unixsocketperm", "700"]
        server.restart()
        equal(stat.S_ISSOCK(os.stat(path).st_mode), True)
        equal(os.stat(path).st_mode & 0o777, 0o700)
        with Client(path) as local, Client(server.port) as remote:
            local.expect_ok("SET", "k", "through a socket file")
            equal(remote.call("GET", "k"), b"through a socket file")
            assert b"addr=" + path.encode() in local.call("CLIENT", "INFO")
        equal(server.stop(), 0)
        equal(os.path.exists(path), False)


def answers(address):
    try:
        with Client(address) as client:
            return client.call("PING") == b"PONG"
    except OSError:
        return False


def test_unix_socket_without_tcp(binary):
    with Server(binary, port=0, ready=False) as server:
        path = os.path.join(server.folder, "only.sock")
        server.args = ["--unixsocket", path]
        server.spawn(server.command())
        # Without a port the reference says that it is ready on the socket file instead.
        wait_until(lambda: answers(path), what="an answer on the socket file")


def test_bind_of_several_addresses(binary):
    with Server(binary, ["--bind", "127.0.0.1", "127.0.0.3"]) as server:
        for address in ("127.0.0.1", "127.0.0.3"):
            with Client((address, server.port)) as client:
                equal(client.call("PING"), b"PONG")
        try:
            Client(("127.0.0.2", server.port)).close()
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("an address that was not asked for is served")


def test_bind_skips_an_optional_address(binary):
    # A leading minus: an address that this machine does not have is no reason to stop.
    with Server(binary, ["--bind", "127.0.0.1", "-192.0.2.77"]) as server:
        with Client(server.port) as client:
            equal(client.call("PING"), b"PONG")


def test_busy_port_stops_the_start(binary):
    with Server(binary) as first, Server(binary, port=first.port, ready=False) as second:
        second.spawn(second.command())
        equal(second.wait(), 1)
        assert "Address already in use" in second.output(), second.output()


def test_sigterm_and_sigint_stop_with_exit_code_0(binary):
    for which in (signal.SIGTERM, signal.SIGINT):
        with Server(binary) as server:
            client = Client(server.port)
            equal(client.call("PING"), b"PONG")
            equal(server.stop(which), 0)
            equal(client.read_to_close(), b"")


def test_half_closed_socket_gets_large_replies(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(client.encode("SET", "k", "v" * 100000) + client.encode("GET", "k") * 50)
        client.socket.shutdown(socket.SHUT_WR)
        seen = client.read_to_close()
        expected = b"+OK\r\n" + (b"$100000\r\n" + b"v" * 100000 + b"\r\n") * 50
        equal(expected.startswith(seen) and len(seen) >= 5, True)
        with Client(server.port) as other:
            equal(other.call("STRLEN", "k"), 100000)
            # The reference gives up at the end of input what its first write did not take.
            if b"larder_version:" in other.call("INFO", "server"):
                equal(len(seen), len(expected))


def test_half_closed_socket_gets_a_short_reply(binary):
    with Server(binary) as server:
        for _ in range(50):
            with Client(server.port) as client:
                client.send_raw(client.encode("PING") + client.encode("ECHO", "bye"))
                client.socket.shutdown(socket.SHUT_WR)
                equal(client.read_to_close(), b"+PONG\r\n$3\r\nbye\r\n")


def test_reset_in_mid_request_leaves_the_server_healthy(binary):
    with Server(binary) as server:
        beginnings = [b"*", b"*3\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nhalf", b"SET k ",
                      b"*2\r\n$3\r\nGET\r\n$1\r\n", b"\r\n\r\n*1\r\n$4\r\nPI"]
        for raw in beginnings * 20:
            client = Client(server.port)
            client.send_raw(raw)
            reset(client)
        # And while a large reply is on its way.
        with Client(server.port) as setup:
            setup.expect_ok("SET", "big", b"x" * 4000000)
        for _ in range(10):
            client = Client(server.port)
            client.send_raw(client.encode("GET", "big") * 4)
            client.socket.recv(10)
            reset(client)
        with Client(server.port) as client:
            equal(client.call("PING"), b"PONG")
            equal(client.call("EXISTS", "k"), 0)
            wait_until(lambda: info(client, "connected_clients") == "1", what="only one client")


def accept_storm(binary, count, max_clients):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 200:
        raise Skip(f"{count} connections need more than the {hard} open files allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 2000)), hard))
    with Server(binary, ["--maxclients", max_clients]) as server:
        sockets = []
        try:
            for _ in range(count):
                one = socket.create_connection(("127.0.0.1", server.port), timeout=20)
                one.sendall(b"*1\r\n$4\r\nPING\r\n")
                sockets.append(one)
            for one in sockets:
                seen = b""
                while len(seen) < 7:
                    piece = one.recv(7 - len(seen))
                    if not piece:
                        raise AssertionError("a connection of the storm was closed")
                    seen += piece
                equal(seen, b"+PONG\r\n")
            with Client(server.port) as client:
                equal(int(info(client, "connected_clients")), count + 1)
        finally:
            for one in sockets:
                one.close()
        with Client(server.port) as client:
            wait_until(lambda: info(client, "connected_clients") == "1", 20, "the storm's end")
        equal(server.stop(), 0)


def test_accept_storm_of_1000(binary):
    accept_storm(binary, 1000, 2000)


@slow
@limit(120)
def test_accept_storm_of_10000(binary):
    accept_storm(binary, 10000, 12000)


def test_parallel_connects_and_closes(binary):
    with Server(binary) as server:
        errors = []

        def work():
            try:
                for i in range(100):
                    with Client(server.port) as client:
                        equal(client.call("INCR", "visits") > 0, True)
                        if i % 3 == 0:
                            reset(client)
            except Exception as why:
                errors.append(why)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(errors, [])
        with Client(server.port) as client:
            equal(client.call("GET", "visits"), b"800")


def slow_reader(server, value_bytes, requests):
    """Asks for much and reads nothing; returns the connection."""
    with Client(server.port) as setup:
        setup.expect_ok("SET", "big", b"x" * value_bytes)
    client = Client(server.port)
    client.call("CLIENT", "SETNAME", "slow-reader")
    client.send_raw(client.encode("GET", "big") * requests)
    return client


def test_output_buffer_hard_limit_closes_a_slow_reader(binary):
    arguments = ["--client-output-buffer-limit", "normal", "20mb", "0", "0"]
    with Server(binary, arguments) as server, Client(server.port) as watcher:
        reader = slow_reader(server, 1000000, 100)
        wait_until(lambda: b"slow-reader" not in watcher.call("CLIENT", "LIST"), 20,
                   "the slow reader's close")
        rest = reader.read_to_close()
        equal(len(rest) < 100 * 1000000, True)
        equal(watcher.call("PING"), b"PONG")


def test_output_buffer_soft_limit_closes_after_its_time(binary):
    arguments = ["--client-output-buffer-limit", "normal", "0", "5mb", "1"]
    with Server(binary, arguments) as server, Client(server.port) as watcher:
        began = time.monotonic()
        reader = slow_reader(server, 1000000, 40)
        equal(b"slow-reader" in watcher.call("CLIENT", "LIST"), True)
        wait_until(lambda: b"slow-reader" not in watcher.call("CLIENT", "LIST"), 20,
                   "the slow reader's close")
        equal(time.monotonic() - began > 0.9, True)
        equal(len(reader.read_to_close()) < 40 * 1000000, True)


def test_slow_reader_without_a_limit_gets_everything(binary):
    with Server(binary) as server:
        reader = slow_reader(server, 1000000, 60)
        with Client(server.port) as other:
            for _ in range(200):
                equal(other.call("PING"), b"PONG")
        time.sleep(0.3)
        for _ in range(60):
            equal(len(reader.read()), 1000000)


def test_large_pipeline_does_not_starve_others(binary):
    with Server(binary) as server:
        greedy = Client(server.port)
        batch = greedy.encode("SET", "k", "v" * 50) * 20000
        stop = threading.Event()

        def drain():
            while not stop.is_set():
                if select.select([greedy.socket], [], [], 0.05)[0]:
                    greedy.socket.recv(1 << 20)

        drainer = threading.Thread(target=drain)
        writer = threading.Thread(target=lambda: [greedy.socket.sendall(batch) for _ in range(10)])
        drainer.start()
        writer.start()
        with Client(server.port) as polite:
            longest = 0.0
            while writer.is_alive():
                watch = Stopwatch(server)
                equal(polite.call("PING"), b"PONG")
                longest = max(longest, watch.seconds())
        writer.join()
        stop.set()
        drainer.join()
        # A shared machine adds tens of milliseconds of its own; being starved costs seconds.
        equal(longest < 1.0, True)


@limit(60)
def test_large_values_arrive_among_small_requests(binary):
    """Large values come behind small requests in a tick: neither keeps the others from their turn, and nothing is mixed up."""
    with Server(binary) as server:
        failures = []
        done = threading.Event()

        def store(number):
            value = bytes([65 + number]) * 4_000_000
            with Client(server.port) as client:
                for round_ in range(3):
                    client.send("SET", f"large:{number}", value)
                    client.send("STRLEN", f"large:{number}")
                    if client.read() != b"OK" or client.read() != len(value):
                        failures.append(f"value {number}, round {round_}")
                if client.call("GET", f"large:{number}") != value:
                    failures.append(f"value {number} is not what was sent")

        def ask(number):
            with Client(server.port) as client:
                while not done.is_set():
                    for _ in range(500):
                        client.send("INCR", f"count:{number}")
                    before = client.read()
                    for i in range(1, 500):
                        if client.read() != before + i:
                            failures.append(f"client {number}: a reply out of order")

        small = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        large = [threading.Thread(target=store, args=(number,)) for number in range(6)]
        for thread in small + large:
            thread.start()
        for thread in large:
            thread.join()
        done.set()
        for thread in small:
            thread.join()
        equal(failures, [])


def test_tcp_keepalive_is_accepted(binary):
    with Server(binary, ["--tcp-keepalive", 60]) as server, Client(server.port) as client:
        equal(client.call("CONFIG", "GET", "tcp-keepalive"), [b"tcp-keepalive", b"60"])


def test_requirepass(binary):
    with Server(binary, ["--requirepass", "open sesame"]) as server:
        with Client(server.port) as client:
            equal(client.error("GET", "k"), "NOAUTH Authentication required.")
            equal(client.error("AUTH", "wrong"),
                  "WRONGPASS invalid username-password pair or user is disabled.")
            client.expect_ok("AUTH", "open sesame")
            equal(client.call("GET", "k"), None)
        with Client(server.port) as client:
            hello = client.call("HELLO", 3, "AUTH", "default", "open sesame")
            equal(hello[b"proto"], 3)


def test_quit_answers_and_closes(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(client.encode("QUIT") + client.encode("SET", "after", "quit"))
        equal(client.read_to_close(), b"+OK\r\n")
        with Client(server.port) as other:
            equal(other.call("EXISTS", "after"), 0)


def test_closed_connections_are_really_gone(binary):
    with Server(binary) as server, Client(server.port) as watcher:
        watcher.call("PING")  # it is accepted
        before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        held = [Client(server.port) for _ in range(200)]
        for client in held:
            equal(client.call("PING"), b"PONG")
            client.close()
        wait_until(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) <= before,
                   what="the files of 200 closed connections")
        equal(watcher.call("PING"), b"PONG")
