"""Data files and DUMP payloads go back and forth between this server and Debian's
redis-server 7.0.15, with every type in its small and its large forms: what comes out
on the other side must be what went in, to the last element, deadline and group.

The server under test is told `rdb-version 10`, which is what 7.0 reads.
"""

import os
import random
import shutil
import time

from harness import Client, Server, Skip, equal, limit, wait_until

SEED = int(os.environ.get("EXCHANGE_SEED", "20240611"))


def reference_server():
    path = shutil.which("redis-server")
    if path is None:
        raise Skip("redis-server is not installed")
    return path


def texts(rng, count, size):
    """Distinct texts of about that size; some look like numbers, some are not text."""
    made = set()
    while len(made) < count:
        kind = rng.randrange(4)
        if kind == 0:
            made.add(str(rng.randrange(-10**rng.randrange(1, 19), 10**rng.randrange(1, 19))).encode())
        elif kind == 1:
            made.add(rng.randbytes(rng.randrange(1, size + 1)))
        else:
            made.add(b"%d-" % len(made) + b"ab" * rng.randrange(0, size // 2 + 1))
    return sorted(made)


def fill_strings(call, rng):
    for name, value in [(b"empty", b""), (b"zero", b"0"), (b"minus", b"-129"), (b"int32", b"2147483648"),
                        (b"int64", b"-9223372036854775808"), (b"not-int", b"007"), (b"float", b"3.0e5"),
                        (b"binary", bytes(range(256))), (b"repeated", b"x" * 5000),
                        (b"random", rng.randbytes(70000)), (b"large", b"abc" * 200000)]:
        call("SET", b"string:" + name, value)
    call("SET", b"string:\x00\xff\r\n", b"a key that is no text")
    call("SETRANGE", "string:padded", 100, "x")
    call("PFADD", "string:sketch", *texts(rng, 300, 8))
    call("APPEND", "string:appended", "12")
    call("APPEND", "string:appended", "34")


def fill_lists(call, rng):
    call("RPUSH", "list:one", "")
    call("RPUSH", "list:integers", *[rng.randrange(-2**rng.randrange(64), 2**rng.randrange(1, 64)) for _ in range(100)])
    call("RPUSH", "list:small", *texts(rng, 60, 10))
    call("RPUSH", "list:node", *texts(rng, 300, 20))
    for _ in range(20):
        call("RPUSH", "list:large", *texts(rng, 200, 60))
    call("RPUSH", "list:plain", "a", b"p" * 100000, "b", rng.randbytes(20000), b"c" * 5000, "d")
    call("RPUSH", "list:same", *["same"] * 500)


def fill_sets(call, rng):
    call("SADD", "set:int16", *range(-100, 100))
    call("SADD", "set:int32", 1, 100000, -100000)
    call("SADD", "set:int64", 1, 2**62, -2**63, 2**63 - 1)
    call("SADD", "set:many-integers", *range(0, 60000, 60))
    call("SADD", "set:small", *texts(rng, 20, 10))
    call("SADD", "set:empty-member", "")
    call("SADD", "set:middle", *texts(rng, 100, 30))
    call("SADD", "set:long-member", b"m" * 3000, "n")
    call("SADD", "set:large", *texts(rng, 3000, 20))


def fill_hashes(call, rng):
    def pairs(count, size):
        return [part for name in texts(rng, count, size) for part in (name, rng.choice([b"", b"17", name * 2]))]
    call("HSET", "hash:one", "", "")
    call("HSET", "hash:small", *pairs(10, 10))
    call("HSET", "hash:middle", *pairs(200, 20))
    call("HSET", "hash:long-value", "f", b"v" * 1000, "g", "1")
    call("HSET", "hash:large", *pairs(3000, 30))


def fill_zsets(call, rng):
    def scored(count, size):
        return [part for name in texts(rng, count, size)
                for part in (rng.choice([rng.randrange(-50, 50), rng.uniform(-1, 1), 1e300, 2**53]), name)]
    call("ZADD", "zset:one", "-0", "")
    call("ZADD", "zset:infinite", "inf", "a", "-inf", "b", 0.1, "c", 1e-300, "d")
    call("ZADD", "zset:small", *scored(30, 10))
    call("ZADD", "zset:middle", *scored(120, 30))
    call("ZADD", "zset:long-member", 1, b"m" * 500, 2, "n")
    call("ZADD", "zset:large", *scored(3000, 20))


def fill_streams(call, rng):
    call("XADD", "stream:one", "5-3", "field", "value")
    call("XGROUP", "CREATE", "stream:only-groups", "g", "$", "MKSTREAM")
    for i in range(350):
        call("XADD", "stream:large", f"{1000 + i // 3}-{i}", "same", i, "fields", b"v" * (i % 40))
    for i in range(120):
        call("XADD", "stream:mixed", "*", *[b"f%d" % (i % 7), i, "g", ""][:2 + 2 * (i % 2)])
    ids = [entry[0] for entry in call("XRANGE", "stream:large", "-", "+")]
    call("XDEL", "stream:large", *rng.sample(ids, 60))
    call("XTRIM", "stream:large", "MAXLEN", 250)
    call("XADD", "stream:emptied", "7-7", "f", "v")
    call("XDEL", "stream:emptied", "7-7")
    call("XGROUP", "CREATE", "stream:large", "first", "0")
    call("XGROUP", "CREATE", "stream:large", "second", "$", "ENTRIESREAD", 10)
    call("XGROUP", "CREATECONSUMER", "stream:large", "first", "idle")
    for consumer, count in [("alice", 100), ("bob", 30), ("", 1)]:
        call("XREADGROUP", "GROUP", "first", consumer, "COUNT", count, "STREAMS", "stream:large", ">")
    pending = [entry[0] for entry in call("XPENDING", "stream:large", "first", "-", "+", 1000)]
    call("XACK", "stream:large", "first", *rng.sample(pending, 40))
    call("XDEL", "stream:large", *rng.sample(pending, 10))


def fill(client, rng):
    """A dataset of every type, small and large; some keys with a deadline, in two databases."""
    for fill_type in (fill_strings, fill_lists, fill_sets, fill_hashes, fill_zsets, fill_streams):
        fill_type(client.call, rng)
    deadline = int(time.time()) + 100000
    for i, key in enumerate(sorted(client.call("KEYS", "*"))):
        if i % 3 == 0:
            client.call("PEXPIREAT", key, deadline * 1000 + i)
    client.call("SELECT", 9)
    client.call("SET", "elsewhere", "yes")
    client.call("HSET", "elsewhere:hash", "f", "v")
    client.call("SELECT", 0)


def value_of(client, key, kind):
    if kind == b"string":
        return client.call("GET", key)
    if kind == b"list":
        return client.call("LRANGE", key, 0, -1)
    if kind == b"set":
        return sorted(client.call("SMEMBERS", key))
    if kind == b"hash":
        flat = client.call("HGETALL", key)
        return sorted(zip(flat[::2], flat[1::2]))
    if kind == b"zset":
        flat = client.call("ZRANGE", key, 0, -1, "WITHSCORES")  # 7.2 writes scores shorter than 7.0
        return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2])]
    if kind == b"stream":
        return stream_of(client, key)
    raise AssertionError(f"{key!r} has an unknown type {kind!r}")


def stream_of(client, key):
    def fields(flat):
        return dict(zip(flat[::2], flat[1::2]))
    # What differs by its nature: how the tree is built, and times that the moment of asking goes into.
    unequal = {b"radix-tree-keys", b"radix-tree-nodes", b"idle", b"inactive"}
    info = fields(client.call("XINFO", "STREAM", key))
    groups = [fields(group) for group in client.call("XINFO", "GROUPS", key)]
    value = [{k: v for k, v in info.items() if k not in unequal}, groups, client.call("XRANGE", key, "-", "+")]
    for group in groups:
        consumers = [fields(one) for one in client.call("XINFO", "CONSUMERS", key, group[b"name"])]
        value.append([{k: v for k, v in one.items() if k not in unequal} for one in consumers])
        pending = client.call("XPENDING", key, group[b"name"], "-", "+", 10000)
        value.append([[entry[0], entry[1], entry[3]] for entry in pending])
    return value


def contents(client, databases=(0, 9)):
    """{(database, key): (type, deadline, value)} of everything."""
    found = {}
    for database in databases:
        client.call("SELECT", database)
        for key in client.call("KEYS", "*"):
            kind = client.call("TYPE", key)
            found[(database, key)] = (kind, client.call("PEXPIRETIME", key), value_of(client, key, kind))
    client.call("SELECT", 0)
    return found


def compare(seen, expected):
    equal(sorted(seen), sorted(expected))
    for key, value in expected.items():
        if seen[key] != value:
            raise AssertionError(f"{key}: {str(seen[key])[:300]} is not {str(value)[:300]}")


def hand_over(source, target):
    """The data file of one server becomes the other's, which starts anew with it."""
    with Client(source.port) as client:
        client.expect_ok("SAVE")
    target.kill()
    shutil.copy(os.path.join(source.folder, "dump.rdb"), os.path.join(target.folder, "dump.rdb"))
    target.restart()


def pair(binary, larder_args=()):
    return (Server(binary, ["--rdb-version", "10", *larder_args]), Server(reference_server()))


@limit(120)
def test_files_go_to_redis_and_back(binary):
    reference_server()
    larder, redis = pair(binary)
    with larder, redis:
        with Client(larder.port) as client:
            fill(client, random.Random(SEED))
            expected = contents(client)
        hand_over(larder, redis)
        with Client(redis.port) as client:
            compare(contents(client), expected)
        hand_over(redis, larder)
        with Client(larder.port) as client:
            compare(contents(client), expected)


@limit(120)
def test_files_come_from_redis_and_go_back(binary):
    reference_server()
    larder, redis = pair(binary)
    with larder, redis:
        with Client(redis.port) as client:
            fill(client, random.Random(SEED + 1))
            expected = contents(client)
        hand_over(redis, larder)
        with Client(larder.port) as client:
            compare(contents(client), expected)
            # Through a reload as well, in pieces and back.
            client.expect_ok("SAVE")
        hand_over(larder, redis)
        with Client(redis.port) as client:
            compare(contents(client), expected)


def old_encodings(client):
    """Makes redis-server keep everything in its large forms."""
    for option in ("hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries"):
        client.call("CONFIG", "SET", option, 0)
    client.call("CONFIG", "SET", "list-max-listpack-size", 1)
    client.call("CONFIG", "SET", "rdbcompression", "no")


@limit(120)
def test_files_with_other_thresholds(binary):
    reference_server()
    larder, redis = pair(binary, ["--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0",
                                  "--set-max-intset-entries", "0", "--list-max-listpack-size", "1",
                                  "--rdbcompression", "no"])
    with larder, redis:
        with Client(redis.port) as client:
            old_encodings(client)
            fill(client, random.Random(SEED + 2))
            expected = contents(client)
        hand_over(redis, larder)
        with Client(larder.port) as client:
            compare(contents(client), expected)
        hand_over(larder, redis)
        with Client(redis.port) as client:
            compare(contents(client), expected)


def restore_all(source, target):
    source.call("SELECT", 0)
    target.call("FLUSHALL")
    for key in source.call("KEYS", "*"):
        deadline = source.call("PEXPIRETIME", key)
        payload = source.call("DUMP", key)
        target.expect_ok("RESTORE", key, max(deadline, 0), payload, *(["ABSTTL"] if deadline > 0 else []))


@limit(120)
def test_dump_here_restore_there(binary):
    reference_server()
    larder, redis = pair(binary)
    with larder, redis, Client(larder.port) as here, Client(redis.port) as there:
        fill(here, random.Random(SEED + 3))
        expected = contents(here, [0])
        restore_all(here, there)
        compare(contents(there, [0]), expected)
        restore_all(there, here)
        compare(contents(here, [0]), expected)


@limit(60)
def test_a_damaged_payload_is_refused_and_leaves_nothing(binary):
    rng = random.Random(SEED + 4)
    with Server(binary) as server, Client(server.port) as client:
        fill(client, rng)
        for key in client.call("KEYS", "*"):
            payload = client.call("DUMP", key)
            for _ in range(5):
                at = rng.randrange(len(payload))
                damaged = payload[:at] + bytes([payload[at] ^ (1 << rng.randrange(8))]) + payload[at + 1:]
                equal(client.error("RESTORE", "restored", 0, damaged),
                      "ERR DUMP payload version or checksum are wrong")
        equal(client.call("EXISTS", "restored"), 0)


def fill_large(client, count=10000):
    for start in range(0, count, 500):
        names = ["m%06d" % i for i in range(start, start + 500)]
        client.call("HSET", "large:hash", *[word for name in names for word in (name, "v")])
        client.call("SADD", "large:set", *names)
        client.call("ZADD", "large:zset", *[word for i, name in enumerate(names) for word in (i, name)])
        client.call("RPUSH", "large:list", *names)
        client.call("XADD", "large:stream", "*", "f", start)


@limit(120)
def test_a_background_save_has_the_state_of_its_beginning(binary):
    reference_server()
    larder, redis = pair(binary)
    with larder, redis, Client(larder.port) as client:
        fill(client, random.Random(SEED + 5))
        fill_large(client)
        for patience in range(4):
            expected = contents(client)
            client.call("BGSAVE")
            turn = 0
            while b"rdb_bgsave_in_progress:1" in client.call("INFO", "persistence"):
                turn += 1
                if turn <= patience:
                    continue
                client.call("HSET", "large:hash", f"new{turn}", "x")
                client.call("SREM", "large:set", "m%06d" % turn)
                client.call("ZADD", "large:zset", turn, f"new{turn}")
                client.call("LPUSH", "large:list", "new")
                client.call("XADD", "large:stream", "*", "f", "v")
                client.call("DEL", "string:large")
                client.call("SET", f"new{turn}", "x")
            assert b"rdb_last_bgsave_status:ok" in client.call("INFO", "persistence")
            redis.kill()
            shutil.copy(os.path.join(larder.folder, "dump.rdb"), os.path.join(redis.folder, "dump.rdb"))
            redis.restart()
            with Client(redis.port) as there:
                compare(contents(there), expected)


LIBRARY = "#!lua name=exchanged\nredis.register_function('answer', function() return 42 end)"
LOG_OF_COMMANDS = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--enable-debug-command", "yes"]


def rewrite(client):
    client.call("BGREWRITEAOF")
    wait_until(lambda: b"aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0" in client.call("INFO", "persistence"),
               30, "the end of the rewrite")
    assert b"aof_last_bgrewrite_status:ok" in client.call("INFO", "persistence")


def hand_over_log(source, target):
    """The log of one server becomes the other's, which starts anew with it."""
    target.kill()
    source.stop()
    folder = os.path.join(target.folder, "appendonlydir")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(source.folder, "appendonlydir"), folder)
    assert not any(name.endswith(".rdb") for name in os.listdir(folder)), os.listdir(folder)
    target.restart()
    with Client(target.port) as client:
        wait_until(lambda: b"\r\nloading:0" in client.call("INFO", "persistence"), 30, "the end of the load")


@limit(120)
def test_logs_of_commands_go_to_redis_and_back(binary):
    with Server(binary, LOG_OF_COMMANDS) as larder, Server(reference_server(), LOG_OF_COMMANDS) as redis:
        with Client(larder.port) as client:
            fill(client, random.Random(SEED + 6))
            # What is pending of entries that are gone cannot be said in commands; redis-server leaves it out, too.
            client.call("XAUTOCLAIM", "stream:large", "first", "bob", 0, "0", "COUNT", 1000, "JUSTID")
            equal(client.call("FUNCTION", "LOAD", LIBRARY), b"exchanged")
            rewrite(client)
            client.expect_ok("SET", "behind the base", "1")
            expected = contents(client)
            digest = client.call("DEBUG", "DIGEST")
        for source, target in ((larder, redis), (redis, larder)):
            hand_over_log(source, target)
            with Client(target.port) as client:
                compare(contents(client), expected)
                equal(client.call("DEBUG", "DIGEST"), digest)
                equal(client.call("FCALL", "answer", 0), 42)
                rewrite(client)


@limit(120)
def test_a_torn_log_that_redis_went_on_with_comes_back(binary):
    """A kill leaves a group in part. Redis takes its whole commands and goes on behind them: all of that comes back."""
    rng = random.Random(SEED + 8)
    log = ["--appendonly", "yes"]
    for turn in range(4):
        with Server(binary, log) as larder, Server(reference_server(), log) as redis:
            with Client(larder.port) as client:
                client.expect_ok("SET", "before", "1")
                time.sleep(0.05)
                for i in range(20):
                    client.send("RPUSH", "list", "x" * rng.randrange(1, 60))
                for i in range(20):
                    client.read()
                time.sleep(0.05)
            larder.kill()
            path = os.path.join(larder.folder, "appendonlydir", "appendonly.aof.1.incr.aof")
            with open(path, "rb") as file:
                text = file.read()
            begin = text.rindex(b"#LG:") + 300
            os.truncate(path, rng.randrange(begin, len(text)))
            redis.kill()
            shutil.rmtree(os.path.join(redis.folder, "appendonlydir"), ignore_errors=True)
            shutil.copytree(os.path.dirname(path), os.path.join(redis.folder, "appendonlydir"))
            redis.restart()
            with Client(redis.port) as client:
                if turn % 2:
                    for request in [("MULTI",), ("SET", "theirs", "1"), ("RPUSH", "list", "theirs"), ("EXEC",)]:
                        client.call(*request)
                else:
                    client.call("RPUSH", "list", *["y" * 50] * rng.randrange(1, 50))
                expected = contents(client)
            redis.stop()
            shutil.rmtree(os.path.dirname(path))
            shutil.copytree(os.path.join(redis.folder, "appendonlydir"), os.path.dirname(path))
            larder.restart()
            wait_until(lambda: loaded(larder.port))
            wait_until(lambda: "another server has gone on behind it" in larder.output(), 10, "the word of it in the log")
            with Client(larder.port) as client:
                compare(contents(client), expected)
                client.call("RPUSH", "list", "ours")
                expected = contents(client)
                equal(client.call("WAITAOF", 1, 0, 0), [1, 0])
            larder.kill()
            larder.restart()
            wait_until(lambda: loaded(larder.port))
            with Client(larder.port) as client:
                compare(contents(client), expected)


def loaded(port):
    with Client(port) as client:
        return b"loading:0" in client.call("INFO", "persistence")
