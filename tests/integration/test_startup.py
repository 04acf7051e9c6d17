"""Starting, configuring and stopping the process."""

import mmap
import os
import re
import signal
import subprocess
import time

from harness import Client, Server, equal, free_port, wait_until

BASE = ["--bind", "127.0.0.1", "--save", ""]


def config(client, name):
    return client.call("CONFIG", "GET", name)[1].decode()


def test_version_line(binary):
    for flag in ("-v", "--version"):
        done = subprocess.run([binary, flag], stdout=subprocess.PIPE, timeout=20)
        equal(done.returncode, 0)
        assert re.search(rb" v=\d+\.\d+\.\d+ ", done.stdout), done.stdout


def write_config(server, text):
    path = os.path.join(server.folder, "redis.conf")
    with open(path, "w") as file:
        file.write(text)
    return path


def test_config_from_a_file(binary):
    with Server(binary, ready=False) as server:
        path = write_config(server, f"""
# a comment
bind 127.0.0.1
port {server.port}
dir {server.folder}
save ""
maxmemory 100mb
MAXMEMORY-POLICY allkeys-lru
timeout 300
databases 4
""")
        server.spawn([server.binary, path])
        server.wait_ready()
        with Client(server.port) as client:
            equal(config(client, "maxmemory"), str(100 * 1024 * 1024))
            equal(config(client, "maxmemory-policy"), "allkeys-lru")
            equal(config(client, "timeout"), "300")
            equal(config(client, "databases"), "4")
            equal(client.error("SELECT", 4), "ERR DB index is out of range")


def test_arguments_win_over_the_file(binary):
    with Server(binary, ready=False) as server:
        path = write_config(server, "port 1\nbind 127.0.0.1\nsave \"\"\nhz 20\nmaxclients 100\n")
        server.spawn([server.binary, path, "--port", str(server.port), "--maxclients", "50",
                      "--dir", server.folder])
        server.wait_ready()
        with Client(server.port) as client:
            equal(config(client, "maxclients"), "50")
            equal(config(client, "hz"), "20")


def test_config_from_stdin(binary):
    port = free_port()
    with Server(binary, port=port, ready=False,
                stdin=f"port {port}\nbind 127.0.0.1\nsave \"\"\ntimeout 77\n".encode()) as server:
        server.spawn([server.binary, "-", "--dir", server.folder])
        server.wait_ready()
        with Client(server.port) as client:
            equal(config(client, "timeout"), "77")


def test_include(binary):
    with Server(binary, ready=False) as server:
        included = os.path.join(server.folder, "more.conf")
        with open(included, "w") as file:
            file.write("timeout 55\n")
        path = write_config(server, f"include {included}\nport {server.port}\n"
                                    f"bind 127.0.0.1\nsave \"\"\ndir {server.folder}\n")
        server.spawn([server.binary, path])
        server.wait_ready()
        with Client(server.port) as client:
            equal(config(client, "timeout"), "55")


def fails_to_start(binary, arguments, *texts, stdin=None):
    with Server(binary, ready=False, stdin=stdin) as server:
        server.spawn([server.binary, *arguments(server)])
        equal(server.wait(), 1)
        for text in texts:
            assert text in server.output(), f"{text!r} is not in {server.output()!r}"


def test_unknown_option_in_a_file_names_its_line(binary):
    fails_to_start(binary, lambda s: [write_config(s, f"port {s.port}\n# x\nno-such-option 1\n")],
                   "at line 3", "no-such-option 1")


def test_bad_value_in_a_file_names_its_line(binary):
    fails_to_start(binary, lambda s: [write_config(s, f"port {s.port}\ntimeout soon\n")],
                   "at line 2", "timeout soon")
    fails_to_start(binary, lambda s: [write_config(s, "maxmemory-policy everything\n")],
                   "at line 1")
    fails_to_start(binary, lambda s: [write_config(s, "\n\nport \"unbalanced\n")], "at line 3")


def test_unknown_option_among_the_arguments(binary):
    fails_to_start(binary, lambda s: ["--port", str(s.port), "--no-such-option", "1"],
                   "no-such-option")


def test_unknown_option_on_stdin(binary):
    fails_to_start(binary, lambda s: ["-"], "no-such-option", stdin=b"no-such-option 1\n")


def test_missing_file_stops_the_start(binary):
    fails_to_start(binary, lambda s: [os.path.join(s.folder, "absent.conf")])


def test_pidfile_and_logfile(binary):
    with Server(binary, ready=False) as server:
        pid_path = os.path.join(server.folder, "server.pid")
        log_path = os.path.join(server.folder, "server.log")
        server.args = ["--pidfile", pid_path, "--logfile", log_path]
        server.spawn(server.command())
        wait_until(lambda: os.path.exists(log_path)
                   and "Ready to accept connections" in open(log_path).read(), 30, "the log file")
        equal(open(pid_path).read().strip(), str(server.process.pid))
        equal(server.stop(), 0)
        equal(os.path.exists(pid_path), False)


def test_huge_pages_are_refused_unless_wanted(binary):
    for arguments, expected in ((["--huge-pages", "no"], "0"), (["--disable-thp", "no"], "1")):
        with Server(binary, ready=False) as server:
            server.args = arguments
            server.spawn(server.command())
            server.wait_ready()
            with open(f"/proc/{server.process.pid}/status") as status:
                lines = dict(line.split(":", 1) for line in status)
            if "THP_enabled" in lines:  # kernels since 5.0
                equal(lines["THP_enabled"].strip(), expected)


def huge_bytes_of(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("AnonHugePages"))


def system_has_huge_pages():
    size = 4 << 20  # one of two megabytes fits, wherever this lies
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        try:
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            return False
        memory[:] = b"x" * size
        return huge_bytes_of(os.getpid()) > 0


def test_full_chunks_move_into_huge_pages(binary):
    for wanted in ("yes", "no"):
        with Server(binary, ready=False) as server:
            server.args = ["--huge-pages", wanted]
            server.spawn(server.command())
            server.wait_ready()
            client = Client(server.port)
            values = [b"%0500d" % i for i in range(150_000)]  # 80 MB
            for start in range(0, len(values), 1000):
                client.send_raw(b"".join(Client.encode("SET", "key:%d" % i, values[i]) for i in range(start, start + 1000)))
                for _ in range(1000):
                    equal(client.read(), b"OK")

            def moved():
                text = client.call("INFO", "memory").decode()  # which is a request: background work comes with them
                return int(re.search(r"^mem_huge_pages:(\d+)", text, re.MULTILINE).group(1))

            if wanted == "yes" and system_has_huge_pages():
                wait_until(lambda: moved() > 10_000_000, 60, "chunks in huge pages")
                assert huge_bytes_of(server.process.pid) >= 10_000_000, huge_bytes_of(server.process.pid)
            else:
                time.sleep(0.5)
                equal(moved(), 0)
            for i in range(0, len(values), 97):
                equal(client.call("GET", "key:%d" % i), values[i])
            equal(server.stop(), 0)


def test_daemonize(binary):
    with Server(binary, ready=False) as server:
        pid_path = os.path.join(server.folder, "server.pid")
        server.args = ["--pidfile", pid_path, "--daemonize", "yes",
                       "--logfile", os.path.join(server.folder, "log")]
        server.spawn(server.command())
        equal(server.wait(), 0)
        wait_until(lambda: os.path.exists(pid_path) and open(pid_path).read().strip(),
                   what="the pid file of the daemon")
        daemon = int(open(pid_path).read())
        try:
            def answers():
                try:
                    with Client(server.port) as client:
                        return client.call("PING") == b"PONG"
                except ConnectionRefusedError:
                    return False
            wait_until(answers, 20, "the daemon's answer")
        finally:
            os.kill(daemon, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(pid_path), what="the end of the daemon")


def test_shutdown(binary):
    for arguments in ((), ("NOSAVE",), ("NOSAVE", "NOW", "FORCE")):
        with Server(binary) as server, Client(server.port) as client:
            client.send("SHUTDOWN", *arguments)
            equal(client.read_to_close(), b"")
            equal(server.wait(), 0)


def test_shutdown_with_bad_arguments_keeps_running(binary):
    with Server(binary) as server, Client(server.port) as client:
        equal(client.error("SHUTDOWN", "SOON"), "ERR syntax error")
        equal(client.error("SHUTDOWN", "SAVE", "NOSAVE"), "ERR syntax error")
        equal(client.error("SHUTDOWN", "ABORT"), "ERR No shutdown in progress.")
        equal(client.call("PING"), b"PONG")


def test_config_rewrite(binary):
    with Server(binary, ready=False) as server:
        path = write_config(server, f"# keep this comment\nport {server.port}\nbind 127.0.0.1\n"
                                    f"save \"\"\ndir {server.folder}\ntimeout 10\n")
        server.spawn([server.binary, path])
        server.wait_ready()
        with Client(server.port) as client:
            client.expect_ok("CONFIG", "SET", "timeout", 20)
            client.expect_ok("CONFIG", "SET", "maxmemory", "64mb", "maxmemory-policy", "allkeys-lfu")
            client.expect_ok("CONFIG", "SET", "requirepass", 'a "quoted" word')
            client.expect_ok("CONFIG", "REWRITE")
        text = open(path).read()
        assert "# keep this comment\n" in text and "timeout 20\n" in text, text
        equal("timeout 10" in text, False)
        equal(server.stop(), 0)
        server.spawn([server.binary, path])
        server.wait_ready()
        with Client(server.port) as client:
            client.expect_ok("AUTH", 'a "quoted" word')
            equal(config(client, "timeout"), "20")
            equal(config(client, "maxmemory"), str(64 * 1024 * 1024))
            equal(config(client, "maxmemory-policy"), "allkeys-lfu")
            client.expect_ok("CONFIG", "REWRITE")
        again = open(path).read()
        equal(again.count("timeout 20"), 1)


def test_config_rewrite_without_a_file(binary):
    with Server(binary) as server, Client(server.port) as client:
        equal(client.error("CONFIG", "REWRITE"), "ERR The server is running without a config file")


def test_config_set_refuses_all_or_nothing(binary):
    with Server(binary) as server, Client(server.port) as client:
        text = client.error("CONFIG", "SET", "timeout", 5, "maxmemory-policy", "everything")
        equal(text.startswith("ERR CONFIG SET failed (possibly related to argument "
                              "'maxmemory-policy')"), True)
        equal(config(client, "timeout"), "0")
        text = client.error("CONFIG", "SET", "no-such-option", 1)
        equal(text, "ERR Unknown option or number of arguments for CONFIG SET - 'no-such-option'")
