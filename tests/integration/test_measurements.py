"""The scripts of bench/compare and bench/hitrate: small runs, and that what is wrong is said in a line."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import Skip, equal, wait_until

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
SCRIPTS = sorted(path for path in BENCH.glob("*/*.py") if '__name__ == "__main__"' in path.read_text())
RUN_SECONDS = 50


def _run(script, *arguments, code=0):
    done = subprocess.run([sys.executable, str(BENCH / script), *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=RUN_SECONDS)
    text = done.stdout.decode()
    assert done.returncode == code, f"{script} {arguments}: exit code {done.returncode}\n{text}"
    assert "Traceback" not in text, text
    return text


def _load(binary):
    path = pathlib.Path(binary).parent / "larder-bench"
    if not path.exists():
        raise Skip("larder-bench is not built")
    if shutil.which("taskset") is None:
        raise Skip("taskset is not installed")
    return path


def _small(binary):
    """The options of a small run on one core: the server under test beside itself."""
    return ["--larder", binary, "--reference", binary, "--load", _load(binary), "--load-core", "0", "--rounds", "1"]


def test_every_script_tells_its_options(_):
    assert len(SCRIPTS) >= 15, SCRIPTS
    for script in SCRIPTS:
        text = _run(script, "--help")
        assert text.startswith(f"usage: {script.name}"), text


def test_what_is_wrong_is_said_in_a_line(binary):
    small = _small(binary)
    for arguments, said in ((["--larder", "/nonexistent/server"], "larder: /nonexistent/server is no program"),
                            (["--reference", "/nonexistent/server"], "redis-server: /nonexistent/server is no program"),
                            (["--server", "other=/nonexistent/server"], "other: /nonexistent/server is no program"),
                            (["--server-core", "9999"], "larder ended with exit code 1: taskset: "),
                            (["--only", "nothing"], "nothing here contains 'nothing'")):
        equal(_run("compare/cpu.py", *small, *arguments, code=1).count("\n"), 1)
        assert said in _run("compare/cpu.py", *small, *arguments, code=1), said
    for arguments in (["--server", "/usr/bin/redis-server"], ["--load", "/nonexistent/load"], ["--rounds", "0"], ["--scale", "-1"],
                      ["--scale", "nan"], ["--keys", "none"], ["--json", "/nonexistent/file.json"], ["--json", "/"]):
        assert f"cpu.py: error: argument {arguments[0]}: " in _run("compare/cpu.py", *small, *arguments, code=2)


def test_a_small_run_has_figures(binary):
    folder = pathlib.Path(tempfile.mkdtemp())
    figures = folder / "types.json"
    text = _run("compare/types.py", *_small(binary), "--scale", "0.0001", "--only", "PFADD", "--json", figures)
    assert re.search(r"larder/redis-server \d+\.\d\d x$", text, re.MULTILINE), text
    measured = json.loads(figures.read_text())["PFADD"]
    assert measured["larder"] > 0 and measured["redis-server"] > 0, measured


def test_plots_are_drawn_of_what_there_is(binary):
    folder = pathlib.Path(tempfile.mkdtemp())
    assert "there is none of cpu.json" in _run("compare/plots.py", folder, code=1)
    _run("compare/cpu.py", *_small(binary), "--scale", "0.0001", "--only", "SET P1", "--keys", "10", "--json", folder / "cpu.json")
    _run("compare/memory.py", "--larder", binary, "--reference", binary, "--counts", "1000", "--json", folder / "memory.json")
    equal(_run("compare/plots.py", folder), "cpu.svg\nmemory.svg\n")
    assert (folder / "memory.svg").read_text().startswith("<svg ")
    (folder / "latency.json").write_text("{}")
    assert "latency.json: not the figures" in _run("compare/plots.py", folder, code=1)


def test_a_trace_file_is_replayed(binary):
    folder = pathlib.Path(tempfile.mkdtemp())
    trace, figures = folder / "keys.txt", folder / "hits.json"
    common = ["--larder", binary, "--reference", binary, "--trace", trace, "--policies", "allkeys-lru"]
    trace.write_bytes(b"".join(b"k%d\r\n" % (i % 300) for i in range(3000)) + b"\n\xff\x00 binary")
    _run("hitrate/hitrate.py", *common, "--share", "1", "--json", figures)
    rows = json.loads(figures.read_text())
    equal([row["policy"] for row in rows], ["redis-server allkeys-lru", "redis-server allkeys-lfu", "allkeys-lru"])
    for row in rows:
        equal(row["keys_held"], 301)  # the names without their ends of line, and the last one
        equal(round(row["hit_ratio"], 6), round(2700 / 3001, 6))
    trace.write_bytes(b"\r\n\n")
    assert "no keys in it" in _run("hitrate/hitrate.py", *common, code=1)
    _run("hitrate/hitrate.py", "--larder", binary, "--reference", binary, "--keys", "5", "--requests", "20", "--share", "1",
         "--policies", "allkeys-lru")


def _servers_of(pid):
    """The process ids of what a script has started."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(path.parent)
        except (OSError, IndexError):
            continue  # it is gone
    return found


def _listen_to_interrupts():
    """Whoever runs these tests in the background of a shell ignores them, and so would all that is started here."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_servers_are_stopped_with_the_script(binary):
    for number in (signal.SIGTERM, signal.SIGINT):
        script = subprocess.Popen([sys.executable, str(BENCH / "compare/cpu.py"), *map(str, _small(binary)), "--scale", "1000"],
                                  stdout=subprocess.DEVNULL, preexec_fn=_listen_to_interrupts)
        wait_until(lambda: len(_servers_of(script.pid)) >= 2, RUN_SECONDS / 2, "the start of both servers")
        servers = _servers_of(script.pid)
        script.send_signal(number)
        equal(script.wait(timeout=RUN_SECONDS), 128 + number)
        equal([server for server in servers if server.exists()], [])


def test_the_filters_that_micro_benchmarks_name_match_something(binary):
    checked = 0
    for source in sorted(BENCH.glob("micro/*_bench.cc")):
        program = pathlib.Path(binary).parent / f"micro_{source.stem.removesuffix('_bench')}"
        if not program.exists():
            continue
        for name in re.findall(r"^//.*--benchmark_filter='?([^'\s]+)", source.read_text(), re.MULTILINE):
            listed = subprocess.run([str(program), "--benchmark_list_tests", f"--benchmark_filter={name}"], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=RUN_SECONDS).stdout.decode()
            assert listed.startswith("bm_"), f"{source.name}: {name}: {listed}"
            checked += 1
    if checked == 0:
        raise Skip("the micro benchmarks are not built")
