"""Scripts that run for long, and those that mean harm: the server serves the others meanwhile, and ends them when told to."""

import threading
import time

from harness import Client, Closed, ReplyError, Server, Skip, Stopwatch, equal, limit, raises_closed, wait_until

BUSY_MS = 100
# Beyond busy-reply-threshold: what the issue allows before another client is answered.
SERVING_SECONDS_MAX = 0.1
# By the clock: how long a test waits for what must come. What it may take is measured with Stopwatch.
PATIENCE_SECONDS = 60

# Each of them runs for ever, or for hours.
ENDLESS = {
    "a loop": "while true do end",
    "a loop that catches its errors": "while true do pcall(function() while true do end end) end",
    "a loop that catches its errors with a handler": "while true do xpcall(function() while true do end end, function() return 1 end) end",
    "a handler that never returns": "xpcall(error, function() while true do end end)",
    "a handler that never returns from the script's end": "xpcall(function() while true do end end, function() while true do end end)",
    "a loop in a coroutine": "coroutine.wrap(function() while true do end end)()",
    "coroutines without end": "while true do coroutine.wrap(function() coroutine.yield() end)() end",
    "a loop of commands": "while true do redis.call('ping') end",
    "a loop of failing commands": "while true do redis.pcall('incr') end",
    "a pattern that explodes": "return string.find(string.rep('a', 100000), string.rep('.-', 30) .. 'b')",
    "gsub with a pattern that explodes": "return string.gsub(string.rep('a', 100000), string.rep('.-', 30) .. 'b', '')",
    "a comparison that never decides": "local t = {} for i = 1, 200000 do t[i] = i end "
                                       "while true do pcall(table.sort, t, function(a, b) return math.random() < 0.5 end) end",
    "insertions at the front": "local t = {} while true do for i = 1, 50000 do table.insert(t, 1, i) end t = {} end",
    "a metamethod": "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
    "goto": "::again:: goto again",
    "formatting": "while true do string.format('%s', string.rep('x', 1000)) end",
    "packing": "local t = {} for i = 1, 10000 do t[i] = i end while true do cmsgpack.unpack(cmsgpack.pack(t)) end",
    "calls that take long": "local t = {} for i = 1, 300000 do t[i] = {} end while true do collectgarbage() end",
    "removals at the front": "local t = {} for i = 1, 300000 do t[i] = i end while true do table.insert(t, table.remove(t, 1)) end",
    "sorting": "local t = {} while true do for i = 1, 500000 do t[i] = i * 7919 % 1000003 end table.sort(t) end",
    "sorting by a function of C": "local t = {} for i = 1, 1000000 do t[i] = i end while true do table.sort(t, rawequal) end",
    "sorting a few long texts": "local s = string.rep('x', 5000000) local t = {} for i = 1, 5000 do t[i] = s .. i % 3 if i > 3 then t[i] = t[i % 3 + 1] end end "
                                "while true do table.sort(t) end",
    "a template of many captures": "local s = string.rep('%1', 10000000) while true do string.gsub('x', '(x)', s) end",
    "a chain of tostring": "local t = setmetatable({}, {}) getmetatable(t).__tostring = tostring while true do pcall(tostring, t) end",
    "a value that contains itself": "local t = {} t[1] = t t[2] = t return t",
    "a large value to reply": "local t = {} for i = 1, 3000000 do t[i] = i end local all = {} for i = 1, 200 do all[i] = t end return all",
    "a long number to decode": "local s = '[' .. string.rep('1', 20000000) .. ']' while true do pcall(cjson.decode, s) end",
    "a large space to decode": "local s = '[' .. string.rep(' ', 20000000) .. ']' while true do cjson.decode(s) end",
    "a long format": "local f = string.rep('x', 10000000) while true do struct.size(f) end",
    "a large sum": "local s = string.rep('x', 50000000) while true do redis.sha1hex(s) end",
    "large repetitions": "while true do string.rep('xy', 20000000) end",
    "large conversions": "local s = string.rep('x', 20000000) while true do s:upper():reverse():lower() end",
    "a large text to encode": "local s = string.rep('\"', 20000000) while true do cjson.encode(s) end",
    "collections of many strings": "local t = {} for i = 1, 700000 do t[i] = 'k' .. i end while true do collectgarbage() end",
    "compilations": "local s = string.rep('a=1 ', 1000000) while true do loadstring(s) end",
    "encoding": "local t = {} for i = 1, 10000 do t[i] = i end while true do cjson.decode(cjson.encode(t)) end",
}


def is_larder(client):
    return b"larder_version:" in client.call("INFO", "server")


def run_aside(server, *request):
    """A thread that has sent the request on a connection of its own; its list gets the reply or the error's text, or nothing
    if the server ends first."""
    replies = []
    sent = threading.Event()

    def work():
        try:
            with Client(server.port, seconds=PATIENCE_SECONDS) as client:
                client.send(*request)
                sent.set()
                replies.append(client.read())
        except ReplyError as why:
            replies.append(str(why))
        except (Closed, OSError):
            sent.set()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    sent.wait(PATIENCE_SECONDS)
    return thread, replies


def wait_end(thread, name="the script"):
    thread.join(PATIENCE_SECONDS)
    if thread.is_alive():
        raise AssertionError(f"{name}: still running {PATIENCE_SECONDS} s after SCRIPT KILL")


class EndedEarly(Exception):
    pass


def wait_busy(client, replies=()):
    """Until the server says BUSY. Raises EndedEarly when the script has replied."""
    begin = time.monotonic()
    while True:
        if replies:
            raise EndedEarly(str(replies[0]))
        try:
            client.call("GET", "k")
        except ReplyError as why:
            if str(why).startswith("BUSY"):
                return
            raise
        if time.monotonic() - begin > PATIENCE_SECONDS:
            raise AssertionError("the server never became busy")


@limit(240)
def test_endless_scripts_are_killed_and_the_others_served(binary):
    with Server(binary, ["--busy-reply-threshold", BUSY_MS]) as server, Client(server.port) as client:
        if not is_larder(client):
            raise Skip("the reference cannot end all of them")
        worst = 0
        for name, script in ENDLESS.items():
            thread, replies = run_aside(server, "EVAL", script, 0)
            watch = Stopwatch(server)
            try:
                wait_busy(client, replies)
                waited = watch.seconds()
            except EndedEarly:
                waited = 0
            worst = max(worst, waited - BUSY_MS / 1000)
            if waited >= BUSY_MS / 1000 + SERVING_SECONDS_MAX:
                raise AssertionError(f"{name}: another client waited {waited * 1000:.0f} ms")
            try:
                equal(client.error("SET", "a", "b").startswith("BUSY "), True)
                client.expect_ok("SCRIPT", "KILL")
            except (ReplyError, AssertionError):
                # Garbage that is not collected in time ends a script as well: by its memory.
                if not replies or "ran out of memory" not in str(replies[0]):
                    raise
                continue
            wait_end(thread, name)
            if "Script killed by user" not in str(replies[0]):
                raise AssertionError(f"{name}: {replies[0]!r}")
            equal(client.call("PING"), b"PONG")
            equal(watch.seconds() < 10, True)
        print(f"     the longest wait beyond the threshold: {worst * 1000:.0f} ms")


# A compilation of a second may be over before this process, which waits for a processor, sends its SCRIPT KILL.
ATTEMPTS = 10


def is_killed_while_compiling(server, client, command):
    thread, replies = run_aside(server, *command)
    watch = Stopwatch(server)
    try:
        wait_busy(client, replies)
        equal(watch.seconds() < 10, True)
        watch = Stopwatch(server)
        client.expect_ok("SCRIPT", "KILL")
    except (EndedEarly, ReplyError):
        wait_end(thread)
        client.expect_ok("SCRIPT", "FLUSH")  # it is to be compiled again
        return False
    wait_end(thread)
    equal(watch.seconds() < 1, True)
    equal("Script killed by user" in str(replies[0]), True)
    return True


def test_a_large_source_is_compiled_while_others_are_served(binary):
    with Server(binary, ["--busy-reply-threshold", BUSY_MS]) as server, Client(server.port) as client:
        if not is_larder(client):
            raise Skip("the reference compiles in one step")
        functions = "f = function() " + "a = {1, 2, 3} " * 2000 + "end "
        whole = "local f, a " + functions * 400 + " return 1"
        for command in (("EVAL", whole, 0), ("SCRIPT", "LOAD", whole)):
            equal(any(is_killed_while_compiling(server, client, command) for _ in range(ATTEMPTS)), True)
        equal(client.call("EVAL", "return 1", 0), 1)


def test_a_script_that_has_written_is_not_killed(binary):
    with Server(binary, ["--busy-reply-threshold", BUSY_MS, "--shutdown-timeout", 0]) as server:
        client = Client(server.port)
        catches = "while true do pcall(function() while true do end end) end"
        run_aside(server, "EVAL", "redis.call('set','k','v') " + catches, 0)
        wait_busy(client)
        equal(client.error("SCRIPT", "KILL"),
              "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
              "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
        equal(client.error("FUNCTION", "KILL").startswith(("BUSY", "UNKILLABLE")), True)
        raises_closed(lambda: client.call("SHUTDOWN", "NOSAVE"), "SHUTDOWN NOSAVE")
        server.wait(PATIENCE_SECONDS)
        client.close()


def test_a_busy_server_answers_pipelines_and_new_clients(binary):
    with Server(binary, ["--busy-reply-threshold", BUSY_MS]) as server, Client(server.port) as client:
        thread, replies = run_aside(server, "EVAL", "while true do end", 0)
        wait_busy(client)
        client.send_raw(Client.encode("GET", "a") * 3 + Client.encode("INFO"))
        for _ in range(4):
            try:
                client.read()
                raise AssertionError("an answer while a script runs")
            except ReplyError as why:
                equal(str(why).startswith("BUSY"), True)
        with Client(server.port) as late:
            equal(late.error("PING").startswith("BUSY"), True)
            late.expect_ok("SCRIPT", "KILL")
        wait_end(thread)
        equal(len(replies), 1)
        equal(client.call("PING"), b"PONG")


def test_a_transaction_with_a_long_script_can_be_ended(binary):
    with Server(binary, ["--busy-reply-threshold", BUSY_MS]) as server, Client(server.port) as client:
        with Client(server.port) as other:
            other.expect_ok("MULTI")
            equal(other.call("EVAL", "while true do end", 0), b"QUEUED")
            other.send("EXEC")
            wait_busy(client)
            client.expect_ok("SCRIPT", "KILL")
            equal("killed by user" in str(other.read()[0]), True)
        equal(client.call("PING"), b"PONG")


def test_memory_bombs_end_and_leave_nothing(binary):
    bombs = (
        "local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t = {t, t} end",
        "while true do local t = {} for i = 1, 1000000 do t[i] = {} end _ = t end",
        "local function f(...) return f(1, ...) end return f()",
        "return string.rep(string.rep('x', 1000000), 1000000)",
        "local t = {} for i = 1, 1000000 do t[i] = coroutine.create(function() end) end return #t",
        "return cjson.decode('[' .. string.rep('{\"a\":1},', 10000000) .. '1]')",
    )
    with Server(binary) as server, Client(server.port, seconds=50) as client:
        if not is_larder(client):
            raise Skip("the reference has no limit")
        client.expect_ok("CONFIG", "SET", "script-memory-limit", "32mb")

        def resident_kb():
            with open(f"/proc/{server.process.pid}/status", encoding="ascii") as lines:
                return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
        client.call("EVAL", "return 1", 0)
        before_kb = resident_kb()
        for bomb in bombs:
            watch = Stopwatch(server)
            client.error("EVAL", bomb, 0)
            equal(watch.seconds() < 20, True)
            equal(client.call("EVAL", "return 1", 0), 1)
        # The allocator gives pages back some seconds after they were freed.
        wait_until(lambda: client.call("EVAL", "return 1", 0) and resident_kb() < before_kb + 40 * 1024, seconds=25,
                   what="the memory given back")


def test_flushing_scripts_again_and_again(binary):
    """The timer of processor time of a runtime goes with it."""
    with Server(binary) as server, Client(server.port) as client:
        for round_number in range(50):
            client.call("EVAL", "local n = 0 for i = 1, 1000000 do n = n + i end return n", 0)
            client.expect_ok("SCRIPT", "FLUSH")
        equal(client.call("PING"), b"PONG")
