"""The CLIENT family where it acts on sockets: KILL, PAUSE, REPLY, LIST over the wire."""

import time

from harness import Client, Server, Stopwatch, equal, raises_closed, wait_until


def fields(line):
    return dict(word.split("=", 1) for word in line.decode().split())


def test_kill_by_id_address_and_old_form(binary):
    with Server(binary) as server, Client(server.port) as admin:
        victim = Client(server.port)
        equal(admin.call("CLIENT", "KILL", "ID", victim.call("CLIENT", "ID")), 1)
        raises_closed(lambda: victim.call("PING"), "a client killed by id")

        victim = Client(server.port)
        address = fields(victim.call("CLIENT", "INFO"))["addr"]
        equal(admin.call("CLIENT", "KILL", "ADDR", address), 1)
        raises_closed(lambda: victim.call("PING"), "a client killed by address")

        victim = Client(server.port)
        admin.expect_ok("CLIENT", "KILL", fields(victim.call("CLIENT", "INFO"))["addr"])
        raises_closed(lambda: victim.call("PING"), "a client killed in the old form")

        equal(admin.call("CLIENT", "KILL", "ID", 999999), 0)
        equal(admin.error("CLIENT", "KILL", "1.2.3.4:5"), "ERR No such client")


def test_kill_all_skips_the_caller_unless_asked(binary):
    with Server(binary) as server, Client(server.port) as admin:
        others = [Client(server.port) for _ in range(10)]
        for other in others:
            equal(other.call("PING"), b"PONG")
        equal(admin.call("CLIENT", "KILL", "TYPE", "normal"), 10)
        for other in others:
            raises_closed(lambda: other.call("PING"), "a client of type normal")
        equal(admin.call("PING"), b"PONG")
        admin.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
        equal(admin.read_to_close(), b":1\r\n")


def test_kill_in_a_pipeline_of_the_victim(binary):
    with Server(binary) as server, Client(server.port) as client:
        own = client.call("CLIENT", "ID")
        client.send_raw(client.encode("SET", "k", "1")
                        + client.encode("CLIENT", "KILL", "ID", own, "SKIPME", "no")
                        + client.encode("SET", "k", "2"))
        equal(client.read_to_close(), b"+OK\r\n:1\r\n")
        with Client(server.port) as other:
            equal(other.call("GET", "k"), b"1")


def test_pause_of_writes_and_of_everything(binary):
    with Server(binary) as server, Client(server.port) as admin, Client(server.port) as app:
        admin.expect_ok("CLIENT", "PAUSE", 60000, "WRITE")
        watch = Stopwatch(server)
        equal(app.call("GET", "k"), None)
        equal(watch.seconds() < 0.4, True)
        admin.expect_ok("CLIENT", "UNPAUSE")

        for mode, request, reply in (("WRITE", ("SET", "k", "v"), b"OK"), ("ALL", ("GET", "k"), b"v")):
            began = time.monotonic()
            admin.expect_ok("CLIENT", "PAUSE", 600, mode)
            equal(app.call(*request), reply)
            equal(time.monotonic() - began > 0.59, True)


def test_unpause(binary):
    with Server(binary) as server, Client(server.port) as admin, Client(server.port) as app:
        admin.expect_ok("CLIENT", "PAUSE", 30000, "WRITE")
        app.send_raw(app.encode("SET", "k", "v") + app.encode("GET", "k"))
        time.sleep(0.1)
        equal(admin.call("EXISTS", "k"), 0)
        admin.expect_ok("CLIENT", "UNPAUSE")
        equal(app.read(), b"OK")
        equal(app.read(), b"v")


def test_reply_off_skip_and_on(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.send_raw(client.encode("CLIENT", "REPLY", "OFF") + client.encode("SET", "k", "1")
                        + client.encode("NOSUCH") + client.encode("CLIENT", "REPLY", "ON")
                        + client.encode("GET", "k"))
        equal(client.read(), b"OK")
        equal(client.read(), b"1")
        client.send_raw(client.encode("CLIENT", "REPLY", "SKIP") + client.encode("SET", "k", "2")
                        + client.encode("GET", "k"))
        equal(client.read(), b"2")


def test_list_shows_every_connection(binary):
    with Server(binary) as server, Client(server.port) as admin:
        named = Client(server.port)
        named.expect_ok("CLIENT", "SETNAME", "worker-1")
        named.expect_ok("SELECT", 7)
        lines = admin.call("CLIENT", "LIST").splitlines()
        equal(len(lines), 2)
        found = [fields(line) for line in lines if b"name=worker-1" in line]
        equal(len(found), 1)
        equal((found[0]["db"], found[0]["cmd"], found[0]["id"]),
              ("7", "select", str(named.call("CLIENT", "ID"))))
        equal(found[0]["addr"].startswith("127.0.0.1:"), True)
        named.close()
        wait_until(lambda: len(admin.call("CLIENT", "LIST").splitlines()) == 1)


def test_reset_puts_a_connection_back(binary):
    with Server(binary) as server, Client(server.port) as client:
        client.call("HELLO", 3, "SETNAME", "worker")
        client.expect_ok("SELECT", 3)
        equal(client.call("RESET"), b"RESET")
        info = fields(client.call("CLIENT", "INFO"))
        equal((info["name"], info["db"], info["resp"]), ("", "0", "2"))
