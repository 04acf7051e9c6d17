// The flags of larder-cli.

#include "clients/cli/cli_options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace larder::cli {
namespace {

CliOptions parsed(const std::vector<std::string>& arguments) {
  Result<CliOptions> options = parse_cli_options(arguments, "");
  EXPECT_TRUE(options.ok()) << (options.ok() ? "" : options.error().message);
  return options.ok() ? *options : CliOptions();
}

TEST(CliOptions, Modes) {
  EXPECT_EQ(parsed({}).mode, CliMode::kInteractive);
  EXPECT_EQ(parsed({"PING"}).mode, CliMode::kCommand);
  EXPECT_EQ(parsed({"--bigkeys"}).mode, CliMode::kBigKeys);
  EXPECT_EQ(parsed({"--memkeys"}).mode, CliMode::kMemKeys);
  EXPECT_EQ(parsed({"--memkeys"}).memory_samples, -1);
  EXPECT_EQ(parsed({"--memkeys-samples", "7"}).mode, CliMode::kMemKeys);
  EXPECT_EQ(parsed({"--memkeys-samples", "7"}).memory_samples, 7);
  EXPECT_EQ(parsed({"--hotkeys"}).mode, CliMode::kHotKeys);
  EXPECT_EQ(parsed({"--latency-history", "-i", "0.5"}).mode, CliMode::kLatencyHistory);
  EXPECT_EQ(parsed({"--intrinsic-latency", "2"}).intrinsic_s, 2);
  EXPECT_EQ(parsed({"--rdb", "-"}).rdb_path, "-");
  EXPECT_EQ(parsed({"-c", "--verbose", "GET", "k"}).follows_redirections, true);
}

TEST(CliOptions, TheWordsBehindAScriptAreItsOwn) {
  const CliOptions options = parsed({"--eval", "file.lua", "k1", "k2", ",", "-a", "x"});
  EXPECT_EQ(options.mode, CliMode::kCommand);
  EXPECT_EQ(options.script_path, "file.lua");
  EXPECT_EQ(options.command, (std::vector<std::string>{"k1", "k2", ",", "-a", "x"}));
  EXPECT_EQ(parsed({"--eval", "file.lua"}).mode, CliMode::kCommand);
}

TEST(CliOptions, AValueThatIsMissing) {
  EXPECT_FALSE(parse_cli_options({"--rdb"}, "").ok());
  EXPECT_FALSE(parse_cli_options({"--intrinsic-latency", "x"}, "").ok());
  EXPECT_FALSE(parse_cli_options({"--memkeys-samples", "-1"}, "").ok());
}

}  // namespace
}  // namespace larder::cli
