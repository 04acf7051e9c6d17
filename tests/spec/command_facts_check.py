#!/usr/bin/env python3
"""Compares what a running server tells of its commands with command_facts.tsv.

    command_facts_check.py [--host H] [--port P] [--group NAME ...] [--require-all]

Asks COMMAND INFO and COMMAND DOCS for every command of the table and compares arity, flags, ACL categories, key specs,
tips, group and first version. A command that the server does not have is only counted, unless --require-all is given;
one that the table does not have is reported. Exit status 1 when anything differs.

The columns of the table: group, command ("CONTAINER|SUB" for a subcommand), arity, since, flags, ACL categories, key
specs (the notation of server/core/command_spec.h), tips. "-" and an empty column mean none.
"""

import argparse
import csv
import pathlib
import socket
import sys

FACTS = pathlib.Path(__file__).with_name("command_facts.tsv")

# Follows from key specs that one range cannot express; the table does not list it.
DERIVED_FLAGS = {"movablekeys"}
# What COMMAND INFO keeps to itself, in Redis as in Larder.
SILENT_FLAGS = {"sentinel", "touches_arbitrary_keys", "all_dbs", "protected"}
# The table has Valkey's name.
RENAMED_FLAGS = {"skip_commandlog": "skip_slowlog"}


class Connection:
    """A minimal RESP2 client: enough to ask COMMAND and to read the answer."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.stream = self.socket.makefile("rb")

    def ask(self, *words):
        request = b"*%d\r\n" % len(words)
        for word in words:
            raw = word.encode()
            request += b"$%d\r\n%s\r\n" % (len(raw), raw)
        self.socket.sendall(request)
        return self.read()

    def read(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind == b"$":
            text = self.stream.read(size + 2)[:-2]
            return text.decode(errors="replace")
        if kind == b"*":
            return [self.read() for _ in range(size)]
        raise RuntimeError(f"unexpected reply type {kind!r}")


def words_of(column):
    return set() if column in ("", "-") else set(column.split(","))


def flags_of(words):
    return {RENAMED_FLAGS.get(word, word) for word in words} - DERIVED_FLAGS - SILENT_FLAGS


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def key_spec_text(spec):
    """One key spec of COMMAND INFO in the table's notation, its flags as a set beside it."""
    fields = pairs(spec)
    begin, find = pairs(fields["begin_search"]), pairs(fields["find_keys"])
    begin_spec, find_spec = pairs(begin["spec"]), pairs(find["spec"])
    if begin["type"] == "index":
        where = f"i{begin_spec['index']}"
    elif begin["type"] == "keyword":
        where = f"kw:{begin_spec['keyword']}@{begin_spec['startfrom']}"
    else:
        where = "?"
    if find["type"] == "range":
        how = "range({lastkey},{keystep},{limit})".format(**find_spec)
    elif find["type"] == "keynum":
        how = "keynum({keynumidx},{firstkey},{keystep})".format(**find_spec)
    else:
        how = "?"
    return frozenset(flag.upper() for flag in fields["flags"]), f"{where}:{how}"


def expected_key_specs(column):
    specs = []
    for text in [] if column in ("", "-") else column.split(";"):
        flags, _, place = text.partition("@")
        specs.append((frozenset(flags.split("+")), place))
    return specs


def compare(row, info):
    """The differences between a row of the table and the reply of COMMAND INFO, as texts."""
    found = {
        "arity": (int(row["arity"]), info[1]),
        "flags": (flags_of(words_of(row["flags"])), flags_of(info[2])),
        "ACL categories": (words_of(row["acl_categories_beyond_flags"]), set(info[6])),
        "tips": (words_of(row["tips"]), set(info[7])),
        "key specs": (expected_key_specs(row["key_specs"]), [key_spec_text(spec) for spec in info[8]]),
    }
    return [f"{what}: expected {wanted}, got {got}" for what, (wanted, got) in found.items() if wanted != got]


def compare_docs(row, docs):
    fields = pairs(docs)
    differences = []
    for what, wanted in (("group", row["group"]), ("since", row["since"])):
        if fields.get(what) != wanted:
            differences.append(f"{what}: expected {wanted}, got {fields.get(what)}")
    if not fields.get("summary"):
        differences.append("summary is missing")
    return differences


def subcommand_info(connection, name):
    """COMMAND INFO of a command or subcommand; None when the server has none of that name."""
    container, _, sub = name.partition("|")
    info = connection.ask("COMMAND", "INFO", container)[0]
    if info is None or not sub:
        return info
    return next((entry for entry in info[9] if entry[0] == name), None)


def docs_of(connection, name):
    container, _, sub = name.partition("|")
    docs = pairs(connection.ask("COMMAND", "DOCS", container)).get(container, [])
    if not sub:
        return docs
    return pairs(pairs(docs).get("subcommands", [])).get(name, [])


def unknown_to_table(connection, known):
    for info in connection.ask("COMMAND"):
        for name in [info[0]] + [entry[0] for entry in info[9]]:
            if name not in known:
                yield name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("--group", action="append", help="only commands of this group; may be repeated")
    parser.add_argument("--require-all", action="store_true", help="a command that the server lacks is a difference")
    options = parser.parse_args()

    connection = Connection(options.host, options.port)
    with FACTS.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    checked, missing, wrong = 0, 0, 0
    for row in rows:
        if options.group and row["group"] not in options.group:
            continue
        name = row["command"].lower()
        info = subcommand_info(connection, name)
        if info is None:
            missing += 1
            if options.require_all:
                print(f"{name}: the server does not have it")
            continue
        checked += 1
        differences = compare(row, info) + compare_docs(row, docs_of(connection, name))
        for difference in differences:
            print(f"{name}: {difference}")
        wrong += bool(differences)
    if not options.group:
        for name in unknown_to_table(connection, {row["command"].lower() for row in rows}):
            print(f"{name}: the table of facts does not have it")
            wrong += 1
    print(f"{checked} commands compared, {wrong} differ, {missing} of the table are not in this server")
    return 1 if wrong or (options.require_all and missing) else 0


if __name__ == "__main__":
    sys.exit(main())
