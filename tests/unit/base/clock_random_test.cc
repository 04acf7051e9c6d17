#include <gtest/gtest.h>

#include <array>
#include <set>

#include "base/clock.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(Clock, SystemClockMovesForward) {
  const SystemClock clock;
  const int64_t before_ns = clock.mono_ns();
  EXPECT_GE(clock.mono_ns(), before_ns);
  EXPECT_GT(clock.wall_s(), 1'700'000'000);
  EXPECT_LE(clock.wall_ms() / 1000, clock.wall_s());
  EXPECT_LE(std::abs(clock.local_offset_s(clock.wall_s())), 15 * 3600);
}

TEST(Clock, SimulatedClockMovesWhenTold) {
  SimulatedClock clock(1'000'000);
  const int64_t start_ns = clock.mono_ns();
  EXPECT_EQ(clock.wall_ms(), 1000);
  clock.advance_ms(5);
  EXPECT_EQ(clock.wall_us(), 1'005'000);
  for (int i = 0; i < 10; i++) clock.advance_ns(100);
  EXPECT_EQ(clock.wall_us(), 1'005'001);
  EXPECT_EQ(clock.mono_ns() - start_ns, 5'001'000);
  clock.set_wall_us(0);
  EXPECT_EQ(clock.wall_us(), 0);
  EXPECT_EQ(clock.mono_ns() - start_ns, 5'001'000);
}

TEST(Random, SameSeedSameNumbers) {
  const uint64_t seed = test_seed();
  Random first(seed);
  Random second(seed);
  Random other(seed + 1);
  int same_as_other = 0;
  for (int i = 0; i < 1000; i++) {
    const uint64_t value = first.next();
    ASSERT_EQ(value, second.next());
    same_as_other += value == other.next() ? 1 : 0;
  }
  EXPECT_LE(same_as_other, 1);
}

TEST(Random, UniformCoversItsRangeEvenly) {
  Random random(test_seed());
  std::array<int, 7> counts{};
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; i++) counts[random.uniform(7)]++;
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 7, 600);  // 6 standard deviations
  for (int i = 0; i < 1000; i++) ASSERT_LT(random.uniform((uint64_t{1} << 63) + 1), (uint64_t{1} << 63) + 1);
}

TEST(Random, BetweenAndReal) {
  Random random(test_seed());
  std::set<int64_t> seen;
  for (int i = 0; i < 1000; i++) seen.insert(random.between(-2, 2));
  EXPECT_EQ(seen, (std::set<int64_t>{-2, -1, 0, 1, 2}));
  for (int i = 0; i < 1000; i++) (void)random.between(INT64_MIN, INT64_MAX);
  for (int i = 0; i < 1000; i++) {
    const double value = random.real();
    ASSERT_TRUE(value >= 0 && value < 1);
  }
}

TEST(Random, EntropyDiffers) {
  EXPECT_NE(os_entropy_u64(), os_entropy_u64());
  const std::string text = os_entropy_hex(20);
  EXPECT_EQ(text.size(), 40u);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace
}  // namespace larder
