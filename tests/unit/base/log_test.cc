#include "base/log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace larder {
namespace {

TEST(Log, FormatsALineAsOperatorsKnowIt) {
  MemoryLogSink sink;
  const SimulatedClock clock(1'700'000'000'123'456);
  Log log(sink, clock);
  log.set_process_id(31415);
  log.notice("Ready on port {} after {} s", 6379, 0.25);
  EXPECT_EQ(sink.text(), "31415:M 14 Nov 2023 22:13:20.123 * Ready on port 6379 after 0.25 s\n");
}

TEST(Log, LevelsAndRoles) {
  MemoryLogSink sink;
  const SimulatedClock clock(951'782'399'000'000);  // a second before a leap day's end
  Log log(sink, clock, LogLevel::kVerbose);
  log.set_process_id(1);
  log.debug("not shown");
  EXPECT_EQ(sink.text(), "");
  log.verbose("a");
  log.set_role('S');
  log.warning("b");
  EXPECT_EQ(sink.text(), "1:M 28 Feb 2000 23:59:59.000 - a\n1:S 28 Feb 2000 23:59:59.000 # b\n");
  sink.clear();
  log.set_level(LogLevel::kNothing);
  log.warning("c");
  EXPECT_EQ(sink.text(), "");
}

TEST(Log, FillsHoles) {
  EXPECT_EQ(format_text("{} {} {}", {"a", int64_t{-5}, uint64_t{7}}), "a -5 7");
  EXPECT_EQ(format_text("{} {}", {"a"}), "a {}");
  EXPECT_EQ(format_text("none", {1, 'c', true}), "none 1 c yes");
  EXPECT_EQ(format_text("{}", {"{}"}), "{}");
}

TEST(Log, TextFromOutsideCannotForgeALine) {
  EXPECT_EQ(format_text("key {}", {Bytes("a\n1:M b\0\x7f", 9)}), "key a\\x0a1:M b\\x00\\x7f");
}

TEST(Log, FileSinkFollowsRotation) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("larder_log_test_" + std::to_string(os_process_id()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "server.log";
  auto sink = open_file_log_sink(path);
  ASSERT_TRUE(sink);
  (*sink)->write_line(LogLevel::kNotice, "one\n");
  std::filesystem::rename(path, path + ".1");
  (*sink)->write_line(LogLevel::kNotice, "two\n");
  const auto content = [](const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(name).rdbuf();
    return text.str();
  };
  EXPECT_EQ(content(path + ".1"), "one\n");
  EXPECT_EQ(content(path), "two\n");
  std::filesystem::remove_all(folder);
  EXPECT_EQ(open_file_log_sink((folder / "missing" / "x.log").string()).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace larder
