#include "storage/eviction.h"

#include <algorithm>

#include "base/assert.h"

namespace larder {
namespace {

constexpr uint32_t kSecondsMask = 0xffffff;
constexpr uint32_t kMinutesMask = 0xffff;
// New keys start above zero so that they are not the first to go before they had a chance to be used.
constexpr uint32_t kCounterFresh = 5;
constexpr uint32_t kCounterMax = 255;

}  // namespace

void AccessTracker::set_tracking(AccessTracking tracking, FrequencyTuning tuning) {
  tracking_ = tracking;
  tuning_ = tuning;
}

void AccessTracker::set_now(int64_t now_ms) {
  seconds_ = static_cast<uint32_t>(now_ms / 1000) & kSecondsMask;
  minutes_ = static_cast<uint32_t>(now_ms / 60000) & kMinutesMask;
}

uint32_t AccessTracker::idle_seconds(uint32_t state) const {
  LARDER_ASSERT(tracking_ == AccessTracking::kRecency);
  return (seconds_ - state) & kSecondsMask;
}

uint8_t AccessTracker::frequency(uint32_t state) const {
  const uint32_t counter = state & kCounterMax;
  if (tuning_.decay_minutes == 0) return static_cast<uint8_t>(counter);
  const uint32_t steps = ((minutes_ - (state >> 8)) & kMinutesMask) / tuning_.decay_minutes;
  return static_cast<uint8_t>(counter - std::min(counter, steps));
}

uint32_t AccessTracker::state_of_idle(uint32_t seconds) const { return (seconds_ - seconds) & kSecondsMask; }

uint32_t AccessTracker::state_of_frequency(uint8_t counter) const { return (minutes_ << 8) | counter; }

uint32_t AccessTracker::fresh_frequency() const { return state_of_frequency(kCounterFresh); }

uint32_t AccessTracker::touched_frequency(uint32_t state) {
  uint8_t counter = frequency(state);
  if (counter < kCounterMax) {
    const uint64_t above_fresh = counter > kCounterFresh ? counter - kCounterFresh : 0;
    if (random_.one_in(above_fresh * tuning_.log_factor + 1)) counter++;
  }
  return state_of_frequency(counter);
}

}  // namespace larder
