#include "server/core/server_stats.h"

#include <gtest/gtest.h>

#include <string>

namespace larder {
namespace {

TEST(RateMeter, AveragesOverItsSamples) {
  RateMeter meter;
  EXPECT_EQ(meter.per_second(), 0u);
  uint64_t total = 0;
  for (int i = 0; i <= 16; ++i) {
    meter.sample(total, 1000 + i * 100);
    total += 50;
  }
  EXPECT_EQ(meter.per_second(), 500u);
}

TEST(RateMeter, ForgetsWhatIsOlderThanItsSamples) {
  RateMeter meter;
  meter.sample(0, 1000);
  meter.sample(1000000, 1100);
  for (int i = 2; i < 40; ++i) meter.sample(1000000, 1000 + i * 100);
  EXPECT_EQ(meter.per_second(), 0u);
}

TEST(RateMeter, SurvivesATotalThatWasResetAndAClockThatStands) {
  RateMeter meter;
  meter.sample(1000, 1000);
  meter.sample(10, 1100);
  meter.sample(20, 1100);
  EXPECT_EQ(meter.per_second(), 0u);
}

TEST(ServerStats, CountsErrorsByTheirFirstWord) {
  ServerStats stats;
  stats.count_error("-ERR syntax error\r\n");
  stats.count_error("-ERR other\r\n");
  stats.count_error("-WRONGTYPE Operation\r\n");
  EXPECT_EQ(stats.error_replies, 3u);
  EXPECT_EQ(stats.errors["ERR"], 2u);
  EXPECT_EQ(stats.errors["WRONGTYPE"], 1u);
}

TEST(ServerStats, ALineWithoutAShortFirstWordCountsAsErr) {
  ServerStats stats;
  stats.count_error("-WORD\r\n");
  stats.count_error("-WORD\r\n+of another reply\r\n");
  stats.count_error("");
  stats.count_error("-" + std::string(31, 'A') + " text\r\n");
  stats.count_error("-" + std::string(1 << 20, 'A') + "\r\n");
  EXPECT_EQ(stats.errors.size(), 1u);
  EXPECT_EQ(stats.errors["ERR"], 5u);
  stats.count_error("-" + std::string(30, 'A') + " text\r\n");
  EXPECT_EQ(stats.errors[std::string(30, 'A')], 1u);
}

TEST(ServerStats, KindsOfErrorsAreBounded) {
  ServerStats stats;
  for (int i = 0; i < 1000; ++i) stats.count_error("-CODE" + std::to_string(i) + " text\r\n");
  EXPECT_EQ(stats.errors.size(), ServerStats::kErrorKindsMax);
  EXPECT_EQ(stats.error_replies, 1000u);
}

TEST(ServerStats, ResetKeepsWhatIsNoStatistic) {
  ServerStats stats;
  stats.keyspace_hits = 5;
  stats.dirty = 7;
  stats.memory_peak_bytes = 9;
  stats.count_error("-ERR x\r\n");
  stats.reset();
  EXPECT_EQ(stats.keyspace_hits, 0u);
  EXPECT_EQ(stats.error_replies, 0u);
  EXPECT_TRUE(stats.errors.empty());
  EXPECT_EQ(stats.dirty, 7u);
  EXPECT_EQ(stats.memory_peak_bytes, 9u);
}

}  // namespace
}  // namespace larder
