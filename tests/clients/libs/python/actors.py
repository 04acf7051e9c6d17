"""What the workers of dramatiq and arq run, and their configuration."""

import asyncio
import os
import time

import dramatiq
import redis
from arq import Retry
from arq.connections import RedisSettings
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

URL = f"redis://{os.environ['LARDER_HOST']}:{os.environ['LARDER_PORT']}/0"

# A worker counts as dead when its heart has not beaten for this long; a dead one's messages go back to the queue when
# another worker does its upkeep, which is drawn by lot and sure with maintenance_chance at its highest.
broker = RedisBroker(url=URL, heartbeat_timeout=500, maintenance_chance=999_999)
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def add(a, b):
    return a + b


@dramatiq.actor(store_results=True, max_retries=3, min_backoff=10, max_backoff=20)
def fail_once(key):
    if redis.Redis.from_url(URL).incr(key) == 1:
        raise ValueError("on purpose")
    return "second"


@dramatiq.actor(store_results=True)
def hang_once(key):
    """The first to run it is killed while it sleeps."""
    if redis.Redis.from_url(URL).incr(key) == 1:
        time.sleep(60)
    return "survived"


async def multiply(context, a, b):
    return a * b


async def retried(context):
    if context["job_try"] == 1:
        raise Retry(defer=0.05)
    return context["job_try"]


async def hang_once_in_arq(context):
    """The worker that runs it first is killed."""
    if await context["redis"].incr("app:arq:hangs") == 1:
        await asyncio.sleep(60)
    return context["job_try"]


class WorkerSettings:
    functions = [multiply, retried, hang_once_in_arq]
    redis_settings = RedisSettings.from_dsn(URL)
    poll_delay = 0.05
    burst = False
