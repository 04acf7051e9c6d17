"""What the workers of RQ and Celery run, and Celery's own configuration."""

import os
import time

import redis
from celery import Celery

URL = f"redis://{os.environ['LARDER_HOST']}:{os.environ['LARDER_PORT']}/0"

app = Celery("jobs", broker=URL, backend=URL)
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=False,
                result_expires=60, worker_prefetch_multiplier=1,
                # A message that no worker has confirmed for so many seconds is another's.
                broker_transport_options={"visibility_timeout": 2})


def add(a, b):
    return a + b


def fail():
    raise ValueError("on purpose")


def hang_once(key):
    """The first to run it is killed while it sleeps; its process is told in the list."""
    if redis.Redis.from_url(URL).rpush(key, os.getpid()) == 1:
        time.sleep(60)
    return "survived"


hang_once_late = app.task(hang_once, acks_late=True, name="hang_once_late")


@app.task
def multiply(a, b):
    return a * b


@app.task
def total(numbers):
    return sum(numbers)
