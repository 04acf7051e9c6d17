"""A process that counts in limits, fills a cache and takes one of several messages, and is killed then. Also what both
it and flow.py configure."""

import asyncio
import time

import redis
from django.conf import settings
from limits import RateLimitItemPerHour
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from python_checks import HOST, PORT

STRATEGIES = (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter)
ITEM = RateLimitItemPerHour(5)
CHANNEL = "app-jobs"

settings.configure(CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache",
                                       "LOCATION": f"redis://{HOST}:{PORT}/1", "KEY_PREFIX": "site"}})


def limiters():
    storage = storage_from_string(f"redis://{HOST}:{PORT}")
    return [strategy(storage) for strategy in STRATEGIES]


def layer():
    from channels_redis.core import RedisChannelLayer
    return RedisChannelLayer(hosts=[(HOST, PORT)])


async def take_a_message():
    message = await layer().receive(CHANNEL)
    # Nothing else of the event loop runs any more: the layer has not heard that the message is done with.
    redis.Redis(host=HOST, port=PORT).rpush("app:took", message["n"])
    time.sleep(60)


def main():
    from django.core.cache import cache
    for limiter in limiters():
        for _ in range(4):
            limiter.hit(ITEM, "dying", type(limiter).__name__)
    cache.set("dying", ["kept"], timeout=60)
    asyncio.run(take_a_message())


if __name__ == "__main__":
    main()
