#pragma once

// What rate limits admit, in exact rational numbers: levels and shares are integers over a denominator that no rounding touches,
// 128 bits wide, so that the largest rules do not overflow either. Slow, plain, and written apart from server/command/rate_rules.h,
// which tests compare with it. Also rules and steps of time to draw from.

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "base/random.h"
#include "server/command/rate_rules.h"

namespace larder::testing {

__extension__ using Wide = __int128;

inline Wide wide_divide_up(Wide a, Wide b) { return a <= 0 ? 0 : (a - 1) / b + 1; }

// Whether what is used runs off bit by bit, not with its window.
inline bool is_bucket_rule(RateAlgorithm algorithm) {
  return algorithm == RateAlgorithm::kGcra || algorithm == RateAlgorithm::kTokenBucket;
}

// A limit of any algorithm. GCRA's interval between two requests is a whole number of nanoseconds, rounded up, as the
// documentation says; is_exact leaves the rounding out.
class ExactLimit {
 public:
  explicit ExactLimit(const RateRule& rule, bool is_exact = false) : rule_(rule) {
    weight_ = rule.period_ms;
    drain_per_ms_ = rule.amount;
    if (rule.algorithm != RateAlgorithm::kGcra || is_exact) return;
    weight_ = wide_divide_up(Wide{rule.period_ms} * kNsPerMs, rule.amount);
    drain_per_ms_ = kNsPerMs;
  }

  // To be called before all below; what is over then is forgotten, as a key that expires.
  void move_to(int64_t now_ms) {
    now_ms_ = now_ms;
    const State now = settled();
    if (now.level == 0 && now.used == 0 && now.before == 0) kept_ = now;
  }
  // Whether what is kept lies in the future, because the clock went back.
  bool is_ahead() const {
    if (rule_.algorithm == RateAlgorithm::kGcra) return level_now() > rule_.capacity * weight_;
    return kept_.at_ms > now_ms_;
  }

  bool allows(int64_t cost) const {
    const State now = settled();
    if (is_bucket()) return now.level + cost * weight_ <= rule_.capacity * weight_;
    return (now.used + cost) * rule_.period_ms + now.before * covered_ms(now) <= Wide{rule_.capacity} * rule_.period_ms;
  }
  // Requires: allows(cost).
  void take(int64_t cost) {
    kept_ = settled();
    kept_.level += cost * weight_;
    kept_.used += cost;
  }
  void refuse() {
    if (is_ahead()) kept_ = settled();
  }
  void give_back(int64_t cost) {
    kept_ = settled();
    kept_.level = std::max<Wide>(kept_.level - std::min(cost, rule_.capacity) * weight_, 0);
    kept_.used = std::max<Wide>(kept_.used - cost, 0);
  }
  int64_t remaining() const {
    const State now = settled();
    if (is_bucket()) return static_cast<int64_t>(rule_.capacity - wide_divide_up(now.level, weight_));
    const Wide covered = wide_divide_up(now.before * covered_ms(now), rule_.period_ms);
    return static_cast<int64_t>(std::max<Wide>(rule_.capacity - now.used - covered, 0));
  }

 private:
  static constexpr int64_t kNsPerMs = 1'000'000;

  bool is_bucket() const { return is_bucket_rule(rule_.algorithm); }
  struct State {
    int64_t at_ms = 0;  // windows: the beginning
    Wide level = 0;     // buckets
    Wide used = 0;
    Wide before = 0;
  };

  Wide covered_ms(const State& now) const { return rule_.period_ms - (now_ms_ - now.at_ms); }
  // Buckets: GCRA's level is a moment, which a clock that goes back makes more distant.
  Wide level_now() const {
    const Wide passed_ms = now_ms_ - kept_.at_ms;
    if (passed_ms < 0 && rule_.algorithm != RateAlgorithm::kGcra) return kept_.level;
    return kept_.level == 0 ? 0 : std::max<Wide>(kept_.level - passed_ms * drain_per_ms_, 0);
  }
  // What is kept, as it counts now.
  State settled() const {
    State now = kept_;
    if (is_bucket()) {
      now.level = std::min(level_now(), rule_.capacity * weight_);
      now.at_ms = now_ms_;
      now.used = 0;
      return now;
    }
    now.level = 0;
    now.at_ms = std::min(now.at_ms, now_ms_);
    const int64_t windows = (now_ms_ - now.at_ms) / rule_.period_ms;
    if (windows > 0) {
      const bool is_next = windows == 1 && rule_.algorithm == RateAlgorithm::kSlidingWindow;
      now.before = is_next ? now.used : 0;
      now.used = 0;
      now.at_ms += windows * rule_.period_ms;
    }
    if (now.used == 0 && now.before == 0) now.at_ms = now_ms_;  // what was refused begins no window
    return now;
  }

  RateRule rule_;
  int64_t now_ms_ = 0;
  Wide weight_;
  Wide drain_per_ms_;
  State kept_;
};

inline int64_t draw(Random& random, int64_t below) {
  return static_cast<int64_t>(random.uniform(static_cast<uint64_t>(below)));
}

inline int64_t one_of(Random& random, std::initializer_list<int64_t> values) {
  return values.begin()[random.uniform(values.size())];
}

// Small numbers, where roundings and borders are met often.
inline RateRule small_rule(RateAlgorithm algorithm, Random& random) {
  RateRule rule;
  rule.algorithm = algorithm;
  rule.capacity = 1 + draw(random, 20);
  rule.amount = is_bucket_rule(algorithm) ? 1 + draw(random, 20) : rule.capacity;
  rule.period_ms = 1 + draw(random, 2000);
  return rule;
}

// The least, the largest, and what lies beside them, as far as the rule is accepted.
inline RateRule extreme_rule(RateAlgorithm algorithm, Random& random) {
  const auto count = [&] {
    return one_of(random, {1, 2, 1 + draw(random, 1'000'000), RateRule::kCountMax - 1, RateRule::kCountMax});
  };
  for (;;) {
    RateRule rule;
    rule.algorithm = algorithm;
    rule.capacity = count();
    rule.amount = is_bucket_rule(algorithm) ? count() : rule.capacity;
    rule.period_ms =
        one_of(random, {1, 2, 1 + draw(random, int64_t{1} << 33), RateRule::kPeriodMsMax - 1, RateRule::kPeriodMsMax});
    if (rule.is_sound()) return rule;
  }
}

inline int64_t draw_step_ms(const RateRule& rule, Random& random) {
  switch (random.uniform(4)) {
    case 0:
      return 0;
    case 1:
      return draw(random, 3);
    case 2:
      return draw(random, rule.period_ms + 1);
    default:
      return draw(random, 3 * rule.period_ms + 1);
  }
}

}  // namespace larder::testing
