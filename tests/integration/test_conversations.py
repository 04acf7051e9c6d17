"""What one client does to others over real sockets: slow subscribers and monitors, clients
that go while they wait, notifications at the deadline."""

import socket
import time

from harness import Client, Server, equal, wait_until

LIMITS = ["--client-output-buffer-limit", "pubsub", "1mb", "256kb", "1"]
HARD_BYTES = 1 << 20


class SlowClient(Client):
    """A client whose socket takes little, so that what it does not read stays with the server."""

    def __init__(self, port):
        super().__init__(port)
        self.socket.close()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))


def figure(client, section, name):
    for line in client.call("INFO", section).decode().splitlines():
        if line.startswith(name + ":"):
            return int(line.split(":")[1])
    raise AssertionError(f"INFO {section} has no {name}")


def owed_to(client, client_id):
    line = client.call("CLIENT", "LIST", "ID", client_id).decode()
    return int(line.split(" omem=")[1].split(" ")[0]) if line else None


def slow_subscriber(server, *topics):
    slow = SlowClient(server.port)
    client_id = slow.call("CLIENT", "ID")
    slow.call("SUBSCRIBE", *topics)
    return slow, client_id


def test_a_slow_subscriber_is_closed_within_one_request(binary):
    """One script publishes 64 MB: the queue is judged message by message, not at its end."""
    with Server(binary, LIMITS) as server, Client(server.port) as client, Client(server.port) as other:
        slow, client_id = slow_subscriber(server, "ch")
        before = figure(client, "memory", "used_memory")
        script = "for i = 1, 640 do redis.call('publish', 'ch', string.rep('x', 100000)) end return 'done'"
        equal(client.call("EVAL", script, 0), b"done")
        wait_until(lambda: owed_to(client, client_id) is None, what="the end of the slow subscriber")
        equal(figure(client, "stats", "client_output_buffer_limit_disconnections"), 1)
        # The highest figure that the server has seen since: far below what was published.
        peak = figure(client, "memory", "used_memory_peak")
        assert peak < before + 16 * HARD_BYTES, f"memory went from {before} to {peak}"
        equal(client.call("PUBLISH", "ch", "x"), 0)
        equal(other.call("PING"), b"PONG")
        closed = f"Client id={client_id} "
        wait_until(lambda: closed in server.output() and "output buffer limits" in server.output(), what="a line of the log")
        slow.close()


def test_a_subscriber_over_its_soft_limit_has_a_second(binary):
    with Server(binary, LIMITS) as server, Client(server.port) as client:
        slow, client_id = slow_subscriber(server, "ch")
        began = time.monotonic()
        fill_past(client, client_id, 300_000)
        wait_until(lambda: owed_to(client, client_id) is None, what="the end of the slow subscriber")
        assert time.monotonic() - began > 0.9, "closed before its time"
        slow.close()


def fill_past(client, client_id, bytes_owed):
    """Publishes until the server owes the subscriber more than this, which is below the hard limit."""
    until = time.monotonic() + 20
    while (owed_to(client, client_id) or 0) <= bytes_owed:
        client.call("PUBLISH", "ch", "x" * 20_000)
        assert time.monotonic() < until, "the subscriber's queue does not grow"


def test_a_subscriber_that_catches_up_is_forgiven(binary):
    with Server(binary, LIMITS) as server, Client(server.port) as client:
        slow, client_id = slow_subscriber(server, "ch")
        fill_past(client, client_id, 300_000)
        slow.socket.settimeout(0.5)
        try:
            while slow.socket.recv(1 << 20):
                pass
            raise AssertionError("closed while it was reading")
        except TimeoutError:
            pass
        time.sleep(1.2)
        equal(owed_to(client, client_id), 0)
        equal(client.call("PUBLISH", "ch", "still there"), 1)
        slow.close()


def test_others_do_not_wait_for_slow_subscribers(binary):
    with Server(binary, LIMITS) as server, Client(server.port) as client, Client(server.port) as reader:
        slow = [slow_subscriber(server, "ch")[0] for _ in range(5)]
        reader.call("SUBSCRIBE", "ch")
        i, left, until = 0, 6, time.monotonic() + 20
        while left > 1:
            left = client.call("PUBLISH", "ch", f"{i}:" + "x" * 20_000)
            assert reader.read()[2].startswith(b"%d:" % i)
            assert time.monotonic() < until, f"{left - 1} slow subscribers are still there"
            i += 1
        equal(figure(client, "stats", "client_output_buffer_limit_disconnections"), 5)
        for each in slow:
            each.close()


def test_a_large_fan_out_reaches_everybody_in_order(binary):
    """More subscribers than are sent to in one turn, and more messages than one write takes."""
    with Server(binary) as server, Client(server.port) as client:
        crowd = [Client(server.port) for _ in range(300)]
        for each in crowd:
            each.call("SUBSCRIBE", "ch")
        requests = b"".join(Client.encode("PUBLISH", "ch", i) for i in range(50))
        client.send_raw(requests)
        for _ in range(50):
            equal(client.read(), 300)
        for each in crowd:
            equal([int(each.read()[2]) for _ in range(50)], list(range(50)))
            each.close()
        wait_until(lambda: figure(client, "clients", "pubsub_clients") == 0, what="the end of all subscribers")


def test_a_client_that_goes_while_it_waits_takes_nothing(binary):
    with Server(binary) as server, Client(server.port) as client:
        for _ in range(20):
            waiting = Client(server.port)
            waiting.send("BLPOP", "k", 0)
            wait_until(lambda: figure(client, "clients", "blocked_clients") == 1, what="a blocked client")
            waiting.close()
            wait_until(lambda: figure(client, "clients", "blocked_clients") == 0, what="its end")
            equal(client.call("RPUSH", "k", 1), 1)
            equal(client.call("LPOP", "k"), b"1")
        equal(figure(client, "clients", "total_blocking_keys"), 0)


def test_ten_thousand_keys_expire_at_their_deadline(binary):
    with Server(binary, ["--notify-keyspace-events", "Ex"]) as server, \
            Client(server.port) as client, Client(server.port) as listener:
        listener.call("SUBSCRIBE", "__keyevent@0__:expired")
        deadline_ms = int(time.time() * 1000) + 1500
        requests = b"".join(Client.encode("SET", f"k{i}", "v", "PXAT", deadline_ms) for i in range(10_000))
        client.send_raw(requests)
        for _ in range(10_000):
            equal(client.read(), b"OK")
        equal(listener.read()[1], b"__keyevent@0__:expired")
        first_ms = time.time() * 1000 - deadline_ms
        for _ in range(9_999):
            listener.read()
        last_ms = time.time() * 1000 - deadline_ms
        # Milliseconds on a quiet machine; the bounds are for a loaded one.
        assert -1 <= first_ms < 500 and last_ms < 3000, f"events from {first_ms} to {last_ms} ms behind the deadline"
        equal(client.call("DBSIZE"), 0)


def test_the_largest_client_is_closed_for_lack_of_memory(binary):
    with Server(binary, ["--maxmemory-clients", "3mb"]) as server, Client(server.port) as client:
        client.expect_ok("CLIENT", "NO-EVICT", "ON")
        small = Client(server.port)
        small.call("SUBSCRIBE", "other")
        slow, client_id = slow_subscriber(server, "ch")
        until = time.monotonic() + 20
        while client.call("PUBLISH", "ch", "x" * 50_000) == 1:
            assert time.monotonic() < until, "the client is not closed"
        equal(figure(client, "stats", "evicted_clients"), 1)
        wait_until(lambda: f"Evicting client id={client_id} " in server.output(), what="a line of the log")
        equal(client.call("PUBLISH", "other", "x"), 1)
        slow.close()
        small.close()
