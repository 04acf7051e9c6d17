#include "server/config/command_line.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/memory_file_system.h"
#include "server/config/option_rows.h"

namespace larder {
namespace {

class CommandLineTest : public ::testing::Test {
 protected:
  Result<CommandLine> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "larder-server");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data(), files_, [this] {
      ++stdin_reads_;
      return Result<std::string>(stdin_text_);
    });
  }
  Settings settings(std::vector<const char*> arguments) {
    const Result<CommandLine> line = parse(std::move(arguments));
    EXPECT_TRUE(line.ok()) << line.error().message;
    return line.ok() ? line->settings : Settings();
  }
  std::string refusal(std::vector<const char*> arguments) {
    const Result<CommandLine> line = parse(std::move(arguments));
    return line.ok() ? "ok" : line.error().message;
  }

  MemoryFileSystem files_;
  std::string stdin_text_;
  int stdin_reads_ = 0;
};

TEST_F(CommandLineTest, NothingMeansDefaults) {
  const Result<CommandLine> line = parse({});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->action, CommandLine::Action::kRun);
  EXPECT_EQ(line->config_file, "");
  EXPECT_EQ(line->settings.port, 6379);
  EXPECT_EQ(stdin_reads_, 0);
}

TEST_F(CommandLineTest, VersionAndHelpPrint) {
  for (const char* argument : {"-v", "--version"}) {
    const Result<CommandLine> line = parse({argument});
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(line->action, CommandLine::Action::kPrint);
    EXPECT_NE(line->text.find(" v=7.2.4 "), std::string::npos) << line->text;
    EXPECT_NE(line->text.find(" larder=0.1.0 "), std::string::npos) << line->text;
    EXPECT_EQ(line->text.back(), '\n');
  }
  for (const char* argument : {"-h", "--help"}) {
    const Result<CommandLine> line = parse({argument});
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(line->action, CommandLine::Action::kPrint);
    EXPECT_EQ(line->text.find("Usage: larder-server"), 0u);
  }
}

TEST_F(CommandLineTest, TheFormsThatScriptsUse) {
  const Settings all = settings({"--port",
                                 "0",
                                 "--unixsocket",
                                 "/tmp/x.sock",
                                 "--unixsocketperm",
                                 "700",
                                 "--requirepass",
                                 "se cret",
                                 "--save",
                                 "",
                                 "--appendonly",
                                 "no",
                                 "--enable-debug-command",
                                 "local",
                                 "--daemonize",
                                 "yes",
                                 "--pidfile",
                                 "/tmp/x.pid",
                                 "--logfile",
                                 "/tmp/x.log",
                                 "--dir",
                                 "/tmp",
                                 "--bind",
                                 "127.0.0.1",
                                 "::1",
                                 "--databases",
                                 "4"});
  EXPECT_EQ(all.port, 0);
  EXPECT_EQ(all.unix_socket, "/tmp/x.sock");
  EXPECT_EQ(all.unix_socket_permissions, 0700);
  EXPECT_EQ(all.requirepass, "se cret");
  EXPECT_TRUE(all.save_points.empty());
  EXPECT_EQ(all.enable_debug_command, ProtectedCommandUse::kLocal);
  EXPECT_TRUE(all.daemonize);
  EXPECT_EQ(all.pidfile, "/tmp/x.pid");
  EXPECT_EQ(all.logfile, "/tmp/x.log");
  EXPECT_EQ(all.dir, "/tmp");
  EXPECT_EQ(all.bind, (std::vector<std::string>{"127.0.0.1", "::1"}));
  EXPECT_EQ(all.databases, 4);
}

TEST_F(CommandLineTest, AnOptionAndItsValueMayBeOneArgument) {
  EXPECT_EQ(settings({"--port 7000"}).port, 7000);
  EXPECT_EQ(settings({"--save 60 1", "--port", "7000"}).save_points.size(), 1u);
  EXPECT_EQ(settings({"--client-output-buffer-limit", "normal 1 2 3"}).output_limits[0].soft_bytes, 2);
}

TEST_F(CommandLineTest, AnEmptySaveTurnsSnapshotsOff) {
  EXPECT_TRUE(settings({"--save"}).save_points.empty());
  EXPECT_TRUE(settings({"--save", "--port", "7000"}).save_points.empty());
  EXPECT_EQ(settings({"--save", "--port", "7000"}).port, 7000);
}

TEST_F(CommandLineTest, TheArgumentBehindABareOptionIsItsValue) {
  EXPECT_EQ(settings({"--requirepass", "--secret"}).requirepass, "--secret");
}

TEST_F(CommandLineTest, FileThenStandardInputThenOptions) {
  files_.set_content("/etc/larder.conf", "port 1\ntimeout 1\nhz 1\nsave 1 1\n");
  stdin_text_ = "timeout 2\nhz 2\n";
  const Result<CommandLine> line = parse({"/etc/larder.conf", "--hz", "3", "-"});
  ASSERT_TRUE(line.ok()) << line.error().message;
  EXPECT_EQ(line->config_file, "/etc/larder.conf");
  EXPECT_EQ(line->settings.port, 1);
  EXPECT_EQ(line->settings.timeout_s, 2);
  EXPECT_EQ(line->settings.hz, 3);
  EXPECT_EQ(stdin_reads_, 1);
}

TEST_F(CommandLineTest, StandardInputAlone) {
  stdin_text_ = "port 7\n";
  const Result<CommandLine> line = parse({"-"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->settings.port, 7);
  EXPECT_EQ(line->config_file, "");
}

TEST_F(CommandLineTest, SavePointsOfTheCommandLineAddToThoseOfTheFile) {
  files_.set_content("/a.conf", "save 60 1\n");
  EXPECT_EQ(settings({"/a.conf", "--save", "30", "2"}).save_points.size(), 2u);
  EXPECT_TRUE(settings({"/a.conf", "--save", ""}).save_points.empty());
}

TEST_F(CommandLineTest, MistakesAreExplained) {
  EXPECT_EQ(refusal({"--maxmemroy", "1gb"}),
            "\n*** FATAL CONFIG FILE ERROR (Larder 0.1.0) ***\nReading the command line\n>>> 'maxmemroy 1gb'\n"
            "Bad directive or wrong number of arguments\nDid you mean 'maxmemory'?\n");
  EXPECT_NE(refusal({"--port"}).find("wrong number of arguments"), std::string::npos);
  EXPECT_NE(refusal({"--port", "x"}).find(">>> 'port x'\nargument couldn't be parsed into an integer"),
            std::string::npos);
  EXPECT_NE(refusal({"--save", "60", "1", "a b"}).find(">>> 'save 60 1 \"a b\"'"), std::string::npos);
  EXPECT_NE(refusal({"/missing.conf"}).find("can't open config file '/missing.conf'"), std::string::npos);
  EXPECT_NE(refusal({"--"}).find("'--' is no option"), std::string::npos);
  EXPECT_NE(refusal({"-x"}).find("'-x' is no option"), std::string::npos);
  EXPECT_NE(refusal({"--port \"1"}).find("unbalanced quotes"), std::string::npos);
  EXPECT_NE(refusal({"--test-memory", "1"}).find("--test-memory is not offered"), std::string::npos);
  EXPECT_NE(refusal({"--loadmodule", "/x.so"}).find("Modules are not available"), std::string::npos);
}

TEST_F(CommandLineTest, AFailingStandardInputIsReported) {
  const char* arguments[] = {"larder-server", "-"};
  const auto line = parse_command_line(2, arguments, files_, [] {
    return Result<std::string>(Error{ErrorCode::kIo, "read standard input: broken"});
  });
  ASSERT_FALSE(line.ok());
  EXPECT_EQ(line.error().message, "read standard input: broken");
}

TEST_F(CommandLineTest, NoArgumentsAtAll) {
  EXPECT_TRUE(parse_command_line(0, nullptr, files_, [] { return Result<std::string>(std::string()); }).ok());
}

}  // namespace
}  // namespace larder
