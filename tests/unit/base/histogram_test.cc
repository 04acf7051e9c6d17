#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(Histogram, EmptyIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.percentile(99), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.mean(), 0.0);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t i = 1; i <= 100; i++) histogram.record(i);
  EXPECT_EQ(histogram.percentile(50), 50u);
  EXPECT_EQ(histogram.percentile(99), 99u);
  EXPECT_EQ(histogram.percentile(0), 1u);
  EXPECT_EQ(histogram.percentile(100), 100u);
  EXPECT_EQ(histogram.mean(), 50.5);
  EXPECT_EQ(histogram.count_at_or_below(10), 10u);
}

TEST(Histogram, PercentilesKeepTheDocumentedError) {
  Random random(test_seed());
  for (const uint32_t bits : {2u, 7u, 10u}) {
    Histogram histogram(bits);
    std::vector<uint64_t> values;
    for (int i = 0; i < 20000; i++) {
      const uint64_t value = random.next() >> random.uniform(64);
      values.push_back(value);
      histogram.record(value);
    }
    std::sort(values.begin(), values.end());
    for (const double percent : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
      const auto rank = static_cast<size_t>(std::ceil(20000 * percent / 100.0));
      const uint64_t exact = values[std::max<size_t>(rank, 1) - 1];
      const uint64_t told = histogram.percentile(percent);
      ASSERT_GE(told, exact);
      ASSERT_LE(static_cast<double>(told),
                static_cast<double>(exact) * (1 + std::ldexp(1.0, 1 - static_cast<int>(bits))) + 1);
    }
    EXPECT_EQ(histogram.min(), values.front());
    EXPECT_EQ(histogram.max(), values.back());
    uint64_t total = 0;
    uint64_t last_upper = 0;
    for (const Histogram::Bucket& bucket : histogram.buckets()) {
      ASSERT_GE(bucket.upper, last_upper);
      last_upper = bucket.upper;
      total += bucket.count;
      if (total % 16 == 0) {
        ASSERT_EQ(histogram.count_at_or_below(bucket.upper), total);
      }
    }
    EXPECT_EQ(total, 20000u);
  }
}

TEST(Histogram, MergeAddsUp) {
  Random random(test_seed());
  Histogram first;
  Histogram second;
  Histogram both;
  for (int i = 0; i < 1000; i++) {
    const uint64_t small = random.uniform(100);
    const uint64_t large = random.uniform(1u << 30);
    first.record(small);
    second.record(large);
    both.record(small);
    both.record(large);
  }
  first.merge(second);
  EXPECT_EQ(first.count(), both.count());
  EXPECT_EQ(first.sum(), both.sum());
  for (const double percent : {0.0, 50.0, 99.0, 100.0}) EXPECT_EQ(first.percentile(percent), both.percentile(percent));
  first.reset();
  EXPECT_EQ(first.count(), 0u);
  EXPECT_EQ(first.percentile(50), 0u);
}

TEST(Histogram, MemoryFollowsTheLargestValue) {
  Histogram histogram;
  histogram.record(1'000'000'000);  // a second in nanoseconds
  EXPECT_LE(histogram.memory_bytes(), 14u * 1024);
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.percentile(100), UINT64_MAX);
}

}  // namespace
}  // namespace larder
