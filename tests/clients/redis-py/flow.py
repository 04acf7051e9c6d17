"""The application flow of tests/clients/README.md on redis-py, with its default
settings. The same file runs against every redis-py version of this folder."""

import os
import threading
import time

import redis

from python_checks import HOST, PORT, between, check, equal, finish

EXPECT_RESP = os.environ["LARDER_EXPECT_RESP"]
EXPECT_LIBRARY_NAME = os.environ["LARDER_EXPECT_LIBRARY_NAME"] == "1"
NAME = "flow-redis-py"
ALLOWED = 100
WINDOW_SECONDS = 2
COUNTER = "app:rate:client-9"

def connect(**extra):
    return redis.Redis(host=HOST, port=PORT, **extra)


def client_info(client):
    info = client.client_info()
    return {k: str(v) for k, v in info.items()}


def retry(attempt, tries=20):
    """What an application does around a connection that was killed: redis-py 5
    reports it once and opens a new one for the next command, redis-py 8 hides it."""
    for left in reversed(range(tries)):
        try:
            return attempt()
        except redis.ConnectionError:
            if left == 0:
                raise
            time.sleep(0.05)


def take_slot(client):
    """One request of the limiter: the first of a window starts its clock."""
    pipe = client.pipeline(transaction=False)
    pipe.incr(COUNTER)
    pipe.expire(COUNTER, WINDOW_SECONDS, nx=True)
    return pipe.execute()[0] <= ALLOWED


def profile_cache(client):
    key = "app:profile:1"
    profile = b'{"id": 1, "name": "Ada"}'

    @check("profile_miss")
    def _():
        equal(client.get(key), None)

    @check("profile_set_with_ttl")
    def _():
        equal(client.set(key, profile, ex=60), True)

    @check("profile_hit")
    def _():
        equal(client.get(key), profile)

    @check("profile_ttl_in_range")
    def _():
        between(client.ttl(key), 58, 60)
        between(client.pttl(key), 58001, 60000)

    @check("profile_multi_get")
    def _():
        client.mset({"app:profile:2": "two", "app:profile:3": "three"})
        seen = client.mget("app:profile:3", "app:profile:absent", key, "app:profile:2")
        equal(seen, [b"three", None, profile, b"two"])

    @check("profile_invalidate_del")
    def _():
        equal(client.delete(key, "app:profile:absent"), 1)
        equal(client.get(key), None)

    @check("profile_invalidate_unlink")
    def _():
        equal(client.unlink("app:profile:2", "app:profile:3"), 2)
        equal(client.exists("app:profile:2", "app:profile:3"), 0)

    @check("value_binary_safe")
    def _():
        value = bytes(range(256)) * 4 + b"\r\n\0"
        client.set(b"app:\0binary\xff", value)
        equal(client.get(b"app:\0binary\xff"), value)

    @check("value_one_megabyte")
    def _():
        value = b"larder!\n" * 131072
        equal(client.set("app:large", value), True)
        equal(client.strlen("app:large"), 1048576)
        equal(client.get("app:large"), value)

    @check("key_utf8")
    def _():
        key = "app:schlüssel:鍵:🔑"
        client.set(key, "grün")
        equal(client.get(key).decode(), "grün")
        equal(client.keys("app:schl*"), [key.encode()])


def session_store(client):
    key = "app:session:7f"

    @check("session_create")
    def _():
        equal(client.set(key, "user=1", ex=30, nx=True), True)

    @check("session_second_create_refused")
    def _():
        equal(client.set(key, "user=2", ex=30, nx=True), None)

    @check("session_read")
    def _():
        equal(client.get(key), b"user=1")

    @check("session_sliding_expire")
    def _():
        equal(client.expire(key, 100), True)
        between(client.ttl(key), 98, 100)

    @check("session_sliding_getex")
    def _():
        equal(client.getex(key, ex=200), b"user=1")
        between(client.ttl(key), 198, 200)

    @check("session_expires_after_50_ms")
    def _():
        client.set("app:session:short", "x", px=50)
        time.sleep(0.12)
        equal(client.get("app:session:short"), None)
        equal(client.exists("app:session:short"), 0)

    @check("session_delete")
    def _():
        equal(client.getdel(key), b"user=1")
        equal(client.delete(key), 0)

    @check("ttl_codes")
    def _():
        client.set("app:session:forever", "x")
        equal(client.ttl("app:session:forever"), -1)
        equal(client.pttl("app:session:forever"), -1)
        equal(client.ttl("app:session:absent"), -2)
        equal(client.pttl("app:session:absent"), -2)


def connection_facts(client):
    @check("client_name")
    def _():
        equal(client.client_getname(), NAME)
        equal(client_info(client)["name"], NAME)

    @check("client_library_name")
    def _():
        info = client_info(client)
        if EXPECT_LIBRARY_NAME:
            equal(info["lib-name"], "redis-py")
            equal(info["lib-ver"], redis.__version__)

    @check("pipeline_1000_in_order")
    def _():
        pipe = client.pipeline(transaction=False)
        for i in range(500):
            pipe.set(f"app:order:{i}", f"v{i}").get(f"app:order:{i}")
        expected = []
        for i in range(500):
            expected += [True, f"v{i}".encode()]
        equal(pipe.execute(), expected)

    @check("error_reply_is_typed")
    def _():
        client.set("app:text", "not a number")
        try:
            client.incr("app:text")
            raise AssertionError("INCR of a text was accepted")
        except redis.ResponseError as error:
            equal(str(error), "value is not an integer or out of range")
        equal(client.get("app:text"), b"not a number")

    @check("scan_5000_keys")
    def _():
        pipe = client.pipeline(transaction=False)
        for i in range(5000):
            pipe.set(f"app:scan:{i}", "1")
        pipe.execute()
        equal(len(set(client.scan_iter(match="app:scan:*", count=250))), 5000)

    @check("reconnect_after_kill")
    def _():
        single = connect(client_name=NAME, single_connection_client=True)
        old_id = single.client_id()
        equal(client.client_kill_filter(_id=old_id), 1)
        equal(retry(lambda: single.get("app:text")), b"not a number")
        assert single.client_id() != old_id
        equal(single.client_getname(), NAME)
        single.close()


def main():
    client = connect(client_name=NAME)

    @check("connect_protocol")
    def _():
        equal(client.ping(), True)
        equal(client_info(client)["resp"], EXPECT_RESP)

    # The limiter first: its window runs out while the other checks are at work.
    @check("rate_counter_exact")
    def _():
        answers = []

        def work():
            for _ in range(25):
                answers.append(take_slot(client))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(len(answers), 200)
        equal(answers.count(True), ALLOWED)
        between(client.ttl(COUNTER), 0, WINDOW_SECONDS)

    profile_cache(client)
    session_store(client)
    connection_facts(client)

    @check("rate_counter_resets")
    def _():
        until = time.monotonic() + 4
        while client.exists(COUNTER) and time.monotonic() < until:
            time.sleep(0.05)
        equal(client.get(COUNTER), None)
        equal(take_slot(client), True)
        equal(client.get(COUNTER), b"1")

    client.close()
    finish()


main()
