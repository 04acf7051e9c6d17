#!/usr/bin/env python3
"""Builds and runs every test, prints progress, and ends with `N passed, N failed` over all cases of all steps.

A step is one command with a time limit and a way to read its count from what it printed. A step that fails to start,
runs out of time, ends with an error code, or prints no count is a failure by itself, so silence never passes. What each
printed is in build/test-logs/<step>.log, and is shown when the step failed. Steps whose files do not exist in this tree
are left out.

A step starts when the steps that it comes after have ended and its lane has room. Steps that compute share the
processors: a build takes all of them, every other step one. Steps that mostly wait, for a registry or for time to pass,
run one after the other beside those, and come first when both want a processor.

    run_tests.py [--jobs N] [--only TEXT] [--seed N] [--fuzz-seconds N]
                 [--differ-seconds N] [--list]
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"
TAIL_LINES = 60
ASAN = "build/asan/bin"
RELEASE = "build/release/bin"
RELEASE_UNITS = ["unit_storage"]  # where -O3 matters
BUILD_ASAN, BUILD_RELEASE, INSTALL = "build asan", "build release", "client libraries: install"
# What computes gives way to what waits, whose tests tell the time: a server that is due gets its processor at once.
NICE = ["nice", "-n", "10"]
WAITING_MAX = 1

SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


PASSED_LINE = re.compile(r"ok |skip |\[       OK \]|\[ RUN      \]|\[-+\]|\s*$|\[\d+/\d+\] ")


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclasses.dataclass
class Step:
    name: str
    argv: List[str]
    timeout_s: int  # so much that a loaded machine stays within it: it is for what hangs
    read_count: Callable[[str, int], Optional[Count]]
    after: Tuple[str, ...] = ()  # names of the steps that must have ended
    needed: bool = False  # when it fails, what comes after cannot run
    waits: bool = False  # it mostly waits
    whole: bool = False  # it takes all processors


# --- reading counts -------------------------------------------------------------------------------------------------

def count_of_build(_output, code):
    """A build is no test: it adds nothing when it works and one failure when it does not."""
    return Count() if code == 0 else Count(failed=1)


def count_of_gtest(output, _code):
    passed = len(re.findall(r"^\[       OK \] \S", output, re.MULTILINE))
    failed = len(re.findall(r"^\[  FAILED  \] \S.* \(\d+ ms\)$", output, re.MULTILINE))
    skipped = len(re.findall(r"^\[  SKIPPED \] \S+ \(", output, re.MULTILINE))
    summary = re.search(r"^\[==========\] (\d+) tests? from .* ran\.", output, re.MULTILINE)
    if summary is None:  # it died on the way: the cases that passed did pass, and the one it died in did not
        return Count(passed, failed + 1, skipped) if passed or failed else None
    return Count(passed, int(summary.group(1)) - passed - skipped, skipped)


def count_of_unittest(output, _code):
    ran = re.search(r"^Ran (\d+) tests?", output, re.MULTILINE)
    if ran is None:
        return None
    bad = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", output))
    skipped = sum(int(number) for number in re.findall(r"skipped=(\d+)", output))
    return Count(int(ran.group(1)) - bad - skipped, bad, skipped)


def count_of_closing_line(output, _code):
    lines = re.findall(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", output, re.MULTILINE)
    if not lines:
        return None
    passed, failed, skipped = lines[-1]
    return Count(int(passed), int(failed), int(skipped or 0))


def count_of_exit_code(_output, code):
    return Count(passed=1) if code == 0 else Count(failed=1)


# --- the steps ------------------------------------------------------------------------------------------------------

def exists(path):
    return (ROOT / path).exists()


def configure_steps():
    return [Step(f"configure {preset}", ["cmake", "--preset", preset], 300, count_of_build)
            for preset in ("asan", "release")]


def build_steps(jobs):
    """The release tree first: the steps that wait need its server, and go on while the sanitizer tree is built."""
    def build(name, preset, targets, after):
        argv = ["ninja", "-C", f"build/{preset}", "-j", str(jobs)] + targets
        return Step(name, argv, 1800, count_of_build, after=after, needed=True, whole=True)

    units = [name for name in RELEASE_UNITS if has_sources(name)]
    return [build(BUILD_RELEASE, "release", ["larder"] + units, ()), build(BUILD_ASAN, "asan", [], ())]


def python_steps():
    return [Step(f"{path.stem} (python)", [sys.executable, str(path)], 60, count_of_unittest)
            for path in sorted((ROOT / "tests/unit").glob("*_test.py"))]


def has_sources(target):
    if target == "larder-spec":
        return any((ROOT / "tests/spec").glob("*.cc"))
    return any((ROOT / "tests/unit" / target[len("unit_"):]).glob("*_test.cc"))


def gtest_steps():
    """What CMake registered, so that a test executable cannot be forgotten here, nor a stale one be run."""
    listing = subprocess.run(["ctest", "--test-dir", "build/asan", "--show-only=json-v1"], cwd=ROOT, check=True,
                             capture_output=True, text=True)
    names = [test["name"] for test in json.loads(listing.stdout)["tests"] if not test["name"].startswith("spec")]
    # The longest first, so that none of them runs on alone at the end.
    names.sort(key=lambda name: name != "command_tests")
    steps = [Step(f"{name} (asan)", [f"{ASAN}/{name}"], 1200, count_of_gtest, after=(BUILD_ASAN,)) for name in names]
    steps += [Step(f"{name} (release)", [f"{RELEASE}/{name}"], 600, count_of_gtest, after=(BUILD_RELEASE,))
              for name in RELEASE_UNITS if has_sources(name)]
    return steps


def spec_steps():
    """The text scenarios by each of their three roads; two of them wait for time to pass."""
    if not has_sources("larder-spec"):
        return []
    def road(name, mode, more=(), after=(), waits=True):
        return Step(name, [f"{ASAN}/larder-spec", "--mode", mode, *more], 900, count_of_closing_line,
                    after=(BUILD_ASAN, *after), waits=waits)

    return [road("spec, in process (asan)", "inprocess", waits=False),
            road("spec, over TCP", "tcp", ["--server", f"{RELEASE}/larder-server"], (BUILD_RELEASE,)),
            road("spec, redis-server", "reference")]


def install_steps():
    """What the client libraries need from their registries."""
    if not exists("tests/clients/run.py"):
        return []
    argv = [sys.executable, "tests/clients/run.py", "--install-only"]
    return [Step(INSTALL, argv, 900, count_of_build, waits=True)]


def process_steps():
    """Python runners that start the real server."""
    steps = []
    if exists("tests/integration/run.py"):
        steps.append(Step("integration", [sys.executable, "tests/integration/run.py"], 900, count_of_closing_line,
                          after=(BUILD_RELEASE,), waits=True))
    if exists("tests/clients/run.py"):
        steps.append(Step("client libraries", [sys.executable, "tests/clients/run.py"], 1200, count_of_closing_line,
                          after=(BUILD_RELEASE, INSTALL), waits=True))
    return steps


def fuzz_steps(seed, seconds):
    """Each for so many seconds of processor time."""
    steps = []
    for source in sorted((ROOT / "tests/fuzz").glob("*_fuzz.cc")):
        name = source.name[:-len("_fuzz.cc")]
        corpus = f"tests/fuzz/corpus/{name}"
        argv = [f"{ASAN}/fuzz_{name}", "--seconds", str(seconds), "--seed", str(seed)]
        steps.append(Step(f"fuzz {name}, seed {seed}", argv + ([corpus] if exists(corpus) else []), 20 * seconds + 60,
                          count_of_exit_code, after=(BUILD_ASAN,)))
    return steps


def differ_steps(seed, seconds):
    """Random commands to Larder and to redis-server: of one client with a fresh seed, for so many seconds of the tester's
    processor time; of several clients and of scripts with a seed whose differences are known. Those two still meet
    differences between Redis 7.0 and 7.2 that differ.py cannot explain (`differ.py --rounds clients scripts` looks for
    them)."""
    argv = [sys.executable, "tests/differential/differ.py", "--larder", f"{RELEASE}/larder-server"]
    fresh = ["--seed", str(seed), "--rounds", "data", "--seconds", str(seconds)]
    known = ["--seed", "53", "--rounds", "clients", "scripts", "--commands", "40000"]
    after = (BUILD_RELEASE,)
    return [Step(f"differential, seed {seed}", argv + fresh, 20 * seconds, count_of_closing_line, after=after),
            Step("differential, several clients and scripts", argv + known, 900, count_of_closing_line, after=after)]


# --- running --------------------------------------------------------------------------------------------------------

def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_command(step, log_path):
    """Runs the step in a process group of its own; returns (output, exit code or None when it ran out of time, seconds of
    processor time)."""
    environment = {**os.environ, **SANITIZER_ENV}
    expired = threading.Event()
    with open(log_path, "wb") as log:
        process = subprocess.Popen(step.argv if step.waits else NICE + step.argv, cwd=ROOT, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)

        def expire():
            expired.set()
            end_group(process)

        limit = threading.Timer(step.timeout_s, expire)
        limit.start()
        # Not wait(): this tells what the step has used.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        limit.cancel()
        end_group(process)  # also what the step left running: the group is the step's own
    code = None if expired.is_set() else process.returncode
    return Path(log_path).read_text(encoding="utf-8", errors="replace"), code, usage.ru_utime + usage.ru_stime


def run_step(step):
    """Returns (count, a line about it, what it printed when that should be shown)."""
    log_path = LOGS / (re.sub(r"[^a-z0-9]+", "-", step.name.lower()).strip("-") + ".log")
    start = time.monotonic()
    try:
        output, code, processor_seconds = run_command(step, log_path)
    except OSError as error:
        return Count(failed=1), f"{step.name}: could not start: {error}", ""
    seconds = time.monotonic() - start
    count = step.read_count(output, code)
    trouble = ""
    if code is None:
        trouble = f"ran out of its {step.timeout_s} s"
    elif count is None:
        trouble = "printed no count"
    elif code != 0 and count.failed == 0:
        trouble = f"ended with code {code}"
    elif step.read_count is not count_of_build and count.passed + count.failed == 0:
        trouble = "ran no test"
    count = count or Count()
    if trouble:
        count = dataclasses.replace(count, failed=count.failed + 1)
    shown = f"{count.passed} passed" + (f", {count.failed} FAILED" if count.failed else "")
    shown += f", {count.skipped} skipped" if count.skipped else ""
    if step.read_count is count_of_build and not count.failed:
        shown = "done"
    line = (f"{step.name}: {shown}{' (' + trouble + ')' if trouble else ''}, {seconds:.1f} s"
            f" (processor {processor_seconds:.1f} s)")
    return count, line, what_failed(output) if count.failed else ""


def what_failed(output):
    """The end of the output without the lines that say that something passed."""
    told = [line for line in output.splitlines() if not PASSED_LINE.match(line)]
    return "\n".join(told[-TAIL_LINES:])


def with_what_they_come_after(steps, only):
    """The steps whose name has the text, and those that they come after; in the order of the list."""
    names = {step.name for step in steps if only in step.name}
    for step in reversed(steps):  # a step comes behind all that it comes after
        if step.name in names:
            names.update(step.after)
    return [step for step in steps if step.name in names]


class Schedule:
    """Runs steps when what they come after has ended and there is room for them; prints each as it ends, and adds up."""

    def __init__(self, steps, jobs):
        self.pending = list(steps)
        self.jobs = jobs
        self.running = {}  # what concurrent.futures calls a future: its step
        self.ended = set()
        self.broken = set()  # needed steps that failed or did not run
        self.total = Count()

    def run(self):
        with concurrent.futures.ThreadPoolExecutor(self.jobs + WAITING_MAX) as pool:
            while self.pending or self.running:
                for step in self.startable():
                    self.pending.remove(step)
                    self.running[pool.submit(run_step, step)] = step
                done, _ = concurrent.futures.wait(self.running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    self.end(self.running.pop(future), *future.result())
        return self.total

    def startable(self):
        self.drop_what_cannot_run()
        computing = sum(self.jobs if step.whole else 1 for step in self.running.values() if not step.waits)
        waiting = sum(step.waits for step in self.running.values())
        chosen = []
        for step in self.pending:
            if not self.ended.issuperset(step.after):
                continue
            if step.waits:
                if waiting < WAITING_MAX:
                    waiting += 1
                    chosen.append(step)
                continue
            cost = self.jobs if step.whole else 1
            if computing + cost <= self.jobs:
                chosen.append(step)
            computing += cost  # also when there is no room: what comes behind a build does not push it back
        return chosen

    def drop_what_cannot_run(self):
        for step in list(self.pending):
            if not self.broken.isdisjoint(step.after):
                self.pending.remove(step)
                print(f"  {step.name}: not run", flush=True)
                if step.needed:
                    self.broken.add(step.name)

    def end(self, step, count, line, output):
        self.ended.add(step.name)
        self.total.passed += count.passed
        self.total.failed += count.failed
        self.total.skipped += count.skipped
        print(f"  {line}", flush=True)
        if output:
            print("    | " + output.replace("\n", "\n    | "), flush=True)
        if step.needed and count.failed:
            self.broken.add(step.name)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Builds and runs every test.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="only the steps whose name has this text, and what they need")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--fuzz-seconds", type=int, default=15)
    parser.add_argument("--differ-seconds", type=int, default=60)
    parser.add_argument("--list", action="store_true", help="name the steps and stop")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    total = Schedule(configure_steps(), arguments.jobs).run()
    if total.failed == 0:
        steps = with_what_they_come_after(
            python_steps() + build_steps(arguments.jobs) + install_steps() + process_steps() +
            differ_steps(arguments.seed, arguments.differ_seconds) + gtest_steps() + spec_steps() +
            fuzz_steps(arguments.seed, arguments.fuzz_seconds), arguments.only)
        if arguments.list:
            print("\n".join(f"  {step.name}" for step in steps))
            return 0
        total = Schedule(steps, arguments.jobs).run()
    print(f"{time.monotonic() - start:.0f} s in all" +
          (f"; {total.skipped} skipped" if total.skipped else ""))
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
