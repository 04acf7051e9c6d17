"""Witnesses of the machine's own stops.

A virtual machine is stopped by its host now and then, for milliseconds, and a clock beside a request counts that as the request's
wait. A witness is a process with the highest real-time priority on a core that only sleeps for a fraction of a millisecond and looks
at the clock: no thread of a server can keep it from its core, so that where it comes late the core itself stood still (or the kernel
let nobody in). A stop counts from the moment at which the witness was due, so up to one interval of each is not seen: what is
subtracted from a wait is never more than what the machine took.
"""

import array
import bisect
import gc
import multiprocessing
import os
import sys
import time

INTERVAL_S = 0.0002
SLACK_S = 0.0001  # what waking up takes when nothing is wrong


def take_core(core: int, priority: int) -> bool:
    """Pins this thread to a core, with real-time priority there, if it may have that. What it forks has none."""
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except PermissionError:
        print("note: no right to real-time priority, so waits for a core count too", file=sys.stderr)
        return False
    return True


def watch(core: int, ready, stop, results) -> None:
    late = array.array("d")
    gc.disable()
    may_tell = take_core(core, 40)
    before = time.time()
    ready.set()
    try:
        while not stop.is_set():
            time.sleep(INTERVAL_S)
            now = time.time()
            due = before + INTERVAL_S + SLACK_S
            if now > due and may_tell:
                late.extend((due, now))
            before = now
    finally:
        results.put(late.tobytes())


class Witness:
    def __init__(self, cores=range(os.cpu_count())):
        self._stop = multiprocessing.Event()
        self._queues, self._processes, self._ready = [], [], []
        for core in cores:
            self._queues.append(multiprocessing.Queue())
            self._ready.append(multiprocessing.Event())
            self._processes.append(
                multiprocessing.Process(target=watch, args=(core, self._ready[-1], self._stop, self._queues[-1]), daemon=True))
        self._begins, self._ends = [], []

    def start(self) -> None:
        for process, ready in zip(self._processes, self._ready):
            process.start()
            if not ready.wait(10):
                raise RuntimeError("a witness did not start")

    def finish(self) -> None:
        self._stop.set()
        stops = []
        for queue, process in zip(self._queues, self._processes):
            late = array.array("d", queue.get())
            process.join()
            stops.extend(zip(late[::2], late[1::2]))
        for begin, end in sorted(stops):
            if self._ends and begin <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._begins.append(begin)
                self._ends.append(end)

    def stopped_s(self, begin: float, end: float) -> float:
        """How long any core was seen to stand still between two moments of the wall clock, in seconds."""
        found = 0.0
        for index in range(bisect.bisect_right(self._ends, begin), len(self._begins)):
            if self._begins[index] >= end:
                break
            found += min(end, self._ends[index]) - max(begin, self._begins[index])
        return found
