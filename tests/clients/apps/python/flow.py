"""What applications in Python build on the server: redis-py's lock and pub/sub, a
retry loop around WATCH, and jobs run by workers of RQ and of Celery, which are
processes of their own."""

import os
import signal
import subprocess
import sys
import threading
import time

import redis
from celery import chord
from redis.exceptions import LockError, WatchError
from rq import Queue, Retry
from rq.command import send_shutdown_command
from rq.job import JobStatus

import jobs
from python_checks import HOST, PORT, STEP_SECONDS, check, equal, finish, wait_until

def connect():
    return redis.Redis(host=HOST, port=PORT)


def locks(client):
    @check("lock_excludes")
    def _():
        inside, most, total = 0, 0, 0

        def work():
            nonlocal inside, most, total
            for _ in range(5):
                with connect().lock("app:lock", timeout=STEP_SECONDS, sleep=0.005):
                    inside += 1
                    most = max(most, inside)
                    time.sleep(0.001)
                    inside -= 1
                    total += 1

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(STEP_SECONDS)
        equal((most, total), (1, 20))

    @check("lock_expires")
    def _():
        first = client.lock("app:lock:2", timeout=0.1)
        assert first.acquire(blocking=False)
        second = client.lock("app:lock:2", timeout=5)
        assert not second.acquire(blocking=False)
        assert second.acquire(blocking_timeout=STEP_SECONDS)
        try:
            first.release()
        except LockError:
            pass
        else:
            raise AssertionError("released a lock that another has")
        second.release()

    @check("lock_extends_and_is_taken_over")
    def _():
        lock = client.lock("app:lock:3", timeout=5)
        assert lock.acquire(blocking=False)
        assert lock.extend(30) and 30000 < client.pttl("app:lock:3") <= 35000
        assert lock.reacquire() and client.pttl("app:lock:3") <= 5000
        assert lock.owned()
        lock.release()
        equal(client.exists("app:lock:3"), 0)


def messages_of(listener, count):
    got = []
    until = time.monotonic() + STEP_SECONDS
    while len(got) < count and time.monotonic() < until:
        message = listener.get_message(ignore_subscribe_messages=True, timeout=1)
        if message is not None:
            got.append(message)
    return got


def pubsub(client):
    @check("pubsub_messages_in_order")
    def _():
        with client.pubsub() as listener:
            listener.subscribe("app:news")
            equal(listener.get_message(timeout=STEP_SECONDS)["type"], "subscribe")
            pipe = client.pipeline(transaction=False)
            for i in range(1000):
                pipe.publish("app:news", i)
            equal(set(pipe.execute()), {1})
            equal([int(m["data"]) for m in messages_of(listener, 1000)], list(range(1000)))

    @check("pubsub_patterns")
    def _():
        with client.pubsub() as listener:
            listener.psubscribe("app:*:done", "app:[ab]")
            wait_until(lambda: client.pubsub_numpat() == 2, "two patterns")
            for channel in ("app:x:done", "app:c", "app:a", "other"):
                client.publish(channel, channel)
            got = messages_of(listener, 2)
            equal([(m["pattern"], m["channel"]) for m in got],
                  [(b"app:*:done", b"app:x:done"), (b"app:[ab]", b"app:a")])

    @check("pubsub_in_a_thread")
    def _():
        got = []
        listener = client.pubsub()
        listener.subscribe(**{"app:thread": got.append})
        wait_until(lambda: client.publish("app:thread", "hello") == 1, "a subscriber")
        thread = listener.run_in_thread(sleep_time=0.01)
        wait_until(lambda: got, "the message")
        equal(got[0]["data"], b"hello")
        thread.stop()
        thread.join(STEP_SECONDS)
        wait_until(lambda: client.publish("app:thread", "gone") == 0, "no subscriber")


def transactions(client):
    @check("watch_retry_loop")
    def _():
        client.delete("app:balance")
        retries = []

        def deposit(pipe):
            value = int(pipe.get("app:balance") or 0)
            time.sleep(0.0005)
            pipe.multi()
            pipe.set("app:balance", value + 1)

        def work():
            mine = connect()
            for _ in range(10):
                while True:
                    try:
                        with mine.pipeline() as pipe:
                            pipe.watch("app:balance")
                            deposit(pipe)
                            pipe.execute()
                            break
                    except WatchError:
                        retries.append(1)

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(STEP_SECONDS)
        equal(int(client.get("app:balance")), 40)
        assert retries, "nobody was ever in the way"


def start(*command):
    return subprocess.Popen([sys.executable, "-m", *command], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def process_of(client, key):
    """Waits for the process that runs jobs.hang_once(key) first."""
    wait_until(lambda: client.llen(key) == 1, "the start of a job")
    return int(client.lindex(key, 0))


def rq_jobs(client):
    queue = Queue("app", connection=client)

    def start_worker(name):
        return start("rq.cli", "worker", "--url", jobs.URL, "--name", name, "app")

    worker = start_worker("rq-worker-1")

    @check("rq_runs_jobs")
    def _():
        enqueued = [queue.enqueue(jobs.add, i, 1) for i in range(3)]
        dependent = queue.enqueue(jobs.add, 10, 20, depends_on=enqueued)
        wait_until(lambda: dependent.get_status() == JobStatus.FINISHED, "the dependent job")
        equal([job.return_value() for job in enqueued], [1, 2, 3])
        equal(dependent.return_value(), 30)

    @check("rq_keeps_failures")
    def _():
        job = queue.enqueue(jobs.fail)
        wait_until(lambda: job.get_status() == JobStatus.FAILED, "the failure")
        assert job.id in queue.failed_job_registry
        assert "on purpose" in job.latest_result().exc_string

    @check("rq_repeats_the_job_of_a_killed_process")
    def _():
        job = queue.enqueue(jobs.hang_once, "app:rq:1", retry=Retry(max=1))
        os.kill(process_of(client, "app:rq:1"), signal.SIGKILL)
        wait_until(lambda: job.get_status() == JobStatus.FINISHED, "the second run")
        equal(job.return_value(), "survived")

    @check("rq_recovers_a_killed_worker")
    def _():
        nonlocal worker
        job = queue.enqueue(jobs.hang_once, "app:rq:2", retry=Retry(max=1))
        its_process = process_of(client, "app:rq:2")
        worker.kill()
        os.kill(its_process, signal.SIGKILL)
        worker.wait(STEP_SECONDS)
        # The signs of life are made old by hand: they count for a minute at least.
        registry = queue.started_job_registry.key
        equal(client.zadd(registry, {name: 1 for name in client.zrange(registry, 0, -1)}, ch=True), 1)
        worker = start_worker("rq-worker-2")
        wait_until(lambda: job.get_status() == JobStatus.FINISHED, "the second run")
        equal(job.return_value(), "survived")

    @check("rq_worker_is_told_to_stop")
    def _():
        send_shutdown_command(client, "rq-worker-2")
        equal(worker.wait(STEP_SECONDS), 0)

    if worker.poll() is None:
        worker.kill()


def celery_tasks(client):
    def start_worker():
        return start("celery", "-A", "jobs", "worker", "--pool", "solo", "--loglevel", "ERROR",
                     "--without-gossip", "--without-mingle")

    worker = start_worker()

    @check("celery_runs_tasks")
    def _():
        results = [jobs.multiply.delay(i, 3) for i in range(5)]
        equal([r.get(timeout=STEP_SECONDS) for r in results], [0, 3, 6, 9, 12])

    @check("celery_chord")
    def _():
        result = chord([jobs.multiply.s(i, i) for i in range(4)])(jobs.total.s())
        equal(result.get(timeout=STEP_SECONDS), 14)

    @check("celery_countdown")
    def _():
        began = time.monotonic()
        equal(jobs.multiply.apply_async((6, 7), countdown=0.3).get(timeout=STEP_SECONDS), 42)
        assert time.monotonic() - began > 0.25

    @check("celery_recovers_a_killed_worker")
    def _():
        nonlocal worker
        result = jobs.hang_once_late.delay("app:celery")
        process_of(client, "app:celery")
        killed = time.monotonic()
        worker.kill()
        worker.wait(STEP_SECONDS)
        time.sleep(max(0, killed + 2.5 - time.monotonic()))  # the message has been invisible for long enough
        worker = start_worker()
        equal(result.get(timeout=STEP_SECONDS), "survived")

    worker.terminate()
    try:
        worker.wait(STEP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()


client = connect()
locks(client)
pubsub(client)
transactions(client)
rq_jobs(client)
celery_tasks(client)
finish()
