"""What the workers of RQ and Celery run, and Celery's own configuration."""

import os

from celery import Celery

URL = f"redis://{os.environ['LARDER_HOST']}:{os.environ['LARDER_PORT']}/0"

app = Celery("jobs", broker=URL, backend=URL)
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=False,
                result_expires=60, worker_prefetch_multiplier=1)


def add(a, b):
    return a + b


def fail():
    raise ValueError("on purpose")


@app.task
def multiply(a, b):
    return a * b


@app.task
def total(numbers):
    return sum(numbers)
