#!/usr/bin/env python3
"""clang-format over the sources, except for tables.

    format.py --check   name every line that is not in the project's format; exit 1 when there is one
    format.py --fix     format in place

A table is a constant array of rows that opens with `... kName[] = {` at the end of a line and closes with `};` at the
start of one: command rows, option rows, documentation. clang-format would put each cell of a row that does not fit on a
line of its own, which makes eight lines of one fact; so tables are left as their authors laid them out.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from source_files import ROOT, project_files

TABLE_OPENS = re.compile(r"^(?:\w.*\s)?constexpr .*\bk\w+\[[^]]*\] = \{$|^const .*\bk\w+\[[^]]*\] = \{$")
TABLE_CLOSES = "};"


def lines_outside_tables(text):
    """Ranges (first, last) of lines, from 1, that are in no table; None when there is no table at all."""
    ranges = []
    first = 1
    inside = False
    seen = False
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if not inside and TABLE_OPENS.match(line):
            inside = seen = True
            if number > first:
                ranges.append((first, number - 1))
        elif inside and line.startswith(TABLE_CLOSES):
            inside = False
            first = number + 1
    if not inside and first <= len(lines):
        ranges.append((first, len(lines)))
    return ranges if seen else None


def run_clang_format(path, mode):
    text = (ROOT / path).read_text(encoding="utf-8")
    ranges = lines_outside_tables(text)
    if ranges == []:
        return 0, ""
    argv = ["clang-format"] + mode + [f"--lines={first}:{last}" for first, last in ranges or []] + [path]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr


def main():
    mode = {"--check": ["--dry-run", "-Werror"], "--fix": ["-i"]}.get(sys.argv[1] if len(sys.argv) == 2 else "")
    if mode is None:
        print(__doc__, file=sys.stderr)
        return 2
    files = [name for name in project_files() if name.endswith((".cc", ".h"))]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for code, complaint in pool.map(lambda path: run_clang_format(path, mode), files):
            failed += code != 0
            sys.stderr.write("".join(line + "\n" for line in complaint.splitlines() if "error:" in line or code > 1))
    if failed:
        print(f"{failed} files are not formatted: ./dev fmt")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
