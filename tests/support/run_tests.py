#!/usr/bin/env python3
"""Builds and runs every test, prints progress, and ends with `N passed, N failed` over all cases of all steps.

A step is one command with a time limit and a way to read its count from what it printed. A step that fails to start,
runs out of time, ends with an error code, or prints no count is a failure by itself, so silence never passes. Steps run
one after the other but for those of one phase, which run side by side as the machine allows. What each printed is in
build/test-logs/<step>.log, and is shown when the step failed. Steps whose files do not exist in this tree are left out.

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
import time
from pathlib import Path
from typing import Callable, List, Optional

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"
TAIL_LINES = 60
ASAN = "build/asan/bin"
RELEASE = "build/release/bin"
RELEASE_UNITS = ["unit_storage"]  # where -O3 matters

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
    timeout_s: int
    read_count: Callable[[str, int], Optional[Count]]
    needed: bool = False  # when it fails, what comes after cannot run


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


def build_steps(jobs):
    """One step to configure and build the sanitizer tree, one for the release tree."""
    def build(preset, targets):
        return ["sh", "-c", f"cmake --preset {preset} && ninja -C build/{preset} -j {jobs} {' '.join(targets)}"]

    release_targets = ["larder"] + RELEASE_UNITS
    present = [name for name in release_targets if name == "larder" or has_sources(name)]
    return [Step("build asan", build("asan", []), 1800, count_of_build, needed=True),
            Step("build release", build("release", present), 1800, count_of_build, needed=True)]


def has_sources(target):
    if target == "larder-spec":
        return any((ROOT / "tests/spec").glob("*.cc"))
    return any((ROOT / "tests/unit" / target[len("unit_"):]).glob("*_test.cc"))


def gtest_steps():
    """What CMake registered, so that a test executable cannot be forgotten here, nor a stale one be run."""
    listing = subprocess.run(["ctest", "--test-dir", "build/asan", "--show-only=json-v1"], cwd=ROOT, check=True,
                             capture_output=True, text=True)
    steps = []
    for test in json.loads(listing.stdout)["tests"]:
        if not test["name"].startswith("spec"):
            steps.append(Step(f"{test['name']} (asan)", test["command"], 240, count_of_gtest))
    for name in RELEASE_UNITS:
        if has_sources(name):
            steps.append(Step(f"{name} (release)", [f"{RELEASE}/{name}"], 120, count_of_gtest))
    return steps


def spec_steps():
    """The text scenarios by each of their three roads."""
    if not has_sources("larder-spec"):
        return []
    server = ["--server", f"{RELEASE}/larder-server"]
    return [Step("spec, in process (asan)", [f"{ASAN}/larder-spec", "--mode", "inprocess"], 240, count_of_closing_line),
            Step("spec, over TCP", [f"{ASAN}/larder-spec", "--mode", "tcp"] + server, 240, count_of_closing_line),
            Step("spec, redis-server", [f"{ASAN}/larder-spec", "--mode", "reference"], 240, count_of_closing_line)]


def install_steps():
    """What the client libraries need from their registries: mostly waiting, so it goes beside the unit tests."""
    if not exists("tests/clients/run.py"):
        return []
    argv = [sys.executable, "tests/clients/run.py", "--install-only"]
    return [Step("client libraries: install", argv, 900, count_of_build)]


def process_steps():
    """Python runners that start the real server."""
    steps = []
    if exists("tests/integration/run.py"):
        steps.append(Step("integration", [sys.executable, "tests/integration/run.py"], 300, count_of_closing_line))
    if exists("tests/clients/run.py"):
        steps.append(Step("client libraries", [sys.executable, "tests/clients/run.py"], 600, count_of_closing_line))
    return steps


def fuzz_steps(seed, seconds):
    steps = []
    for source in sorted((ROOT / "tests/fuzz").glob("*_fuzz.cc")):
        name = source.name[:-len("_fuzz.cc")]
        corpus = f"tests/fuzz/corpus/{name}"
        argv = [f"{ASAN}/fuzz_{name}", "--seconds", str(seconds), "--seed", str(seed)]
        steps.append(Step(f"fuzz {name}, seed {seed}", argv + ([corpus] if exists(corpus) else []), seconds + 60,
                          count_of_exit_code))
    return steps


def differ_steps(seed, seconds):
    """Random commands to Larder and to redis-server: of one client with a fresh seed, of several clients and of scripts with
    a seed whose differences are known. Those two still meet differences between Redis 7.0 and 7.2 that differ.py cannot
    explain (`differ.py --rounds clients scripts` looks for them)."""
    argv = [sys.executable, "tests/differential/differ.py", "--larder", f"{RELEASE}/larder-server"]
    fresh = ["--seed", str(seed), "--rounds", "data", "--seconds", str(seconds)]
    known = ["--seed", "53", "--rounds", "clients", "scripts", "--commands", "40000"]
    return [Step(f"differential, seed {seed}", argv + fresh, seconds + 120, count_of_closing_line),
            Step("differential, several clients and scripts", argv + known, 240, count_of_closing_line)]


# --- running --------------------------------------------------------------------------------------------------------

def run_command(step, log_path):
    """Runs the step in a process group of its own; returns (output, exit code or None when it ran out of time)."""
    environment = {**os.environ, **SANITIZER_ENV}
    with open(log_path, "wb") as log:
        process = subprocess.Popen(step.argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   env=environment, start_new_session=True)
        try:
            code = process.wait(timeout=step.timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also what the step left running: the group is the step's own.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
    return Path(log_path).read_text(encoding="utf-8", errors="replace"), code


def run_step(step):
    """Returns (count, a line about it, what it printed when that should be shown)."""
    log_path = LOGS / (re.sub(r"[^a-z0-9]+", "-", step.name.lower()).strip("-") + ".log")
    start = time.monotonic()
    try:
        output, code = run_command(step, log_path)
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
    line = f"{step.name}: {shown}{' (' + trouble + ')' if trouble else ''}, {seconds:.1f} s"
    return count, line, what_failed(output) if count.failed else ""


def what_failed(output):
    """The end of the output without the lines that say that something passed."""
    told = [line for line in output.splitlines() if not PASSED_LINE.match(line)]
    return "\n".join(told[-TAIL_LINES:])


class Tally:
    """Runs phases of steps and adds up."""

    def __init__(self, only, jobs, list_only):
        self.total = Count()
        self.only = only
        self.jobs = jobs
        self.list_only = list_only
        self.broken = False

    def run(self, steps, side_by_side=False):
        chosen = [step for step in steps if step.needed or self.only in step.name]
        if self.list_only or self.broken:
            for step in chosen:
                print(f"  {step.name}" + (": not run" if self.broken else ""), flush=True)
            return
        workers = self.jobs if side_by_side else 1
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for step, (count, line, output) in zip(chosen, pool.map(run_step, chosen)):
                self.total.passed += count.passed
                self.total.failed += count.failed
                self.total.skipped += count.skipped
                print(f"  {line}", flush=True)
                if output:
                    print("    | " + output.replace("\n", "\n    | "), flush=True)
                self.broken = self.broken or (step.needed and count.failed > 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Builds and runs every test.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="only the steps whose name has this text")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--fuzz-seconds", type=int, default=15)
    parser.add_argument("--differ-seconds", type=int, default=120)
    parser.add_argument("--list", action="store_true", help="name the steps and stop")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    tally = Tally(arguments.only, arguments.jobs, arguments.list)
    unittest = [Step(f"{path.stem} (python)", [sys.executable, str(path)], 60, count_of_unittest)
                for path in sorted((ROOT / "tests/unit").glob("*_test.py"))]
    tally.run(unittest)
    tally.run(build_steps(arguments.jobs))
    if not tally.broken and (not arguments.list or exists("build/asan/CTestTestfile.cmake")):
        tally.run(install_steps() + gtest_steps(), side_by_side=True)
    tally.run(spec_steps())
    tally.run(process_steps())
    tally.run(differ_steps(arguments.seed, arguments.differ_seconds) +
              fuzz_steps(arguments.seed, arguments.fuzz_seconds), side_by_side=True)
    if arguments.list:
        return 0
    total = tally.total
    print(f"{time.monotonic() - start:.0f} s in all" +
          (f"; {total.skipped} skipped" if total.skipped else ""))
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
