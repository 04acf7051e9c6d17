// What an entry remembers of its use, in 24 bits: either when it was last used or how often, as the server is told.
//
//   recency    seconds of the wall clock modulo 2^24 (194 days); idle times beyond that wrap around
//   frequency  high 16 bits: minutes of the wall clock modulo 2^16, when the counter was last brought up to date;
//              low 8 bits: a logarithmic counter of uses (Morris), 5 for a new key, 255 after some million uses with
//              the default factor of 10; minus one for every `decay_minutes` without use
//
// These are the figures that OBJECT IDLETIME and OBJECT FREQ show, and the meaning of lfu-log-factor and
// lfu-decay-time is that of the configuration files out there.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace larder {

enum class AccessTracking : uint8_t { kRecency, kFrequency };

struct FrequencyTuning {
  uint32_t log_factor = 10;    // how much a counter resists: the chance of a step is 1 / (steps above 5 * factor + 1)
  uint32_t decay_minutes = 1;  // 0: counters never decay
};

// The clock and the rules for access states. One per store; set_now() once a tick.
class AccessTracker {
 public:
  explicit AccessTracker(uint64_t random_seed) : random_(random_seed) {}

  // Switching does not convert the states that entries have; they settle with use.
  void set_tracking(AccessTracking tracking, FrequencyTuning tuning);
  AccessTracking tracking() const { return tracking_; }
  void set_now(int64_t now_ms);

  // The state of an entry that was just created.
  uint32_t fresh() const { return tracking_ == AccessTracking::kRecency ? seconds_ : fresh_frequency(); }
  // The state of an entry with state `state` that was just used.
  uint32_t touched(uint32_t state) {
    return tracking_ == AccessTracking::kRecency ? seconds_ : touched_frequency(state);
  }

  // Seconds since the last use. Requires: tracking() == kRecency.
  uint32_t idle_seconds(uint32_t state) const;
  // The counter as of now, decay included. Requires: tracking() == kFrequency.
  uint8_t frequency(uint32_t state) const;
  // The state that idle_seconds() answers with `seconds` for (RESTORE IDLETIME), and frequency() with `counter`.
  uint32_t state_of_idle(uint32_t seconds) const;
  uint32_t state_of_frequency(uint8_t counter) const;

 private:
  uint32_t fresh_frequency() const;
  uint32_t touched_frequency(uint32_t state);

  AccessTracking tracking_ = AccessTracking::kRecency;
  FrequencyTuning tuning_;
  uint32_t seconds_ = 0;
  uint32_t minutes_ = 0;
  Random random_;
};

}  // namespace larder
