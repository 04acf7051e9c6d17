// What SPOP gives to the log and the replicas, and that what it leaves is drawn evenly.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/command/effects_test.h"

namespace larder {
namespace {

constexpr int kMembers = 300;  // a table

class SetPropagation : public testing::EffectsTest {
 protected:
  static std::string member(int i) { return "a-member-of-some-length:" + std::to_string(100 + i); }
  void fill() {
    std::vector<std::string> words = {"SADD", "s"};
    for (int i = 0; i < kMembers; ++i) words.push_back(member(i));
    client_.send_request(words);
    server_.run();
    client_.take();
  }
};

TEST_F(SetPropagation, WhatWasPoppedOrWhatStays) {
  fill();
  std::vector<std::string> lines = effect("SPOP s 2");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].substr(0, 7), "SREM s ");
  EXPECT_EQ(std::count(lines[0].begin(), lines[0].end(), ' '), 3);

  lines = effect("SPOP s 296");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "DEL s");
  EXPECT_EQ(lines[1].substr(0, 7), "SADD s ");
  EXPECT_EQ(std::count(lines[1].begin(), lines[1].end(), ' '), 3);
  for (size_t i = 2; i < recorder_.words().back().size(); ++i) {
    EXPECT_EQ(run("SISMEMBER s " + recorder_.words().back()[i]), ":1\r\n");
  }
  EXPECT_EQ(run("SCARD s"), ":2\r\n");
  EXPECT_EQ(effect("SPOP s 2"), std::vector<std::string>{"DEL s"});

  fill();
  run("EXPIRE s 100");
  lines = effect("SPOP s 299");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2], "PEXPIREAT s " + std::to_string(server_.clock().wall_us() / 1000 + 100'000));
}

TEST_F(SetPropagation, WhatStaysIsDrawnEvenly) {
  constexpr int kRounds = 600;
  constexpr int kStaying = 50;
  std::vector<int> stayed(kMembers);
  for (int round = 0; round < kRounds; ++round) {
    fill();
    effect("SPOP s " + std::to_string(kMembers - kStaying));
    const std::vector<std::string>& added = recorder_.words().back();
    ASSERT_EQ(added.size(), 2u + kStaying);
    for (size_t i = 2; i < added.size(); ++i) stayed[std::stoul(added[i].substr(added[i].find(':') + 1)) - 100]++;
    run("DEL s");
  }
  // Binomial, 100 expected: six standard deviations.
  constexpr double kExpected = double{kRounds} * kStaying / kMembers;
  const double spread = 6 * std::sqrt(kExpected * (1 - double{kStaying} / kMembers));
  for (const int times : stayed) EXPECT_NEAR(times, kExpected, spread);
}

}  // namespace
}  // namespace larder
