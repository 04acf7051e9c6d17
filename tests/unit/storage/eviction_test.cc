#include "storage/eviction.h"

#include <gtest/gtest.h>

namespace larder {
namespace {

constexpr int64_t kMinuteMs = 60'000;

TEST(AccessTracker, IdleTimesWrapAround) {
  AccessTracker access(1);
  access.set_now(1000 * ((int64_t{1} << 24) - 5));
  const uint32_t state = access.fresh();
  access.set_now(1000 * ((int64_t{1} << 24) + 7));
  EXPECT_EQ(access.idle_seconds(state), 12u);
  EXPECT_EQ(access.idle_seconds(access.touched(state)), 0u);
  EXPECT_EQ(access.idle_seconds(access.state_of_idle(77)), 77u);
}

TEST(AccessTracker, FrequenciesGrowWithTheLogarithmAndDecay) {
  AccessTracker access(1);
  access.set_tracking(AccessTracking::kFrequency, {});
  int64_t now_ms = 100 * kMinuteMs;
  access.set_now(now_ms);
  uint32_t state = access.fresh();
  EXPECT_EQ(access.frequency(state), 5);
  for (int i = 0; i < 1000; i++) state = access.touched(state);
  EXPECT_GE(access.frequency(state), 10);
  EXPECT_LE(access.frequency(state), 30);
  for (int i = 0; i < 1'000'000; i++) state = access.touched(state);
  EXPECT_GT(access.frequency(state), 200);
  const uint8_t high = access.frequency(state);
  now_ms += 100 * kMinuteMs;
  access.set_now(now_ms);
  EXPECT_EQ(access.frequency(state), high - 100);
  access.set_now(now_ms + 1000 * kMinuteMs);
  EXPECT_EQ(access.frequency(state), 0);
  access.set_tracking(AccessTracking::kFrequency, {.log_factor = 10, .decay_minutes = 0});
  EXPECT_EQ(access.frequency(state), high);
  EXPECT_EQ(access.frequency(access.state_of_frequency(42)), 42);
}

}  // namespace
}  // namespace larder
