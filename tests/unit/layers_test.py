"""Every #include of the tree obeys the layer table; and the checker sees a violation of each kind."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import layers
from source_files import ROOT, project_files


class RealTree(unittest.TestCase):
    def test_every_include_obeys_the_table(self):
        files = [name for name in project_files() if name.endswith((".cc", ".h"))]
        self.assertTrue(files, "no source was found: the test would pass without looking")
        found = layers.violations(ROOT, files)
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_every_source_lies_in_a_row_of_the_table(self):
        stray = [name for name in project_files() if name.endswith((".cc", ".h")) and layers.row_of(name) is None]
        self.assertEqual(stray, [])


class FakeTree(unittest.TestCase):
    """A tree of one file each time: the violation must be found, with its line, and its lawful twin must not."""

    def violations_of(self, path, text):
        with tempfile.TemporaryDirectory() as root:
            file = Path(root) / path
            file.parent.mkdir(parents=True)
            file.write_text(text)
            return layers.violations(root, [path])

    def assert_forbidden(self, path, include):
        found = self.violations_of(path, f"// a comment\n#include {include}\n")
        self.assertEqual(len(found), 1, f"{path} including {include} went unseen")
        self.assertTrue(found[0].startswith(f"{path}:2: "), found[0])

    def assert_allowed(self, path, include):
        self.assertEqual(self.violations_of(path, f"#include {include}\n"), [])

    def test_layers(self):
        self.assert_forbidden("base/glob.cc", '"protocol/reply_writer.h"')
        self.assert_forbidden("storage/entry.cc", '"protocol/reply_writer.h"')
        self.assert_forbidden("storage/entry.cc", '"server/core/context.h"')
        self.assert_forbidden("protocol/reply_writer.cc", '"storage/entry.h"')
        self.assert_forbidden("persistence/rdb_writer.cc", '"server/core/context.h"')
        self.assert_forbidden("server/core/dispatcher.cc", '"server/command/families.h"')
        self.assert_forbidden("server/core/dispatcher.cc", '"server/net/loop.h"')
        self.assert_forbidden("server/core/dispatcher.cc", '"server/script/engine.h"')
        self.assert_forbidden("server/command/string_commands.cc", '"server/net/connection.h"')
        self.assert_forbidden("server/net/connection.cc", '"storage/keyspace.h"')
        self.assert_forbidden("server/net/connection.cc", '"server/command/families.h"')
        self.assert_forbidden("clients/cpp/client.cc", '"storage/entry.h"')
        self.assert_forbidden("bench/load/main.cc", '"server/core/context.h"')

    def test_lawful_includes(self):
        self.assert_allowed("storage/entry.cc", '"base/bytes.h"')
        self.assert_allowed("storage/entry.cc", '"storage/entry.h"')
        self.assert_allowed("server/command/string_commands.cc", '"server/script/engine.h"')
        self.assert_allowed("server/net/connection.cc", '"server/core/dispatcher.h"')
        self.assert_allowed("server/main.cc", '"server/net/loop.h"')
        self.assert_allowed("clients/cli/main.cc", '"clients/cpp/connection.h"')
        self.assert_allowed("tests/command/set_test.cc", '"server/core/context.h"')

    def test_headers_with_one_home(self):
        self.assert_allowed("server/net/loop.cc", "<uv.h>")
        self.assert_forbidden("server/core/cron.cc", "<uv.h>")
        self.assert_forbidden("server/main.cc", "<uv.h>")
        self.assert_forbidden("server/core/cron.cc", "<openssl/ssl.h>")
        self.assert_allowed("server/script/engine.cc", "<lua.h>")
        self.assert_forbidden("server/command/script_commands.cc", "<lauxlib.h>")

    def test_the_operating_system(self):
        self.assert_forbidden("base/log.cc", "<unistd.h>")
        self.assert_allowed("base/os_file_system.cc", "<unistd.h>")
        self.assert_forbidden("storage/expiry.cc", "<ctime>")
        self.assert_forbidden("storage/keyspace.cc", "<fstream>")
        self.assert_forbidden("protocol/request_parser.cc", "<sys/socket.h>")

    def test_includes_by_full_path(self):
        self.assert_forbidden("storage/entry.cc", '"entry.h"')
        self.assert_forbidden("tools/thing.cc", '"base/bytes.h"')


if __name__ == "__main__":
    unittest.main()
