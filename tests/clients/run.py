#!/usr/bin/env python3
"""Runs real Redis clients, from their registries at pinned versions, against a server.

    tests/clients/run.py [--server PATH] [--only NAME]... [--install-only]
                         [--allow-missing NAME]...

For each client of CLIENTS: install (only when its inputs changed, into
build/clients/), run its flow, and count the lines "ok NAME" and "fail NAME: why"
that it prints. A flow must report every check of checks.txt (each of the apps has such
a file of its own), so stopping early is a failure, and so is a toolchain that is not
there. The last line is "N passed, N failed"; the exit code is 0 only when nothing failed.

A client whose newest major needs a newer toolchain than this machine has is
reported as skipped, by name and with the reason, and the last line then says so;
its older major beside it runs everywhere.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "clients"
sys.path.insert(0, str(HERE.parent / "integration"))
from harness import Client, Server  # noqa: E402

INSTALL_SECONDS = 600  # a cold cargo or Maven cache on a slow link
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for what lives for a few seconds
FLOW_SECONDS = 120  # a flow takes 2 to 3, apps 10 at most; the limit is for a loaded machine


class Missing(Exception):
    """A toolchain is not on this machine."""


class TooOld(Exception):
    """The toolchain is there, older than this client's newest major needs."""


class InstallFailed(Exception):
    pass


def tool(name, hint):
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed (Debian: apt-get install {hint})")
    return path


def run(command, cwd, seconds, env=None):
    """Runs a command in a process group of its own, so that a time-out ends all of it."""
    process = subprocess.Popen(
        command, cwd=cwd, env=env, text=True, errors="replace", stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return -1, out, f"{err}\nno end after {seconds} seconds"


def install(command, cwd, **environment):
    code, out, err = run(command, cwd, INSTALL_SECONDS, dict(os.environ, **environment))
    if code != 0:
        tail = "\n".join((out + err).strip().splitlines()[-15:])
        raise InstallFailed(f"{' '.join(map(str, command))}: exit code {code}\n{tail}")


def version_of(command):
    _, out, err = run(command, HERE, 60)
    numbers = re.search(r"(\d+)\.(\d+)", out + err)
    return tuple(map(int, numbers.groups())) if numbers else (0, 0)


def stage(name, files):
    """Copies {target path: source path} into build/clients/NAME. Returns the folder, and
    whether anything in it differs from what was installed there last."""
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    for target, source in sorted(files.items()):
        content = (HERE / source).read_bytes()
        digest.update(target.encode() + b"\0" + content + b"\0")
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    return folder, digest


def once(folder, digest, toolchain, work):
    """Calls `work` unless it already succeeded for these inputs and this toolchain."""
    digest.update(repr(toolchain).encode())
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    stamp.unlink(missing_ok=True)
    work()
    stamp.write_text(digest.hexdigest())


def node_program(packages, programs, needs_node):
    """`packages` is the folder with package.json and its lock; flow.js is what runs."""
    def prepare(name):
        node, npm = tool("node", "nodejs"), tool("npm", "npm")
        version = version_of([node, "--version"])
        if version < (needs_node, 0):
            raise TooOld(f"needs Node {needs_node}, this is {version[0]}.{version[1]}")
        locked = {p: f"{packages}/{p}" for p in ("package.json", "package-lock.json")}
        folder, digest = stage(name, locked)
        once(folder, digest, version,
             lambda: install([npm, "ci", "--no-audit", "--no-fund"], folder))
        stage(name, dict(programs, **{"node_checks.js": "node_checks.js"}))
        return [node, "flow.js"], folder
    return prepare


def node_client(folder_name, major, needs_node):
    return node_program(f"{folder_name}/v{major}", {"flow.js": f"{folder_name}/flow.js"},
                        needs_node)


def python_program(requirements, programs, needs_python):
    """flow.py of `programs` is what runs."""
    def prepare(name):
        python = tool("python3", "python3 python3-venv")
        version = version_of([python, "--version"])
        if version < needs_python:
            raise TooOld(f"needs Python {needs_python}, this is {version}")
        folder, digest = stage(name, {"requirements.txt": requirements})

        def work():
            shutil.rmtree(folder / "venv", ignore_errors=True)
            install([python, "-m", "venv", "venv"], folder)
            # Python compiles by itself the few modules that a flow imports.
            install(["venv/bin/pip", "install", "--quiet", "--require-hashes", "--no-compile",
                     "-r", "requirements.txt"], folder)

        once(folder, digest, version, work)
        stage(name, dict(programs, **{"python_checks.py": "python_checks.py"}))
        return ["venv/bin/python", "flow.py"], folder
    return prepare


def python_client(major, needs_python):
    return python_program(f"redis-py/v{major}/requirements.txt",
                          {"flow.py": "redis-py/flow.py"}, needs_python)


def go_program(module, programs):
    """`module` is the folder with go.mod and go.sum; main.go of `programs` is what runs."""
    def prepare(name):
        go = tool("go", "golang-go")
        locked = {p: f"{module}/{p}" for p in ("go.mod", "go.sum")}
        folder, digest = stage(name, dict(locked, **programs, **{"checks.go": "go_checks.go"}))
        once(folder, digest, version_of([go, "version"]),
             lambda: install([go, "build", "-mod=readonly", "-o", "flow", "."], folder))
        return ["./flow"], folder
    return prepare


def java_client(folder_name):
    def prepare(name):
        maven = tool("mvn", "maven")
        java = tool("java", "openjdk-17-jdk-headless")
        tool("javac", "openjdk-17-jdk-headless")
        sources = {
            "pom.xml": f"{folder_name}/pom.xml",
            "src/main/java/Flow.java": f"{folder_name}/src/main/java/Flow.java",
            "src/main/java/FlowChecks.java": "FlowChecks.java",
        }
        folder, digest = stage(name, sources)

        def work():
            shutil.rmtree(folder / "target", ignore_errors=True)
            install([maven, "-B", "-q", "compiler:compile", "dependency:copy-dependencies"],
                    folder, MAVEN_OPTS=QUICK_JAVA)

        once(folder, digest, version_of([java, "-version"]), work)
        return [java, "-Xmx256m", *QUICK_JAVA.split(), "-cp", "target/classes:target/jars/*", "Flow"], folder
    return prepare


def rust_client(major, needs_rust):
    def prepare(_name):
        cargo = tool("cargo", "cargo-web")
        rustc = tool("rustc", "rustc-web")
        version = version_of([rustc, "--version"])
        if version < needs_rust:
            raise TooOld(f"needs Rust {needs_rust[0]}.{needs_rust[1]}, this is "
                         f"{version[0]}.{version[1]} (Debian 12: apt-get install cargo-web)")
        source = f"redis-rs/v{major}"
        # What both majors depend on is compiled once.
        target = BUILD / "redis-rs-target"
        folder, digest = stage(f"redis-rs-{major}", {
            "Cargo.toml": f"{source}/Cargo.toml",
            "Cargo.lock": f"{source}/Cargo.lock",
            "src/main.rs": "redis-rs/flow.rs",
        })
        once(folder, digest, version, lambda: install(
            [cargo, "build", "--quiet", "--locked", "--target-dir", target], folder))
        return [target / "debug" / f"flow-{major}"], folder
    return prepare


# name, how to install it, the protocol version its connection must end up with, extra
# environment, and whether an older toolchain may skip it (its older major runs).
CLIENTS = [
    ("ioredis-5", node_client("ioredis", 5, 18), "2", {}, False),
    ("ioredis-6", node_client("ioredis", 6, 20), "3", {}, True),
    ("node-redis-5", node_client("node-redis", 5, 18), "2", {}, False),
    ("node-redis-6", node_client("node-redis", 6, 20), "3", {}, True),
    ("redis-py-5", python_client(5, (3, 8)), "2", {}, False),
    ("redis-py-8", python_client(8, (3, 10)), "3", {}, False),
    ("go-redis", go_program("go-redis", {"main.go": "go-redis/main.go"}), "3", {}, False),
    ("jedis", java_client("jedis"), "3", {}, False),
    ("lettuce", java_client("lettuce"), "3", {}, False),
    ("redis-rs-0", rust_client(0, (1, 75)), "2", {}, False),
    ("redis-rs-1", rust_client(1, (1, 88)), "2", {}, True),
    ("redis-rs-1-resp3", rust_client(1, (1, 88)), "3",
     {"LARDER_URL_QUERY": "?protocol=resp3"}, True),
    # What applications build on clients: checks of their own, in the folder of each.
    ("apps-node", node_program("apps/node", {
        "flow.js": "apps/node/flow.js", "socket_server.js": "apps/node/socket_server.js",
        "dying_worker.js": "dying_worker.js"}, 18),
     "", {}, False),
    ("apps-python", python_program("apps/python/requirements.txt", {
        "flow.py": "apps/python/flow.py", "jobs.py": "apps/python/jobs.py"}, (3, 10)),
     "", {}, False),
    ("apps-java", java_client("apps/java"), "", {}, False),
    ("apps-go", go_program("go-redis", {"main.go": "apps/go/main.go"}), "", {}, False),
    # Libraries whose work is done by scripts, and the middleware of docs/examples.
    ("libs-node", node_program("libs/node", {
        "flow.js": "libs/node/flow.js", "dying_worker.js": "dying_worker.js",
        "rate_limit.js": "../../docs/examples/express/rate_limit.js"}, 18),
     "", {}, False),
    ("libs-python", python_program("libs/python/requirements.txt", {
        "flow.py": "libs/python/flow.py", "actors.py": "libs/python/actors.py", "dying.py": "libs/python/dying.py",
        "rate_limit.py": "../../docs/examples/fastapi/rate_limit.py"}, (3, 11)),
     "", {}, False),
    ("libs-go", go_program("libs/go", {
        "main.go": "libs/go/main.go",
        "ratelimit/ratelimit.go": "../../docs/examples/nethttp/ratelimit.go"}),
     "", {}, False),
    ("libs-java", java_client("libs/java"), "", {}, False),
]


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def ok(self, text):
        self.passed += 1
        print(f"ok   {text}", flush=True)

    def fail(self, text):
        self.failed += 1
        print(f"FAIL {text}", flush=True)

    def skip(self, text):
        self.skipped += 1
        print(f"skip {text}", flush=True)


def required_checks(name):
    own = HERE / name.replace("-", "/") / "checks.txt"
    lines = (own if own.exists() else HERE / "checks.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def run_flow(name, command, folder, server, extra, resp, library_name, tally):
    with Client(server.port) as admin:
        admin.expect_ok("FLUSHALL")
    env = dict(os.environ, LARDER_HOST="127.0.0.1", LARDER_PORT=str(server.port),
               LARDER_EXPECT_RESP=resp, LARDER_EXPECT_LIBRARY_NAME="1" if library_name else "0",
               **extra)
    code, out, err = run(command, folder, FLOW_SECONDS, env)
    seen = set()
    for line in out.splitlines():
        verdict, _, rest = line.partition(" ")
        check = rest.split(":")[0]
        if verdict == "ok" and check not in seen:
            seen.add(check)
            tally.ok(f"{name}: {check}")
        elif verdict == "fail":
            seen.add(check)
            tally.fail(f"{name}: {rest}")
    for check in required_checks(name):
        if check not in seen:
            tally.fail(f"{name}: {check}: not reported")
    if code != 0 or "end" not in out.splitlines():
        tally.fail(f"{name}: exit code {code}")
        print("     | " + "\n     | ".join(err.strip().splitlines()[-15:]), flush=True)
    if not server.alive():
        tally.fail(f"{name}: the server has stopped\n{server.output()[-2000:]}")
        server.restart()


def prepared(clients, allow_missing, tally):
    """Yields (client, command, folder) of each client that could be installed."""
    for client in clients:
        name, prepare, _, _, may_skip = client
        began = time.monotonic()
        try:
            command, folder = prepare(name)
        except Missing as why:
            if name in allow_missing:
                tally.skip(f"{name}: {why}")
            else:
                tally.fail(f"{name}: {why}")
            continue
        except TooOld as why:
            (tally.skip if may_skip or name in allow_missing else tally.fail)(f"{name}: {why}")
            continue
        except (InstallFailed, OSError) as why:
            tally.fail(f"{name}: install: {why}")
            continue
        seconds = time.monotonic() - began
        if seconds > 2:
            print(f"     {name}: installed in {seconds:.0f} s", flush=True)
        yield client, command, folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=str(ROOT / "build/release/bin/larder-server"))
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--install-only", action="store_true")
    parser.add_argument("--allow-missing", action="append", default=[], metavar="NAME")
    options = parser.parse_args()

    names = [c[0] for c in CLIENTS] + ["redis-tools"]
    for name in options.only + options.allow_missing:
        if not any(name == n or n.startswith(name + "-") for n in names):
            parser.error(f"no client {name}; there are: {' '.join(names)}")

    def chosen(name):
        return not options.only or any(
            name == n or name.startswith(n + "-") for n in options.only)

    tally = Tally()
    server_path = os.path.abspath(options.server)
    if not options.install_only and not os.access(server_path, os.X_OK):
        tally.fail(f"there is no server at {server_path}")
        print(f"{tally.passed} passed, {tally.failed} failed")
        return 1
    ready = list(prepared([c for c in CLIENTS if chosen(c[0])], options.allow_missing, tally))
    if options.install_only:
        tally.passed += len(ready)
    else:
        began = time.monotonic()
        with Server(server_path) as server:
            with Client(server.port) as admin:
                library_name = "lib-name=" in admin.call("CLIENT", "INFO").decode()
            for (name, _, resp, extra, _), command, folder in ready:
                run_flow(name, command, folder, server, extra, resp, library_name, tally)
            if chosen("redis-tools"):
                import redis_tools
                redis_tools.run_all(server, tally, "redis-tools" in options.allow_missing)
            code = server.stop()
            (tally.ok if code == 0 else tally.fail)(f"server: exit code {code} after SIGTERM")
        print(f"     flows took {time.monotonic() - began:.0f} s", flush=True)
    tail = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{tail}")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
