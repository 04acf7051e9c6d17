"""The probe of the measurements: what another client waits while something else goes on.

A process of its own (a thread would wait for the interpreter's lock) sends a PING every fraction of a millisecond and records how
long each answer took. It has real-time priority on the core of the load, so that it does not wait for the load. With each wait it
records what processor time the server used in it, as exactly as the kernel tells it of a running process (to a timer tick, 4 ms): a
wait of 20 ms in which the server did not run was the machine's, or the server waited for something that is not the processor.

    with Probe(server) as probe:
        ...
    print(probe.figures())
"""

import array
import gc
import multiprocessing
import os
import sys
import time

from servers import RespClient, Server, cpu_clock
from witness import Witness, take_core


def loop_alone_on(core: int, server: Server) -> None:
    """The server's first thread on a core of its own; its helpers (threads, forked processes) where the system puts them. It has no
    real-time priority: the kernel stops real-time threads that are busy for a whole second, 50 ms at a time."""
    os.sched_setaffinity(server.process.pid, {core})
    let_helpers_run(server)


def before_other_programs(server: Server) -> None:
    """The server's first thread gets its core before other programs with the usual priority (the machine's own services), whose
    slices would be waits of milliseconds. What it starts afterwards inherits that."""
    try:
        os.setpriority(os.PRIO_PROCESS, server.process.pid, -20)
    except PermissionError:
        print("note: no right to a higher priority, so waits for other programs count too", file=sys.stderr)


def let_helpers_run(server: Server) -> None:
    """To be called again when the server may have more of them: they inherit the core."""
    pid = str(server.process.pid)
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        helpers = [*children.read().split(), *(thread for thread in os.listdir(f"/proc/{pid}/task") if thread != pid)]
    for helper in helpers:
        try:
            os.sched_setaffinity(int(helper), range(os.cpu_count()))
        except ProcessLookupError:
            pass


def at(ordered, share: float) -> float:
    """The element at a share of an ordered sequence; nan when it is empty."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if len(ordered) else float("nan")


def ask(port: int, pid: int, core: int, interval_s: float, ready, stop, results) -> None:
    take_core(core, 20)
    gc.disable()  # it would walk all that the parent holds: a wait of 100 ms and more that is not the server's
    samples = array.array("d")
    try:
        clock = cpu_clock(pid)
        client = RespClient(port)
        client.call("PING")
        ready.set()
        while not stop.is_set():
            cpu = time.clock_gettime(clock)
            begin = time.perf_counter()
            client.call("PING")
            wait = time.perf_counter() - begin
            samples.extend((time.time() * 1000, wait * 1000, (time.clock_gettime(clock) - cpu) * 1000))
            time.sleep(interval_s)
    finally:
        results.put(samples.tobytes())


class Probe:
    def __init__(self, server: Server, core: int = 1, interval_s: float = 0.0003):
        self._ready, self._stop, self._results = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
        self._process = multiprocessing.Process(
            target=ask, args=(server.port, server.process.pid, core, interval_s, self._ready, self._stop, self._results), daemon=True)
        self._samples = array.array("d")
        self._witness = Witness()

    def start(self) -> None:
        self._witness.start()
        self._process.start()
        if not self._ready.wait(10):
            raise RuntimeError("the probe did not start")

    def finish(self) -> None:
        self._stop.set()
        self._samples = array.array("d", self._results.get())
        self._process.join()
        self._witness.finish()
        if self._process.exitcode != 0:
            raise RuntimeError("the probe ended with an error")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.finish()

    def waits_ms(self, from_ms: float = 0, to_ms: float = float("inf")) -> list[float]:
        """In order of length; those of answers that came between two moments (milliseconds of the wall clock)."""
        return sorted(wait for moment, wait in zip(self._samples[::3], self._samples[1::3]) if from_ms <= moment <= to_ms)

    def own_waits_ms(self) -> list[float]:
        """The waits in order of length, each without what the witnesses saw of the machine standing still in it."""
        return sorted(wait - 1000 * self._witness.stopped_s(moment / 1000 - wait / 1000, moment / 1000)
                      for moment, wait in zip(self._samples[::3], self._samples[1::3]))

    def longest(self) -> tuple[float, float]:
        """The longest wait in ms, and the processor time of the server in it."""
        return max(zip(self._samples[1::3], self._samples[2::3]))

    def figures(self) -> dict:
        waits = self.waits_ms()
        found = {"samples": len(waits)} | {name: round(at(waits, share), 3) for name, share in
                                           (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999), ("max_ms", 1))}
        own = self.own_waits_ms()
        return found | {"cpu_of_the_longest_ms": round(self.longest()[1], 1), "over_1_ms": sum(wait > 1 for wait in waits),
                        "without_stops_max_ms": round(own[-1], 3), "without_stops_over_1_ms": sum(wait > 1 for wait in own)}
