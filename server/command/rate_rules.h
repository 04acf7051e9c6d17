#pragma once

// The arithmetic of rate limits, apart from keys, replies and clocks. Pure functions of a rule, the state that a key holds,
// the time and a cost; docs/design/rate_limits.md says what each algorithm promises.
//
//   RateState state = RateState::decode(rule.algorithm, bytes)      fresh when there is nothing yet
//   state.settle(rule, now_ms)                                      time passes
//   RateVerdict verdict = state.judge(rule, now_ms, cost)           looks, changes nothing
//   if (verdict.allowed) state.take(rule, cost)
//
// Everything is an integer and exact. GCRA counts in nanoseconds; where a division is not even, the interval between two
// requests is rounded up, so that no window ever admits more than its rule says. The other three count in whole
// milliseconds, the unit of the server's clock. A clock that was set back never admits more either: state that lies in the
// future is brought back to what a full use of the limit would have left. That is to be kept even if the request is refused:
// otherwise time would not pass for the limit until the clock is where it was.
//
// The products of the numbers of a rule fit 62 bits: RateRule::is_sound() is checked before anything else.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/division.h"

namespace larder {

// The time at which a bucket is empty again ("theoretical arrival time"), and the rate at which it empties.
struct Gcra {
  static constexpr int64_t kToleranceNsMax = int64_t{1} << 61;  // 73 years

  int64_t emission_ns = 1;   // between two requests at the steady rate
  int64_t tolerance_ns = 1;  // emission_ns times the requests that may come at once

  // `arrival_ns` as it counts now: not before now, and not later than a full bucket.
  int64_t settled(int64_t arrival_ns, int64_t now_ns) const;
  // How long the request that would move the arrival time to `next_ns` must wait: at most 0 when it may go.
  int64_t wait_ns(int64_t next_ns, int64_t now_ns) const { return next_ns - now_ns - tolerance_ns; }
  // Requires: the arrival time is settled.
  int64_t remaining(int64_t arrival_ns, int64_t now_ns) const {
    return divide_positive(tolerance_ns - (arrival_ns - now_ns), emission_ns);
  }
};

enum class RateAlgorithm : uint8_t { kGcra, kFixedWindow, kSlidingWindow, kTokenBucket };
inline constexpr size_t kRateAlgorithms = 4;
// The words of requests and replies.
Bytes rate_algorithm_name(RateAlgorithm algorithm);

// `amount` requests per period; up to `capacity` of them at once. For windows both are the limit.
struct RateRule {
  static constexpr int64_t kCountMax = 1'000'000'000;
  static constexpr int64_t kPeriodMsMax = int64_t{1} << 40;  // 34 years

  RateAlgorithm algorithm = RateAlgorithm::kGcra;
  int64_t capacity = 1;
  int64_t amount = 1;
  int64_t period_ms = 1;

  // Whether all sums stay in 64 bits. Requires: every number is in its range.
  bool is_sound() const;
  Gcra gcra() const;
};

struct RateVerdict {
  bool allowed = false;
  int64_t remaining = 0;       // requests of cost 1 that would be allowed now, without this one
  int64_t retry_after_ms = 0;  // 0 when allowed, -1 when no waiting helps
  int64_t reset_after_ms = 0;  // until nothing of what was used counts any more
};

class RateState {
 public:
  static constexpr size_t kBytesMax = 17;

  // Nothing when the bytes are no state of this algorithm. Empty bytes: an unused limit.
  static std::optional<RateState> decode(RateAlgorithm algorithm, Bytes bytes);
  // Writes at most kBytesMax bytes.
  size_t encode(RateAlgorithm algorithm, char* out) const;

  // The other functions require that this was called with the same time. True: the state lay in the future and was
  // brought back.
  bool settle(const RateRule& rule, int64_t now_ms);
  RateVerdict judge(const RateRule& rule, int64_t now_ms, int64_t cost) const;
  // What judge() tells of the state alone.
  RateVerdict describe(const RateRule& rule, int64_t now_ms) const;
  // Requires: judge() allows it.
  void take(const RateRule& rule, int64_t cost);
  // Gives back what was taken, at most what still counts.
  void give_back(const RateRule& rule, int64_t cost, int64_t now_ms);
  bool is_unused(const RateRule& rule, int64_t now_ms) const { return describe(rule, now_ms).reset_after_ms == 0; }

 private:
  int64_t wait_ms(const RateRule& rule, int64_t now_ms, int64_t cost) const;
  int64_t sliding_wait_ms(const RateRule& rule, int64_t now_ms, int64_t cost) const;

  // GCRA: the arrival time in nanoseconds. Windows: where the present one began. Bucket: when `used_` was settled.
  int64_t time_ = 0;
  // Windows: requests in the present one. Bucket: missing tokens, times the period in milliseconds.
  int64_t used_ = 0;
  int64_t before_ = 0;  // sliding window: requests in the window before
};

}  // namespace larder
