"""Who may include whom: the layer table of ARCHITECTURE.md as data, and the check of every #include against it.

TABLE is the one place that says it for the tests; ARCHITECTURE.md says it for people, and the CMakeLists of each folder
say it for the linker. `violations(root, files)` returns one line of text per broken rule, `path:line: what, why`.
Used by tests/unit/layers_test.py (which also proves that a violation is seen) and by tests/support/house_rules.py.
"""

import re
from pathlib import Path

LEAVES = ["base"]
DATA = LEAVES + ["protocol", "storage", "persistence"]
CORE_ROW = ["server/core", "server/config", "server/acl", "server/observe"]
SIDE_ROW = ["server/script", "server/replication", "server/cluster"]
ANYTHING = None

# Folder (or file) -> the project folders it may include, besides itself. The longest matching prefix counts.
TABLE = {
    "base": [],
    "protocol": LEAVES,
    "storage": LEAVES,
    "persistence": ["base", "protocol", "storage"],
    "server/core": DATA + CORE_ROW,
    "server/config": DATA + CORE_ROW,
    "server/acl": DATA + CORE_ROW,
    "server/observe": DATA + CORE_ROW,
    "server/script": DATA + CORE_ROW,
    "server/replication": DATA + CORE_ROW,
    "server/cluster": DATA + CORE_ROW,
    "server/command": DATA + CORE_ROW + SIDE_ROW,
    "server/net": ["base", "protocol", "server/core", "server/config", "server/observe"],
    "server/main.cc": ANYTHING,
    "clients/cpp": ["base", "protocol"],
    "clients/cli": ["base", "protocol", "clients/cpp"],
    "bench/load": ["base", "protocol", "clients/cpp"],
    "bench/micro": ANYTHING,
    "tests": ANYTHING,
}

# Every folder a project include can name; an include of another folder in quotes is itself a mistake.
PROJECT_FOLDERS = ["base", "protocol", "storage", "persistence", "server", "clients", "bench", "tests"]

# Headers from outside that have one home: pattern -> the folders that may name them.
HOMES = {
    r"uv\.h": ["server/net", "tests/unit/server/net"],
    r"openssl/.*": ["server/net", "tests/unit/server/net"],
    r"(lua|lualib|lauxlib|luaconf)\.h(pp)?": ["server/script"],
    r"(histedit|editline/readline|readline/.*)(\.h)?": ["clients/cli"],
    r"liblzf/.*": ["persistence"],
    r"xxhash\.h": ["base", "storage", "tests", "bench/micro"],
}

SOCKETS = r"(sys/socket|sys/un|sys/epoll|poll|sys/select|netdb|netinet/.*|arpa/.*)\.h"
FILES = r"(fstream|filesystem|fcntl\.h|sys/stat\.h|sys/file\.h|dirent\.h|unistd\.h)"
OS = r"(sys/.*|unistd\.h|fcntl\.h|pthread\.h|dirent\.h|dlfcn\.h|execinfo\.h|ucontext\.h|" + SOCKETS + r")"
WALL_CLOCK = r"(ctime|time\.h|chrono)"

# Folder -> (pattern of headers it must not name, the reason).
BANNED = {
    "protocol": [(OS, "protocol works on bytes and knows no operating system")],
    "storage": [
        (SOCKETS, "storage knows no sockets"),
        (FILES, "storage knows no files"),
        (r"base/file_system\.h", "storage knows no files"),
        (WALL_CLOCK, "storage is told the time, it never asks for it"),
    ],
    "server/command": [(SOCKETS, "a command sees a context, never a socket")],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def row_of(path):
    """The key of TABLE that governs `path`, or None for a file outside the table."""
    best = None
    for key in TABLE:
        if (path == key or path.startswith(key + "/")) and (best is None or len(key) > len(best)):
            best = key
    return best


def folder_of_include(name):
    """The TABLE key an include leads to, or None when it names nothing of the project."""
    if name.split("/", 1)[0] not in PROJECT_FOLDERS or "/" not in name:
        return None
    return row_of(name) or name.rsplit("/", 1)[0]


def in_any(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def check_include(path, quoted, name):
    """The reason why the file `path` may not include `name`, or None."""
    for pattern, homes in HOMES.items():
        if re.fullmatch(pattern, name) and not in_any(path, homes):
            return f"only {', '.join(homes)} may include it"
    if path.startswith("base/") and not Path(path).name.startswith("os_") and re.fullmatch(OS, name):
        return "in base, operating system headers belong in os_*.cc"
    for folder, rules in BANNED.items():
        if in_any(path, [folder]):
            for pattern, reason in rules:
                if re.fullmatch(pattern, name):
                    return reason
    target = folder_of_include(name)
    if target is None:
        if quoted:
            return "project headers are included by their full path from the root, others in <>"
        return None
    row = row_of(path)
    if row is None:
        return "the file lies outside the folders of the layer table"
    allowed = TABLE[row]
    if allowed is ANYTHING or target == row or target in allowed:
        return None
    return f"{row} may include only {', '.join(allowed) if allowed else 'the standard library'}"


def violations(root, files):
    """One line per #include of `files` (paths relative to `root`) that breaks a rule."""
    found = []
    for path in sorted(files):
        if not path.endswith((".cc", ".h")):
            continue
        text = (Path(root) / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            reason = check_include(path, match.group(1) == '"', match.group(2))
            if reason is not None:
                found.append(f"{path}:{number}: includes {match.group(2)}: {reason}")
    return found
