"""What the Python programs share: running named checks. A check prints one line, "ok NAME" or "fail NAME: why", which is
what the runner counts."""

import os
import sys
import time
import traceback

HOST = os.environ["LARDER_HOST"]
PORT = int(os.environ["LARDER_PORT"])
STEP_SECONDS = 20  # the workers start within it on a loaded machine

failures = []


def check(name):
    """Runs the decorated function at once and prints how it went."""

    def run(body):
        try:
            body()
            print(f"ok {name}", flush=True)
        except Exception:
            failures.append(name)
            why = " ".join(traceback.format_exc().split())
            print(f"fail {name}: {why[-400:]}", flush=True)
        return body

    return run


def equal(seen, expected):
    assert seen == expected, f"{seen!r} is not {expected!r}"


def between(seen, low, high):
    assert low <= seen <= high, f"{seen!r} is not within {low}..{high}"


def wait_until(condition, what):
    until = time.monotonic() + STEP_SECONDS
    while not condition():
        assert time.monotonic() < until, f"{what} did not come true"
        time.sleep(0.02)


def finish():
    print("end")
    sys.exit(1 if failures else 0)
