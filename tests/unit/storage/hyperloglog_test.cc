// HyperLogLog: the estimate, the sparse and the dense form against each other, and bytes that are no sketch.

#include "storage/hyperloglog.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/random.h"

namespace larder {
namespace {

constexpr size_t kSparseMax = 3000;

HllRegisters registers_of(const HyperLogLog& sketch) {
  HllRegisters registers{};
  EXPECT_TRUE(HyperLogLog::merge_into(sketch.bytes(), &registers));
  return registers;
}

TEST(HyperLogLog, EstimatesWithinTheStandardError) {
  HyperLogLog sketch;
  for (int i = 1; i <= 200'000; i++) {
    sketch.add("element " + std::to_string(i), kSparseMax);
    if (i != 10 && i != 100 && i != 1000 && i != 20'000 && i != 200'000) continue;
    sketch.forget_count();
    uint64_t count = 0;
    ASSERT_TRUE(sketch.count(&count));
    EXPECT_NEAR(static_cast<double>(count), i, 0.03 * i + 0.5);
    EXPECT_EQ(HyperLogLog::cached_count(sketch.bytes()), count);
  }
  EXPECT_FALSE(sketch.is_sparse());
  EXPECT_EQ(sketch.bytes().size(), kHllDenseBytes);
}

TEST(HyperLogLog, HasWhatAnAddWouldNotChange) {
  HyperLogLog sketch;
  size_t had = 0;
  for (int i = 0; i < 20'000; i++) {
    const std::string element = std::to_string(i % 17'000);
    const std::string before(sketch.bytes());
    const bool has = HyperLogLog::has(before, element);
    had += has;
    ASSERT_EQ(sketch.add(element, kSparseMax), has ? HyperLogLog::Result::kUnchanged : HyperLogLog::Result::kChanged);
    ASSERT_TRUE(HyperLogLog::has(sketch.bytes(), element));
  }
  EXPECT_FALSE(sketch.is_sparse());
  EXPECT_GT(had, 3000u);
  EXPECT_LT(had, 12'000u);
}

// The same registers raised in a sparse sketch, a dense one and a plain array.
TEST(HyperLogLog, SparseAndDenseAgree) {
  Random random(3);
  for (int round = 0; round < 20; round++) {
    HyperLogLog sparse;
    HyperLogLog dense;
    ASSERT_TRUE(dense.make_dense());
    HllRegisters model{};
    for (int i = 0; i < 600; i++) {
      const auto index = static_cast<uint32_t>(random.one_in(3) ? random.uniform(64) : random.uniform(kHllRegisters));
      const auto value = static_cast<uint8_t>(1 + random.uniform(round % 2 == 0 ? 32 : 51));
      const bool higher = value > model[index];
      model[index] = std::max(model[index], value);
      const auto expected = higher ? HyperLogLog::Result::kChanged : HyperLogLog::Result::kUnchanged;
      ASSERT_EQ(sparse.raise(index, value, kSparseMax), expected);
      ASSERT_EQ(dense.raise(index, value, kSparseMax), expected);
    }
    EXPECT_EQ(registers_of(sparse), model);
    EXPECT_EQ(registers_of(dense), model);
    ASSERT_TRUE(sparse.make_dense());
    EXPECT_EQ(registers_of(sparse), model);
  }
}

// The bytes of a sparse sketch depend on how its runs were split and joined, and are part of the format.
TEST(HyperLogLog, AllAtOnceMakesTheBytesOfOneByOne) {
  Random random(12);
  size_t dense = 0;
  for (int round = 0; round < 200; round++) {
    HyperLogLog at_once;
    const auto ranks = 1 + random.uniform(round % 10 == 0 ? 34 : 3);
    const uint64_t indices = round % 2 == 0 ? 200 : kHllRegisters;
    for (uint64_t i = random.uniform(300); i > 0; i--) {
      at_once.raise(static_cast<uint32_t>(random.uniform(indices)), static_cast<uint8_t>(1 + random.uniform(ranks)),
                    kSparseMax);
    }
    HyperLogLog one_by_one(at_once.bytes());
    HllRegisters maxima{};
    for (uint64_t i = random.uniform(4000); i > 0; i--) {
      maxima[random.uniform(indices)] = static_cast<uint8_t>(1 + random.uniform(ranks));
    }
    for (uint32_t i = 0; i < kHllRegisters; i++) {
      if (maxima[i] > 0) one_by_one.raise(i, maxima[i], kSparseMax);
    }
    ASSERT_TRUE(at_once.raise_all(maxima, kSparseMax));
    ASSERT_EQ(at_once.bytes(), one_by_one.bytes()) << "round " << round;
    dense += at_once.is_sparse() ? 0 : 1;
    at_once.forget_count();
    uint64_t count = 0;
    ASSERT_TRUE(at_once.count(&count));
    EXPECT_EQ(count, hll_cardinality(registers_of(at_once)));
  }
  EXPECT_GT(dense, 20u);
  EXPECT_LT(dense, 180u);
}

TEST(HyperLogLog, HostileBytesAreCorruptAndNothingWorse) {
  EXPECT_FALSE(HyperLogLog::is_valid(""));
  EXPECT_FALSE(HyperLogLog::is_valid("HYLL"));
  EXPECT_FALSE(HyperLogLog::is_valid(std::string("HYLL\0", 5) + std::string(100, 'x')));
  Random random(9);
  for (int round = 0; round < 20'000; round++) {
    std::string bytes = std::string("HYLL\1\0\0\0\0\0\0\0\0\0\0\x80", 16);
    const uint64_t size = random.uniform(40);
    for (uint64_t i = 0; i < size; i++) bytes += static_cast<char>(random.next());
    ASSERT_TRUE(HyperLogLog::is_valid(bytes));
    HyperLogLog sketch(bytes);
    HllRegisters raised{};
    for (int i = 0; i < 20; i++) raised[random.uniform(kHllRegisters)] = static_cast<uint8_t>(random.uniform(52));
    HllRegisters maxima{};
    uint64_t count = 0;
    std::string text;
    (void)HyperLogLog::has(bytes, "element");
    (void)sketch.describe_runs(&text);
    (void)HyperLogLog::merge_into(bytes, &maxima);
    (void)HyperLogLog(bytes).raise_all(raised, kSparseMax);
    (void)sketch.count(&count);
    (void)sketch.add("element", kSparseMax);
    (void)sketch.raise(kHllRegisters - 1, 40, kSparseMax);
    (void)sketch.make_dense();
  }
}

}  // namespace
}  // namespace larder
