#!/usr/bin/env python3
"""Runs the tests against the real binary.

    tests/integration/run.py [--server PATH] [--only WORD]... [--fast] [--list]

Every function test_* of every test_*.py here is a test; it is called with the path
of the server. Each runs in a process group and with a TMPDIR of its own, so that a
test that hangs is ended together with the server that it started. The last line is
"N passed, N failed"; a test that cannot run here says why and counts as skipped.
"""

import argparse
import importlib.util
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from harness import DEFAULT_SERVER, Skip  # noqa: E402

TEST_SECONDS = 60
SKIP_CODE = 77


def discover():
    """[(name, function)], in the order of the files and of the functions in them."""
    tests = []
    for path in sorted(HERE.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, value in vars(module).items():
            if name.startswith("test_") and callable(value):
                tests.append((f"{path.stem}.{name}", value))
    return tests


def run_child(test, binary):
    """The test itself, in the forked process; never returns."""
    code = 1
    try:
        test(binary)
        code = 0
    except Skip as why:
        print(f"     {why}")
        code = SKIP_CODE
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    finally:
        sys.stdout.flush()
        os._exit(code)


def run_one(test, binary):
    """Returns (exit code, or None when it ran into its limit)."""
    folder = tempfile.mkdtemp(prefix="larder-integration-")
    limit = getattr(test, "limit_seconds", TEST_SECONDS)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        tempfile.tempdir = folder
        run_child(test, binary)
    try:
        until = time.monotonic() + limit
        while time.monotonic() < until:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None
    finally:
        try:
            os.killpg(pid, signal.SIGKILL)  # a server that outlived its test
        except ProcessLookupError:
            pass
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=str(DEFAULT_SERVER))
    parser.add_argument("--only", action="append", default=[], metavar="WORD")
    parser.add_argument("--fast", action="store_true", help="leave out the slow ones")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()

    tests = [(n, t) for n, t in discover()
             if not options.only or any(word in n for word in options.only)]
    if options.list:
        print("\n".join(name for name, _ in tests))
        return 0
    if not os.access(options.server, os.X_OK):
        print(f"FAIL there is no server at {options.server}\n0 passed, 1 failed")
        return 1
    if not tests:
        print("FAIL no test has that name\n0 passed, 1 failed")
        return 1
    passed = failed = skipped = 0
    for name, test in tests:
        if options.fast and getattr(test, "slow", False):
            skipped += 1
            print(f"skip {name} (slow)", flush=True)
            continue
        began = time.monotonic()
        code = run_one(test, os.path.abspath(options.server))
        seconds = time.monotonic() - began
        if code == 0:
            passed += 1
            print(f"ok   {name} ({seconds:.2f} s)", flush=True)
        elif code == SKIP_CODE:
            skipped += 1
            print(f"skip {name}", flush=True)
        else:
            failed += 1
            how = "ran into its time limit" if code is None else f"exit code {code}"
            print(f"FAIL {name}: {how} ({seconds:.2f} s)", flush=True)
    tail = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{tail}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
