"""Libraries whose work is done by scripts or by many small commands, and the middleware of docs/examples/fastapi: rate
limits, a cache, channels, and jobs whose worker is killed in the middle."""

import asyncio
import datetime
import os
import signal
import subprocess
import sys
import time

import redis
import redis.asyncio

import actors
import dying
from python_checks import HOST, PORT, STEP_SECONDS, between, check, equal, finish, wait_until
from rate_limit import Limit, RateLimitMiddleware


async def get(app, path):
    """One request to an application of ASGI, without a socket between: status and headers."""
    answer = {}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
            answer["headers"] = {name.decode(): value.decode() for name, value in message["headers"]}

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
             "raw_path": path.encode(), "query_string": b"", "headers": [], "scheme": "http",
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "root_path": ""}
    await app(scope, receive, send)
    return answer["status"], answer["headers"]


def fastapi_example(client):
    from fastapi import FastAPI

    async def answers(protocol, paths):
        limiter = redis.asyncio.Redis(host=HOST, port=PORT, protocol=protocol)
        app = FastAPI()
        app.add_middleware(RateLimitMiddleware, client=limiter, limits=lambda request: [
            Limit(f"limit:path:{request.url.path}", "GCRA", 2, 60_000), Limit("limit:all", "FIXED", 3, 60_000)])
        app.get("/a")(lambda: "served")
        app.get("/b")(lambda: "served")
        got = [await get(app, path) for path in paths]
        await limiter.aclose()
        return got

    for protocol in (2, 3):
        client.flushall()

        @check("fastapi_example_limits")
        def _():
            got = asyncio.run(answers(protocol, ["/a", "/a"]))
            equal([status for status, _ in got], [200, 200])
            equal([(h["ratelimit-limit"], h["ratelimit-remaining"], h["ratelimit-reset"]) for _, h in got],
                  [("2", "1", "30"), ("2", "0", "60")])

        @check("fastapi_example_refuses_with_headers")
        def _():
            got = asyncio.run(answers(protocol, ["/a", "/b", "/b"]))
            equal([status for status, _ in got], [429, 200, 429])
            between(int(got[0][1]["retry-after"]), 28, 30)
            between(int(got[2][1]["retry-after"]), 50, 60)


def limits_library():
    from limits import RateLimitItemPerSecond
    from limits.storage import storage_from_string
    from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

    storage = storage_from_string(f"redis://{HOST}:{PORT}")
    for name, strategy in (("limits_fixed_window", FixedWindowRateLimiter), ("limits_moving_window", MovingWindowRateLimiter),
                           ("limits_sliding_window", SlidingWindowCounterRateLimiter)):
        @check(name)
        def _():
            limiter, item = strategy(storage), RateLimitItemPerSecond(5)
            # A window of the clock may end in between: then the other half of the requests finds room in the next one.
            allowed = sum(limiter.hit(item, name, "me") for _ in range(20))
            between(allowed, 5, 10)
            stats = limiter.get_window_stats(item, name, "me")
            between(stats.remaining, 0, 5)
            wait_until(lambda: limiter.test(item, name, "me"), "room in the limit")
            limiter.clear(item, name, "me")
            equal(limiter.get_window_stats(item, name, "me").remaining, 5)


def django_cache():
    from django.core.cache import cache

    @check("django_cache")
    def _():
        cache.set("user", {"name": "Ada", "tags": [1, 2]}, timeout=60)
        equal(cache.get("user"), {"name": "Ada", "tags": [1, 2]})
        cache.set_many({f"k{i}": i for i in range(100)})
        equal(cache.get_many([f"k{i}" for i in range(100)] + ["none"]), {f"k{i}": i for i in range(100)})
        equal(cache.add("user", "other"), False)
        equal(cache.get_or_set("made", lambda: "value"), "value")
        equal(cache.delete_many(["user", "made"]), None)
        equal(cache.get("user", "gone"), "gone")

    @check("django_cache_expires_and_counts")
    def _():
        cache.set("visits", 0)
        equal([cache.incr("visits") for _ in range(3)], [1, 2, 3])
        equal(cache.decr("visits", 2), 1)
        cache.set("short", "x", timeout=1)
        equal(cache.touch("short", 60), True)
        cache.set("shorter", "x", timeout=1)
        wait_until(lambda: cache.get("shorter") is None, "the end of a key")
        equal(cache.get("short"), "x")
        cache.clear()
        equal(cache.get("visits"), None)


def channels_layer():
    from channels_redis.core import RedisChannelLayer

    async def groups():
        layers = [RedisChannelLayer(hosts=[(HOST, PORT)]) for _ in range(2)]
        names = [await layer.new_channel() for layer in layers]
        for layer, name in zip(layers, names):
            await layer.group_add("room", name)
        await layers[0].group_send("room", {"type": "chat", "text": "hello"})
        got = [await asyncio.wait_for(layer.receive(name), STEP_SECONDS) for layer, name in zip(layers, names)]
        await layers[1].group_discard("room", names[1])
        await layers[0].group_send("room", {"type": "chat", "text": "only you"})
        got.append(await asyncio.wait_for(layers[0].receive(names[0]), STEP_SECONDS))
        await layers[1].send(names[0], {"type": "direct", "n": 1})
        got.append(await asyncio.wait_for(layers[0].receive(names[0]), STEP_SECONDS))
        for layer in layers:
            await layer.close_pools()
        return [message.get("text", message["type"]) for message in got]

    @check("channels_groups")
    def _():
        equal(asyncio.run(groups()), ["hello", "hello", "only you", "direct"])


def start(*command):
    """A worker in a process group of its own."""
    return subprocess.Popen([sys.executable, "-m", *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def stop(worker, number=signal.SIGTERM):
    os.killpg(worker.pid, number)
    worker.wait(STEP_SECONDS)


def dramatiq_actors(client):
    def run_worker():
        return start("dramatiq", "actors", "--processes", "1", "--threads", "2")

    worker = run_worker()

    @check("dramatiq_runs_actors")
    def _():
        sums = [actors.add.send(i, 1) for i in range(10)]
        equal([m.get_result(block=True, timeout=STEP_SECONDS * 1000) for m in sums], list(range(1, 11)))
        late = actors.add.send_with_options(args=(1, 2), delay=200)
        again = actors.fail_once.send("app:tries")
        equal(late.get_result(block=True, timeout=STEP_SECONDS * 1000), 3)
        equal(again.get_result(block=True, timeout=STEP_SECONDS * 1000), "second")

    @check("dramatiq_recovers_a_killed_worker")
    def _():
        nonlocal worker
        message = actors.hang_once.send("app:hangs")
        wait_until(lambda: client.get("app:hangs") == b"1", "the start of the job")
        stop(worker, signal.SIGKILL)
        time.sleep(0.6)  # the heart has stopped for long enough
        worker = run_worker()
        equal(message.get_result(block=True, timeout=STEP_SECONDS * 1000), "survived")

    stop(worker, signal.SIGKILL)


def arq_jobs(client):
    from arq import create_pool
    from arq.jobs import Job

    async def run():
        pool = await create_pool(actors.WorkerSettings.redis_settings)
        jobs = [await pool.enqueue_job("multiply", i, 3) for i in range(5)]
        late = await pool.enqueue_job("multiply", 6, 7, _defer_by=datetime.timedelta(milliseconds=200))
        again = await pool.enqueue_job("retried", _job_id="only-once")
        equal(await pool.enqueue_job("retried", _job_id="only-once"), None)
        got = [await job.result(timeout=STEP_SECONDS, poll_delay=0.02) for job in [*jobs, late, again]]
        await pool.aclose()
        return got

    worker = start("arq", "actors.WorkerSettings")

    @check("arq_runs_and_retries")
    def _():
        equal(asyncio.run(run()), [0, 3, 6, 9, 12, 42, 2])

    @check("arq_recovers_a_killed_worker")
    def _():
        nonlocal worker

        async def enqueue():
            pool = await create_pool(actors.WorkerSettings.redis_settings)
            await pool.enqueue_job("hang_once_in_arq", _job_id="hangs")
            await pool.aclose()

        async def result():
            pool = await create_pool(actors.WorkerSettings.redis_settings)
            got = await Job("hangs", pool).result(timeout=STEP_SECONDS, poll_delay=0.02)
            await pool.aclose()
            return got

        asyncio.run(enqueue())
        wait_until(lambda: client.get("app:arq:hangs") == b"1", "the start of the job")
        stop(worker, signal.SIGKILL)
        # The mark of the dead is made short by hand: it counts for the job's time limit and ten seconds more.
        equal(client.pexpire("arq:in-progress:hangs", 200), True)
        worker = start("arq", "actors.WorkerSettings")
        equal(asyncio.run(result()), 2)

    stop(worker)


def survivors(client):
    """What a process leaves behind that was killed."""
    async def send():
        channel = dying.layer()
        for n in range(3):
            await channel.send(dying.CHANNEL, {"type": "job", "n": n})
        await channel.close_pools()

    async def receive(count):
        channel = dying.layer()
        got = [await asyncio.wait_for(channel.receive(dying.CHANNEL), STEP_SECONDS) for _ in range(count)]
        await channel.close_pools()
        return [message["n"] for message in got]

    asyncio.run(send())
    process = start("dying")
    wait_until(lambda: client.llen("app:took") == 1, "a message that is taken")
    stop(process, signal.SIGKILL)

    @check("channels_bring_a_killed_process_message_again")
    def _():
        equal(client.lrange("app:took", 0, -1), [b"0"])
        equal(asyncio.run(receive(3)), [0, 1, 2])

    @check("limits_outlive_a_killed_process")
    def _():
        for limiter in dying.limiters():
            name = type(limiter).__name__
            equal([limiter.hit(dying.ITEM, "dying", name) for _ in range(2)], [True, False])

    @check("django_cache_outlives_a_killed_process")
    def _():
        from django.core.cache import cache
        equal(cache.get("dying"), ["kept"])


client = redis.Redis(host=HOST, port=PORT)
fastapi_example(client)
limits_library()
django_cache()
channels_layer()
dramatiq_actors(client)
arq_jobs(client)
survivors(client)
finish()
