#!/usr/bin/env python3
"""Makes the inputs that fuzzing of files' parts begins with: tests/fuzz/corpus/{rdb_payload,rdb_loader,packed,aof_reader,aof_manifest}/.

    tests/fuzz/make_corpus.py LARDER_SERVER [REDIS_SERVER]

Random bytes never get past the frame of a packed value, or the checksum of a line of the log; damaged copies of these do. They are what both servers dump of
small values of every type, and by hand what only old versions wrote. The result is committed, so that the targets need
no server.
"""

import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from harness import Client  # noqa: E402

FOOTER_BYTES = 10  # version, checksum
LOG_BYTES_MAX = 4000
GROUP_LINE_BYTES = 69
TAKEN_OVER = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n2\r\n"
# The first byte of an input of rdb_payload chooses the version.
CHOICE_OF_VERSION = {11: 0, 12: 1, 80: 2, 10: 3}

VALUES = {
    "integer": [["SET", "integer", "12345"]],
    "text": [["SET", "text", "a text of some length " * 4]],
    "list": [["RPUSH", "list", "a", "1", "-70000", "x" * 70]],
    "list-large": [["CONFIG", "SET", "list-max-listpack-size", "2"], ["RPUSH", "list-large", *"abcdefg", "y" * 100]],
    "intset": [["SADD", "intset", "1", "2", "-40000"]],
    "set": [["SADD", "set", "a", "b", "17"]],
    "set-large": [["CONFIG", "SET", "set-max-intset-entries", "1"], ["SADD", "set-large", *"123", "z" * 70]],
    "hash": [["HSET", "hash", "field", "value", "n", "42"]],
    "hash-large": [["HSET", "hash-large", "field", "v" * 70, "n", "42"]],
    "zset": [["ZADD", "zset", "1", "a", "2.5", "b", "inf", "c"]],
    "zset-large": [["ZADD", "zset-large", "1", "a", "-inf", "b" * 70]],
    "sketch": [["PFADD", "sketch", *"abcdefgh"]],
    "stream": [["XADD", "stream", "1-1", "name", "value", "n", "1"], ["XADD", "stream", "1-2", "name", "other", "n", "70000"],
               ["XADD", "stream", "5-0", "else", "x" * 70], ["XADD", "stream", "6-0", "name", "v", "n", "2"], ["XDEL", "stream", "1-2"],
               ["XGROUP", "CREATE", "stream", "g", "0"], ["XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", "stream", ">"]],
}
ONLY_LARDER = {"hash-deadlines": [["HSET", "hash-deadlines", "a", "1", "b", "2"], ["HPEXPIREAT", "hash-deadlines", "60000000000000", "FIELDS", "1", "a"]]}


def rdb_text(content):
    assert len(content) < 16384
    return (bytes([len(content)]) if len(content) < 64 else struct.pack(">H", 0x4000 | len(content))) + content


def ziplist(entries):
    body = b""
    before = last = 0
    for entry in entries:
        if isinstance(entry, int):
            content = (bytes([0xF1 + entry]) if 0 <= entry <= 12 else b"\xfe" + struct.pack("<b", entry) if -128 <= entry < 128
                       else b"\xc0" + struct.pack("<h", entry) if -32768 <= entry < 32768 else b"\xe0" + struct.pack("<q", entry))
        else:
            content = (bytes([len(entry)]) if len(entry) < 64 else struct.pack(">H", 0x4000 | len(entry))) + entry
        made = (bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)) + content
        last = 10 + len(body)
        before = len(made)
        body += made
    return struct.pack("<IIH", 11 + len(body), last, len(entries)) + body + b"\xff"


def zipmap(pairs):
    body = bytes([len(pairs)])
    for key, value in pairs:
        body += bytes([len(key)]) + key + bytes([len(value), 2]) + value + b"\0\0"
    return body + b"\xff"


def listpack(elements):
    body = b"".join(bytes([0x80 | len(e)]) + e + bytes([len(e) + 1]) if isinstance(e, bytes) else bytes([e, 1]) for e in elements)
    return struct.pack("<IH", 7 + len(body), len(elements)) + body + b"\xff"


ENTRIES = [b"field", 5, b"b" * 70, -100, b"", 30000, b"c" * 250, 1 << 40]
OLD = {
    "zipmap": b"\x09" + rdb_text(zipmap([(b"a", b"1"), (b"field", b"value")])),
    "list-ziplist": b"\x0a" + rdb_text(ziplist(ENTRIES)),
    "zset-ziplist": b"\x0c" + rdb_text(ziplist([b"a", 1, b"b", b"2.5"])),
    "hash-ziplist": b"\x0d" + rdb_text(ziplist(ENTRIES)),
    "quicklist": b"\x0e\x02" + rdb_text(ziplist([b"a", 1])) + rdb_text(ziplist(ENTRIES)),
    "zset-text": b"\x03\x03\x01a\x011\x01b\x042.25\x01c\xfe",
    "list-plain": b"\x01\x02\x01a\xc0\x05",
    "hash-valkey": b"\x16\x02\x01a\x011" + b"\xff" * 8 + b"\x01b\x012" + struct.pack("<q", 60000000000000),
    "hash-listpack-deadlines": b"\x19" + struct.pack("<q", 60000000000000) + rdb_text(listpack([b"a", b"1", 0, b"b", b"2", 0])),
    "hash-metadata": b"\x18" + struct.pack("<q", 60000000000000) + b"\x02\x01\x01a\x011\x00\x01b\x012",
}


class Started:
    def __init__(self, path, folder, more=()):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.process = subprocess.Popen([path, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--rdbcompression", "no", *more],
                                        stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                self.client = Client(port)
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def write(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def dumps_of(server, values, prefix):
    for name, commands in values.items():
        for command in commands:
            server.client.call(*command)
        dumped = server.client.call("DUMP", name)
        version = int.from_bytes(dumped[-FOOTER_BYTES:-8], "little")
        write("rdb_payload", f"{prefix}-{name}", bytes([CHOICE_OF_VERSION[version]]) + dumped[:-FOOTER_BYTES])


def log_of(path, name, options):
    """A log of a few groups; cut in the middle of the last one, also with what another server writes behind that."""
    with tempfile.TemporaryDirectory() as folder:
        server = Started(path, folder, ["--appendonly", "yes", *options])
        for command in (["SET", "k", "v"], ["SELECT", 1], ["RPUSH", "l", "a", "b"], ["MULTI"], ["SET", "a", 1], ["SELECT", 2],
                        ["SET", "b", 2], ["EXEC"]):
            server.client.call(*command)
        if name == "base":
            server.client.call("BGREWRITEAOF")
        time.sleep(1.5)  # what comes next is behind a claim
        server.client.call("SET", "z", 1)
        time.sleep(0.1)
        server.process.kill()
        server.process.wait(20)
        for file in sorted((pathlib.Path(folder) / "appendonlydir").iterdir()):
            if file.name.endswith(".manifest"):
                write("aof_manifest", name, file.read_bytes())
            if file.name.endswith(".aof"):
                text = file.read_bytes()
                kind = f"{name}-{file.name.split('.')[3]}"
                write("aof_reader", kind, text[:LOG_BYTES_MAX])
                write("aof_reader", f"{kind}-torn", text[:text.rindex(b"#LG:") + 90])
                write("aof_reader", f"{kind}-taken-over", text[:text.rindex(b"#LG:") + GROUP_LINE_BYTES] + TAKEN_OVER)


def main():
    larder, reference = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "redis-server"
    for prefix, path, more in (("larder", larder, ONLY_LARDER), ("redis", reference, {})):
        with tempfile.TemporaryDirectory() as folder:
            server = Started(path, folder)
            try:
                dumps_of(server, VALUES | more, prefix)
                server.client.call("SAVE")
                write("rdb_loader", prefix, (pathlib.Path(folder) / "dump.rdb").read_bytes())
            finally:
                server.stop()
    log_of(larder, "always", ["--appendfsync", "always"])
    log_of(larder, "everysec", ["--aof-timestamp-enabled", "yes"])
    log_of(larder, "base", ["--aof-use-rdb-preamble", "no"])
    for name, content in OLD.items():
        write("rdb_payload", f"old-{name}", bytes([2 if name.endswith("valkey") else 1]) + content)
    write("packed", "listpack", b"\0" + listpack([b"a", 1, b"field", 127]))
    write("packed", "ziplist", b"\1" + ziplist(ENTRIES))
    write("packed", "zipmap", b"\2" + zipmap([(b"a", b"1"), (b"field", b"value"), (b"", b"x" * 100)]))


if __name__ == "__main__":
    main()
