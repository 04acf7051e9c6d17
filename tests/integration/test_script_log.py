"""What scripts and functions leave in the log and in snapshots: whole effects or none, and nobody else's."""

import pathlib
import signal
import time

from harness import Client, ReplyError, Server, equal, wait_until
from test_scripts import run_aside, wait_busy

ALWAYS = ["--appendonly", "yes", "--appendfsync", "always"]
HALF = "redis.call('set','half1',1) redis.call('set','half2',1) while true do end"


def error_of(client, *request):
    try:
        client.call(*request)
    except ReplyError as why:
        return str(why)
    return ""


def test_a_shutdown_keeps_no_half_of_a_script(binary):
    for transaction in (False, True):
        with Server(binary, [*ALWAYS, "--busy-reply-threshold", "50"]) as server:
            with Client(server.port) as client:
                client.call("SET", "whole", 1)
                if transaction:
                    other = Client(server.port)
                    for request in (["MULTI"], ["SET", "before", 1], ["EVAL", HALF, 0], ["SET", "after", 1]):
                        other.call(*request)
                    other.send("EXEC")
                else:
                    run_aside(server, "EVAL", HALF, 0)
                wait_busy(client)
                for words in (["SHUTDOWN"], ["SHUTDOWN", "SAVE"]):
                    assert error_of(client, *words).startswith("BUSY"), words
                client.send("SHUTDOWN", "NOSAVE")
                server.wait()
            server.restart()
            with Client(server.port) as client:
                equal(client.call("MGET", "whole", "half1", "half2", "before", "after"), [b"1", None, None, None, None])
                equal(client.call("DBSIZE"), 1)


def test_a_library_cannot_mute_the_log(binary):
    source = "#!lua name=m\nredis.set_repl(0) redis.register_function('mf', function() return 1 end)"
    with Server(binary, ALWAYS) as server:
        with Client(server.port) as client:
            error_of(client, "FUNCTION", "LOAD", source)
            client.call("SET", "kept", 1)
        server.kill()
        server.restart()
        with Client(server.port) as client:
            equal(client.call("GET", "kept"), b"1")


def test_what_is_for_replicas_alone_is_not_logged(binary):
    script = "redis.set_repl(redis.REPL_%s) redis.call('set', KEYS[1], 1) return 1"
    with Server(binary, ALWAYS) as server:
        with Client(server.port) as client:
            for name in ("NONE", "REPLICA", "AOF", "ALL"):
                equal(client.call("EVAL", script % name, 1, name), 1)
        server.kill()
        server.restart()
        with Client(server.port) as client:
            equal(client.call("MGET", "NONE", "REPLICA", "AOF", "ALL"), [None, None, b"1", b"1"])


def test_libraries_from_a_file_have_the_time_and_memory_they_need(binary):
    # Longer than FUNCTION LOAD may take on a machine that is slow, and more than the limit of the second start.
    source = ("#!lua name=big\nlocal t = {} for i = 1, 60000 do t[i] = 'text ' .. i end "
              "redis.register_function('count', function() return #t end)")
    for log in (True, False):
        with Server(binary, ALWAYS if log else []) as server:
            with Client(server.port) as client:
                equal(client.call("FUNCTION", "LOAD", source), b"big")
                if not log:
                    client.call("SAVE")
            server.kill()
            server.args += ["--script-memory-limit", "4mb"]
            server.restart()
            with Client(server.port) as client:
                wait_until(lambda: not error_of(client, "FUNCTION", "LIST"), what="the end of loading")
                equal(len(client.call("FUNCTION", "LIST")), 1)
                client.call("CONFIG", "SET", "script-memory-limit", "256mb")
                wait_until(lambda: not error_of(client, "FCALL", "count", 0), what="the library in memory again")
                equal(client.call("FCALL", "count", 0), 60000)


def test_others_are_answered_while_a_script_runs_and_the_log_is_synced(binary):
    # What the script's tick has changed is not durable when the script begins.
    for _ in range(5):
        with Server(binary, [*ALWAYS, "--busy-reply-threshold", "50"]) as server:
            with Client(server.port) as running, Client(server.port) as other, Client(server.port) as killer:
                running.send_raw(running.encode("SET", "k", 1) + running.encode("EVAL", "while true do end", 0))
                wait_busy(other)
                equal(killer.call("SCRIPT", "KILL"), b"OK")
                equal(running.read(), b"OK")


def stopped(server, send):
    """Everything that `send` sends arrives in one tick."""
    server.process.send_signal(signal.SIGSTOP)
    send()
    time.sleep(0.1)
    server.process.send_signal(signal.SIGCONT)


def test_what_is_answered_while_a_script_runs_is_in_the_log(binary):
    with Server(binary, [*ALWAYS, "--busy-reply-threshold", "50"]) as server:
        with Client(server.port) as writer, Client(server.port) as runner, Client(server.port) as other:
            for client in (writer, runner, other):
                client.call("PING")

            def send():
                writer.send("SET", "answered", 1)
                runner.send("EVAL", HALF, 0)
            stopped(server, send)
            wait_busy(other)
            equal(writer.read(), b"OK")
            server.kill()
        server.restart()
        with Client(server.port) as client:
            equal(client.call("MGET", "answered", "half1", "half2"), [b"1", None, None])


def test_a_script_that_is_not_told_of_still_removes_what_expired(binary):
    script = "redis.set_repl(redis.REPL_NONE) return redis.call('exists', 'k')"
    with Server(binary, [*ALWAYS, "--enable-debug-command", "yes"]) as server:
        with Client(server.port) as client:
            client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
            client.call("SET", "k", 10, "PX", 20)
            time.sleep(0.1)
            equal(client.call("EVAL", script, 0), 0)
            equal(client.call("INCR", "k"), 1)
        server.kill()
        server.restart()
        with Client(server.port) as client:
            equal(client.call("GET", "k"), b"1")


def test_what_one_request_stands_for_is_one_unit(binary):
    with Server(binary, ALWAYS) as server:
        with Client(server.port) as client:
            client.call("RL.ACQUIRE", "lease", "holder", 1, 600000)
        text = b"".join(path.read_bytes() for path in pathlib.Path(server.folder).rglob("*.incr.aof"))
        assert text.count(b"MULTI") == text.count(b"EXEC") == 1, text
        assert text.index(b"MULTI") < text.index(b"ZADD") < text.index(b"PEXPIREAT") < text.index(b"EXEC"), text
