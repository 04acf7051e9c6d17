"""Bytes on the wire: splitting, limits, malformed requests and what follows them."""

import socket
import time

from harness import Client, ReplyError, Server, equal, raises_closed


def protocol_error(server, raw, text):
    """`raw` must be answered with exactly this error, and a close."""
    client = Client(server.port)
    client.send_raw(raw)
    equal(client.read_to_close(), b"-ERR Protocol error: " + text + b"\r\n")


def test_protocol_errors_answer_and_close(binary):
    with Server(binary) as server:
        protocol_error(server, b"*2147483648\r\n", b"invalid multibulk length")
        protocol_error(server, b"*abc\r\n", b"invalid multibulk length")
        protocol_error(server, b"*1\r\n+PING\r\n", b"expected '$', got '+'")
        protocol_error(server, b"*1\r\n:1\r\n", b"expected '$', got ':'")
        protocol_error(server, b"*1\r\n$abc\r\n", b"invalid bulk length")
        protocol_error(server, b"*1\r\n$-1\r\n", b"invalid bulk length")
        protocol_error(server, b"*1\r\n$536870913\r\n", b"invalid bulk length")
        protocol_error(server, b'SET k "unbalanced\r\n', b"unbalanced quotes in request")
        protocol_error(server, b"SET k 'un\"balanced\r\n", b"unbalanced quotes in request")
        protocol_error(server, b"x" * 70000, b"too big inline request")
        protocol_error(server, b"*" + b"1" * 70000, b"too big mbulk count string")
        protocol_error(server, b"*1\r\n$" + b"1" * 70000, b"too big bulk count string")
        with Client(server.port) as client:
            equal(client.call("PING"), b"PONG")


def test_what_came_before_a_protocol_error_is_answered(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(client.encode("SET", "k", "v") + client.encode("GET", "k") + b"*x\r\n"
                        + client.encode("SET", "k", "never"))
        equal(client.read_to_close(),
              b"+OK\r\n$1\r\nv\r\n-ERR Protocol error: invalid multibulk length\r\n")
        with Client(server.port) as other:
            equal(other.call("GET", "k"), b"v")


def test_unauthenticated_limits(binary):
    with Server(binary, ["--requirepass", "p"]) as server:
        protocol_error(server, b"*11\r\n", b"unauthenticated multibulk length")
        protocol_error(server, b"*2\r\n$16385\r\n", b"unauthenticated bulk length")
        with Client(server.port) as client:
            client.expect_ok("AUTH", "p")
            client.expect_ok("SET", "k", "v" * 20000)


def test_empty_requests_are_ignored(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(b"\r\n\r\n*0\r\n*-1\r\n   \r\nPING\r\n")
        equal(client.read(), b"PONG")


def test_inline_commands(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(b"PING\r\n")
        equal(client.read(), b"PONG")
        client.send_raw(b"SET k 'it\\'s' \n")
        equal(client.read(), b"OK")
        client.send_raw(b"get k\n")
        equal(client.read(), b"it's")
        client.send_raw(b'SET k "a\\x00\\n\\t\\"b" \r\n')
        equal(client.read(), b"OK")
        equal(client.call("GET", "k"), b'a\0\n\t"b')
        client.send_raw(b'ECHO ""\r\n')
        equal(client.read(), b"")
        client.send_raw(b"ECHO " + b"y" * 60000 + b"\r\n")
        equal(client.read(), b"y" * 60000)
        client.send_raw(b"NOSUCH a b\r\n")
        try:
            raise AssertionError(client.read())
        except ReplyError as why:
            equal(str(why), "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ")


def test_http_requests_are_cut_off(binary):
    # A browser that was made to talk to the port must not get to run anything.
    with Server(binary) as server:
        for first in (b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n"):
            client = Client(server.port)
            client.send_raw(first + b"\r\nSET k v\r\n")
            seen = client.read_to_close()
            equal(b"+OK" in seen, False)
        with Client(server.port) as client:
            equal(client.call("EXISTS", "k"), 0)


def test_requests_split_at_every_byte(binary):
    requests = (Client.encode("SET", "key", b"two\r\nlines") + b"GET key\r\n" + b"\r\n"
                + Client.encode("APPEND", "key", "") + Client.encode("INCR", "key")
                + Client.encode("ECHO", "x" * 40) + b'SET "q k" \'v\'\n')
    expected = (b"+OK\r\n$10\r\ntwo\r\nlines\r\n:10\r\n"
                b"-ERR value is not an integer or out of range\r\n$40\r\n" + b"x" * 40
                + b"\r\n+OK\r\n")
    with Server(binary) as server:
        for at in range(1, len(requests)):
            with Client(server.port) as client:
                client.send_raw(requests[:at])
                time.sleep(0.001)
                client.send_raw(requests[at:])
                seen = b""
                while len(seen) < len(expected):
                    seen += client.socket.recv(65536)
                equal(seen, expected)
        with Client(server.port) as client:
            for i in range(len(requests)):
                client.send_raw(requests[i:i + 1])
            seen = b""
            while len(seen) < len(expected):
                seen += client.socket.recv(65536)
            equal(seen, expected)


def test_1000_commands_in_one_write(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(b"".join(client.encode("SET", f"k{i}", f"v{i}") + client.encode("GET", f"k{i}")
                                 for i in range(500)))
        for i in range(500):
            equal(client.read(), b"OK")
            equal(client.read(), b"v%d" % i)


def test_errors_in_a_pipeline_stay_in_their_place(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(client.encode("SET", "k", "text") + client.encode("INCR", "k")
                        + client.encode("GET") + client.encode("NOSUCH")
                        + client.encode("GET", "k"))
        equal(client.read(), b"OK")
        for text in ("ERR value is not an integer or out of range",
                     "ERR wrong number of arguments for 'get' command",
                     "ERR unknown command 'NOSUCH', with args beginning with: "):
            try:
                raise AssertionError(client.read())
            except ReplyError as why:
                equal(str(why), text)
        equal(client.read(), b"text")


def test_value_of_64_megabytes(binary):
    value = bytes(range(256)) * (64 * 1024 * 1024 // 256)
    with Server(binary) as server, Client(server.port, 50) as client:
        client.expect_ok("SET", "huge", value)
        equal(client.call("STRLEN", "huge"), len(value))
        equal(client.call("GET", "huge") == value, True)
        equal(client.call("GETRANGE", "huge", 65536, 65539), value[65536:65540])
        # Overwriting while a slow reader still receives the old one must not change it.
        reader = Client(server.port, 50)
        reader.send("GET", "huge")
        time.sleep(0.2)
        client.expect_ok("SET", "huge", "small")
        equal(reader.read() == value, True)
        equal(client.call("DEL", "huge"), 1)


def test_many_arguments(binary):
    with Server(binary) as server, Client(server.port) as client:
        pairs = [part for i in range(50000) for part in (f"m{i}", i)]
        client.expect_ok("MSET", *pairs)
        equal(client.call("MGET", *pairs[::2]), [b"%d" % i for i in range(50000)])
        equal(client.call("DEL", *pairs[::2]), 50000)


def test_bulk_length_limit_is_configurable(binary):
    with Server(binary, ["--proto-max-bulk-len", "1mb"]) as server:
        with Client(server.port) as client:
            client.expect_ok("SET", "k", b"x" * 1048576)
        protocol_error(server, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n", b"invalid bulk length")


def test_query_buffer_limit_closes(binary):
    with Server(binary, ["--client-query-buffer-limit", "2mb"]) as server:
        client = Client(server.port)
        header = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000000\r\n"

        def flood():
            client.send_raw(header + b"x" * 20000000 + b"\r\n")
            return client.read()

        raises_closed(flood, "a request of 20 MB")
        with Client(server.port) as other:
            equal(other.call("EXISTS", "k"), 0)
            other.expect_ok("SET", "k", b"x" * 1000000)


def test_hello_and_versions(binary):
    with Server(binary) as server, Client(server.port) as client:
        equal(client.error("HELLO", 4), "NOPROTO unsupported protocol version")
        equal(client.error("HELLO", "x"),
              "ERR Protocol version is not an integer or out of range")
        hello = client.call("HELLO", 3)
        equal(sorted(hello), [b"id", b"mode", b"modules", b"proto", b"role", b"server", b"version"])
        equal((hello[b"proto"], hello[b"mode"], hello[b"role"], hello[b"modules"]),
              (3, b"standalone", b"master", []))
        client.send("GET", "absent")
        equal(client.socket.recv(100), b"_\r\n")
        equal(client.call("HELLO", 2)[::2],
              [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"])
        client.send("GET", "absent")
        equal(client.socket.recv(100), b"$-1\r\n")


def test_replies_are_written_together(binary):
    # One write for a whole pipeline: what arrives first is all of them.
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(client.encode("PING") * 100)
        equal(client.socket.recv(65536), b"+PONG\r\n" * 100)
