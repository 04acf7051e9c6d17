#include "bench/load/key_source.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace larder::load {
namespace {

std::vector<int> drawn(const std::string& shape, uint64_t space, int draws) {
  KeySource keys(*parse_key_shape(shape), space);
  Random random(7);
  std::vector<int> counts(space);
  for (int i = 0; i < draws; ++i) ++counts.at(keys.next(random));
  return counts;
}

TEST(KeySource, UniformAndSequential) {
  for (const int count : drawn("uniform", 10, 10'000)) EXPECT_NEAR(count, 1000, 150);
  for (const int count : drawn("sequential", 10, 1000)) EXPECT_EQ(count, 100);
}

// The share of each number is what the definition says.
TEST(KeySource, Zipf) {
  for (const double skew : {0.5, 0.99, 1.0, 1.5}) {
    constexpr int kSpace = 50;
    constexpr int kDraws = 400'000;
    const std::vector<int> counts = drawn("zipf:" + std::to_string(skew), kSpace, kDraws);
    double sum = 0;
    for (int i = 1; i <= kSpace; ++i) sum += std::pow(i, -skew);
    for (int i = 1; i <= kSpace; ++i) {
      const double expected = kDraws * std::pow(i, -skew) / sum;
      EXPECT_NEAR(counts[static_cast<size_t>(i - 1)], expected, 5 * std::sqrt(expected) + 5) << skew << " " << i;
    }
  }
}

TEST(KeySource, HotSet) {
  const std::vector<int> counts = drawn("hot:0.2:0.8", 10, 100'000);
  EXPECT_NEAR(counts[0], 40'000, 1000);
  EXPECT_NEAR(counts[9], 2'500, 300);
}

TEST(KeySource, OneKey) {
  KeySource none({}, 0);
  KeySource one(*parse_key_shape("zipf"), 1);
  Random random(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(none.next(random), 0u);
    EXPECT_EQ(one.next(random), 0u);
  }
}

TEST(KeyShape, RefusesWhatItDoesNotKnow) {
  for (const char* wrong : {"", "zipf:", "zipf:-1", "zipf:x", "zipf:1:2", "hot:1", "hot:0:1", "hot:2:0.5", "gauss"}) {
    EXPECT_FALSE(parse_key_shape(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace larder::load
