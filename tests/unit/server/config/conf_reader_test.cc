#include "server/config/conf_reader.h"

#include <gtest/gtest.h>

#include "base/memory_file_system.h"

namespace larder {
namespace {

class ConfReaderTest : public ::testing::Test {
 protected:
  // Reads the text as the main file; the message when it is refused, else "ok".
  std::string read(Bytes text) {
    settings_ = Settings();
    ConfReader reader(files_, settings_);
    return std::string(reader.read_text(text).message());
  }
  static std::string fatal(Bytes where, Bytes line, Bytes reason) {
    return "\n*** FATAL CONFIG FILE ERROR (Larder 0.1.0) ***\nReading " + std::string(where) + "\n>>> '" +
           std::string(line) + "'\n" + std::string(reason) + "\n";
  }
  static std::string fatal_at(int line, Bytes text, Bytes reason) {
    return fatal("the configuration file, at line " + std::to_string(line), text, reason);
  }

  MemoryFileSystem files_;
  Settings settings_;
};

TEST_F(ConfReaderTest, CommentsQuotesAndSpaces) {
  EXPECT_EQ(read("# a comment\n\n   port   7000  \r\n\tMAXMEMORY 1gb\nrequirepass \"a b\\x21\"\n#port 1\n"
                 "unixsocket '/tmp/a b'"),
            "ok");
  EXPECT_EQ(settings_.port, 7000);
  EXPECT_EQ(settings_.maxmemory_bytes, 1 << 30);
  EXPECT_EQ(settings_.requirepass, "a b!");
  EXPECT_EQ(settings_.unix_socket, "/tmp/a b");
}

TEST_F(ConfReaderTest, TheLastLineOfAnOptionCounts) {
  EXPECT_EQ(read("port 1\nport 2\n"), "ok");
  EXPECT_EQ(settings_.port, 2);
}

TEST_F(ConfReaderTest, SavePointsAddUpAndReplaceTheDefaults) {
  EXPECT_EQ(read("save 900 1\nsave 300 10\n"), "ok");
  ASSERT_EQ(settings_.save_points.size(), 2u);
  EXPECT_EQ(settings_.save_points[1].seconds, 300);
  EXPECT_EQ(read("save \"\"\n"), "ok");
  EXPECT_TRUE(settings_.save_points.empty());
  EXPECT_EQ(read("save 900 1\nsave \"\"\nsave 60 5 30 6\n"), "ok");
  ASSERT_EQ(settings_.save_points.size(), 2u);
  EXPECT_EQ(settings_.save_points[0].changes, 5);
  EXPECT_EQ(read("save \"60 1\"\n"), "ok");
  EXPECT_EQ(settings_.save_points.size(), 1u);
  EXPECT_EQ(read("port 1\n"), "ok");
  EXPECT_EQ(settings_.save_points.size(), 3u) << "without a line the defaults stay";
}

TEST_F(ConfReaderTest, LimitsOfClassesAreApart) {
  EXPECT_EQ(read("client-output-buffer-limit normal 1mb 0 0\nclient-output-buffer-limit pubsub 1 2 3\n"), "ok");
  EXPECT_EQ(settings_.output_limits[0].hard_bytes, 1 << 20);
  EXPECT_EQ(settings_.output_limits[1].hard_bytes, 256 << 20);
  EXPECT_EQ(settings_.output_limits[2].soft_bytes, 2);
}

TEST_F(ConfReaderTest, RenamedCommandsAreKept) {
  EXPECT_EQ(read("rename-command FLUSHALL \"\"\nrename-command CONFIG secret\n"), "ok");
  ASSERT_EQ(settings_.renamed_commands.size(), 2u);
  EXPECT_EQ(settings_.renamed_commands[0].name, "FLUSHALL");
  EXPECT_EQ(settings_.renamed_commands[0].new_name, "");
  EXPECT_EQ(settings_.renamed_commands[1].new_name, "secret");
}

TEST_F(ConfReaderTest, MistakesAreNamedWithTheirLine) {
  EXPECT_EQ(read("port 1\n# x\nmaxmemroy 1gb\nport x\n"),
            fatal_at(3, "maxmemroy 1gb", "Bad directive or wrong number of arguments\nDid you mean 'maxmemory'?"));
  EXPECT_EQ(read("qqqqqqqqqqqq 1\n"), fatal_at(1, "qqqqqqqqqqqq 1", "Bad directive or wrong number of arguments"));
  EXPECT_EQ(read("port\n"), fatal_at(1, "port", "wrong number of arguments"));
  EXPECT_EQ(read("port 1 2\n"), fatal_at(1, "port 1 2", "wrong number of arguments"));
  EXPECT_EQ(read("\n\nmaxmemory many\n"), fatal_at(3, "maxmemory many", "argument must be a memory or percent value"));
  EXPECT_EQ(read("save 60 1 \"\n"), fatal_at(1, "save 60 1 \"", "Unbalanced quotes in configuration line"));
  EXPECT_EQ(read("rename-command a\n"), fatal_at(1, "rename-command a", "wrong number of arguments"));
  EXPECT_EQ(read("include\n"), fatal_at(1, "include", "wrong number of arguments"));
}

TEST_F(ConfReaderTest, WhatMustNotBeLeftOutSilentlyIsRefused) {
  EXPECT_EQ(read("loadmodule /x.so\n"), fatal_at(1, "loadmodule /x.so", "Modules are not available in Larder"));
  EXPECT_EQ(read("user alice on >x ~* +@all\n"),
            fatal_at(1, "user alice on >x ~* +@all",
                     "ACL users are not available in this version of Larder: use requirepass"));
  EXPECT_EQ(read("sentinel monitor a b c\n"),
            fatal_at(1, "sentinel monitor a b c", "sentinel directive while not in sentinel mode"));
}

TEST_F(ConfReaderTest, ForgottenNamesAreSkipped) { EXPECT_EQ(read("lua-replicate-commands yes\n"), "ok"); }

TEST_F(ConfReaderTest, IncludesAreReadInPlace) {
  files_.set_content("a.conf", "port 1\ntimeout 9\n");
  EXPECT_EQ(read("port 5\ninclude a.conf\n"), "ok");
  EXPECT_EQ(settings_.port, 1);
  EXPECT_EQ(read("include a.conf\nport 5\n"), "ok");
  EXPECT_EQ(settings_.port, 5);
  EXPECT_EQ(settings_.timeout_s, 9);
}

TEST_F(ConfReaderTest, IncludesTakePatterns) {
  ASSERT_TRUE(files_.make_directory("conf.d").ok());
  files_.set_content("conf.d/20.conf", "port 20\n");
  files_.set_content("conf.d/10.conf", "port 10\ntimeout 10\n");
  files_.set_content("conf.d/.hidden.conf", "port 99\n");
  files_.set_content("conf.d/readme", "not a configuration\n");
  EXPECT_EQ(read("include conf.d/*.conf\n"), "ok");
  EXPECT_EQ(settings_.port, 20) << "files are read in the order of their names";
  EXPECT_EQ(settings_.timeout_s, 10);
  EXPECT_EQ(read("include nowhere/*.conf\n"), "ok");
}

TEST_F(ConfReaderTest, MistakesInIncludedFilesNameTheFile) {
  files_.set_content("a.conf", "\nport x\n");
  EXPECT_EQ(read("include a.conf\n"), fatal("the configuration file 'a.conf', at line 2", "port x",
                                            "argument couldn't be parsed into an integer"));
  EXPECT_NE(read("include missing.conf\n").find("can't open config file 'missing.conf'"), std::string::npos);
}

TEST_F(ConfReaderTest, AnIncludeOfItselfEnds) {
  files_.set_content("loop.conf", "include loop.conf\n");
  EXPECT_NE(read("include loop.conf\n").find("too many levels of include"), std::string::npos);
}

TEST_F(ConfReaderTest, AMissingFileIsNamed) {
  ConfReader reader(files_, settings_);
  const Status status = reader.read_file("/no/such.conf");
  EXPECT_EQ(status.message().find("Fatal error, can't open config file '/no/such.conf'"), 0u) << status.message();
}

TEST_F(ConfReaderTest, AnyBytesAreReadOrRefused) {
  std::string text;
  for (int i = 0; i < 256; ++i) text += static_cast<char>(i);
  EXPECT_NE(read(text), "ok");
  EXPECT_NE(read(std::string_view("port\0 1\n", 8)), "ok");
  EXPECT_EQ(read(std::string(100000, '\n')), "ok");
  EXPECT_EQ(read("requirepass " + std::string(100000, 'x')), "ok");
}

}  // namespace
}  // namespace larder
