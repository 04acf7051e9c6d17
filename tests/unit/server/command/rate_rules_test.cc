// Rate limits against models in exact rational numbers (integers over the period), over random schedules.

#include "server/command/rate_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

struct Admitted {
  int64_t at_ms;
  int64_t cost;
};

// A limit as a client sees it, through bytes as a key holds them.
class Limiter {
 public:
  explicit Limiter(const RateRule& rule) : rule_(rule) {}

  RateVerdict peek(int64_t now_ms, int64_t cost) const { return state(now_ms).judge(rule_, now_ms, cost); }
  RateVerdict take(int64_t now_ms, int64_t cost) {
    RateState state = this->state(now_ms);
    const RateVerdict verdict = state.judge(rule_, now_ms, cost);
    if (verdict.allowed) {
      state.take(rule_, cost);
      keep(state, now_ms);
    }
    return verdict;
  }
  void refund(int64_t now_ms, int64_t cost) {
    RateState state = this->state(now_ms);
    state.give_back(rule_, cost, now_ms);
    keep(state, now_ms);
  }
  int64_t deadline_ms() const { return deadline_ms_; }

 private:
  RateState state(int64_t now_ms) const {
    const bool is_gone = now_ms >= deadline_ms_;
    RateState state = *RateState::decode(rule_.algorithm, is_gone ? Bytes() : Bytes(bytes_));
    state.settle(rule_, now_ms);
    return state;
  }
  void keep(const RateState& state, int64_t now_ms) {
    char bytes[RateState::kBytesMax];
    bytes_.assign(bytes, state.encode(rule_.algorithm, bytes));
    deadline_ms_ = now_ms + state.describe(rule_, now_ms).reset_after_ms;
  }

  RateRule rule_;
  std::string bytes_;
  int64_t deadline_ms_ = INT64_MIN;
};

RateRule random_rule(RateAlgorithm algorithm, Random& random) {
  RateRule rule;
  rule.algorithm = algorithm;
  rule.capacity = 1 + static_cast<int64_t>(random.uniform(20));
  const bool is_bucket = algorithm == RateAlgorithm::kGcra || algorithm == RateAlgorithm::kTokenBucket;
  rule.amount = is_bucket ? 1 + static_cast<int64_t>(random.uniform(20)) : rule.capacity;
  rule.period_ms = 1 + static_cast<int64_t>(random.uniform(2000));
  return rule;
}

int64_t random_step_ms(const RateRule& rule, Random& random) {
  switch (random.uniform(4)) {
    case 0:
      return 0;
    case 1:
      return static_cast<int64_t>(random.uniform(3));
    case 2:
      return static_cast<int64_t>(random.uniform(static_cast<uint64_t>(rule.period_ms) + 1));
    default:
      return static_cast<int64_t>(random.uniform(3 * static_cast<uint64_t>(rule.period_ms) + 1));
  }
}

// The level of a leaky bucket in units of 1 / period: exact, whatever the numbers.
class ExactBucket {
 public:
  ExactBucket(const RateRule& rule) : rule_(rule) {}
  bool take(int64_t now_ms, int64_t cost) {
    level_ -= (now_ms - at_ms_) * rule_.amount;
    if (level_ < 0) level_ = 0;
    at_ms_ = now_ms;
    if (level_ + cost * rule_.period_ms > rule_.capacity * rule_.period_ms) return false;
    level_ += cost * rule_.period_ms;
    return true;
  }

 private:
  RateRule rule_;
  int64_t level_ = 0;
  int64_t at_ms_ = 0;
};

// A fixed window that begins with its first request.
class ExactFixedWindow {
 public:
  explicit ExactFixedWindow(const RateRule& rule) : rule_(rule) {}
  bool take(int64_t now_ms, int64_t cost) {
    if (used_ == 0 || now_ms >= begin_ms_ + rule_.period_ms) {
      begin_ms_ = now_ms;
      used_ = 0;
    }
    if (used_ + cost > rule_.capacity) return false;
    used_ += cost;
    return true;
  }

 private:
  RateRule rule_;
  int64_t begin_ms_ = 0;
  int64_t used_ = 0;
};

// Windows one after another from the first request on; what is still covered of the one before counts by the part of it
// that is, as a fraction over the period: exact.
class ExactSlidingWindow {
 public:
  explicit ExactSlidingWindow(const RateRule& rule) : rule_(rule) {}
  bool take(int64_t now_ms, int64_t cost) {
    move_to(now_ms);
    const int64_t covered_ms = rule_.period_ms - (now_ms - begin_ms_);
    if ((used_ + cost) * rule_.period_ms + before_ * covered_ms > rule_.capacity * rule_.period_ms) return false;
    used_ += cost;
    return true;
  }

 private:
  void move_to(int64_t now_ms) {
    const int64_t passed = (now_ms - begin_ms_) / rule_.period_ms;
    if (passed > 0) {
      before_ = passed == 1 ? used_ : 0;
      used_ = 0;
      begin_ms_ += passed * rule_.period_ms;
    }
    if (used_ == 0 && before_ == 0) begin_ms_ = now_ms;  // requests that were refused begin no window
  }

  RateRule rule_;
  int64_t begin_ms_ = INT32_MIN;
  int64_t used_ = 0;
  int64_t before_ = 0;
};

constexpr int64_t kStartMs = 1'700'000'000'000;

template <class Model>
void compare_with_model(RateAlgorithm algorithm) {
  Random random(test_seed());
  for (int round = 0; round < 300; ++round) {
    const RateRule rule = random_rule(algorithm, random);
    Limiter limiter(rule);
    Model model(rule);
    int64_t now_ms = kStartMs;
    for (int i = 0; i < 200; ++i) {
      now_ms += random_step_ms(rule, random);
      const int64_t cost = 1 + static_cast<int64_t>(random.uniform(static_cast<uint64_t>(rule.capacity) + 1));
      ASSERT_EQ(limiter.take(now_ms, cost).allowed, model.take(now_ms, cost)) << round << " " << i;
    }
  }
}

TEST(RateRules, ATokenBucketIsTheExactModel) { compare_with_model<ExactBucket>(RateAlgorithm::kTokenBucket); }
TEST(RateRules, AFixedWindowIsTheExactModel) { compare_with_model<ExactFixedWindow>(RateAlgorithm::kFixedWindow); }
TEST(RateRules, ASlidingWindowIsTheExactModel) {
  compare_with_model<ExactSlidingWindow>(RateAlgorithm::kSlidingWindow);
}

TEST(RateRules, GcraAdmitsWhatTheExactModelAdmitsAndNeverMore) {
  Random random(test_seed());
  for (int round = 0; round < 300; ++round) {
    RateRule rule = random_rule(RateAlgorithm::kGcra, random);
    const bool is_even = rule.period_ms * 1'000'000 % rule.amount == 0;
    Limiter limiter(rule);
    ExactBucket model(rule);
    int64_t now_ms = kStartMs;
    for (int i = 0; i < 200; ++i) {
      now_ms += random_step_ms(rule, random);
      const int64_t cost = 1 + static_cast<int64_t>(random.uniform(static_cast<uint64_t>(rule.capacity) + 1));
      if (is_even) {
        ASSERT_EQ(limiter.take(now_ms, cost).allowed, model.take(now_ms, cost)) << round << " " << i;
      } else if (limiter.take(now_ms, cost).allowed) {
        ASSERT_TRUE(model.take(now_ms, cost)) << round << " " << i;
      }
    }
  }
}

// What any `length_ms` long window [t, t + length_ms) holds at most.
int64_t heaviest_window(const std::vector<Admitted>& admitted, int64_t length_ms) {
  int64_t heaviest = 0;
  int64_t sum = 0;
  size_t first = 0;
  for (const Admitted& last : admitted) {
    sum += last.cost;
    while (admitted[first].at_ms <= last.at_ms - length_ms) sum -= admitted[first++].cost;
    heaviest = std::max(heaviest, sum);
  }
  return heaviest;
}

int64_t window_bound(const RateRule& rule) {
  switch (rule.algorithm) {
    case RateAlgorithm::kFixedWindow:
    case RateAlgorithm::kSlidingWindow:
      return 2 * rule.capacity - (rule.algorithm == RateAlgorithm::kSlidingWindow && rule.capacity > 1 ? 1 : 0);
    default:
      return rule.capacity + rule.amount;  // a full bucket, and what runs in meanwhile
  }
}

TEST(RateRules, NoWindowAdmitsMoreThanTheRulePromises) {
  Random random(test_seed());
  for (int round = 0; round < 400; ++round) {
    const RateRule rule = random_rule(static_cast<RateAlgorithm>(round % kRateAlgorithms), random);
    Limiter limiter(rule);
    std::vector<Admitted> admitted;
    int64_t now_ms = kStartMs;
    for (int i = 0; i < 300; ++i) {
      now_ms += random_step_ms(rule, random);
      const int64_t cost = 1 + static_cast<int64_t>(random.uniform(3));
      if (limiter.take(now_ms, cost).allowed) admitted.push_back({now_ms, cost});
    }
    ASSERT_LE(heaviest_window(admitted, rule.period_ms), window_bound(rule)) << round;
  }
}

TEST(RateRules, RetryAfterIsTheFirstMomentThatHelps) {
  Random random(test_seed());
  for (int round = 0; round < 400; ++round) {
    const RateRule rule = random_rule(static_cast<RateAlgorithm>(round % kRateAlgorithms), random);
    Limiter limiter(rule);
    int64_t now_ms = kStartMs;
    for (int i = 0; i < 100; ++i) {
      now_ms += random_step_ms(rule, random);
      const int64_t cost = 1 + static_cast<int64_t>(random.uniform(static_cast<uint64_t>(rule.capacity) + 2));
      const RateVerdict verdict = limiter.take(now_ms, cost);
      if (verdict.allowed) continue;
      if (cost > rule.capacity) {
        ASSERT_EQ(verdict.retry_after_ms, -1);
        continue;
      }
      ASSERT_GT(verdict.retry_after_ms, 0);
      ASSERT_TRUE(limiter.peek(now_ms + verdict.retry_after_ms, cost).allowed) << round;
      ASSERT_FALSE(limiter.peek(now_ms + verdict.retry_after_ms - 1, cost).allowed) << round;
    }
  }
}

TEST(RateRules, WhatPeekSaysIsLeftCanBeTakenAndNoMore) {
  Random random(test_seed());
  for (int round = 0; round < 400; ++round) {
    const RateRule rule = random_rule(static_cast<RateAlgorithm>(round % kRateAlgorithms), random);
    Limiter limiter(rule);
    int64_t now_ms = kStartMs;
    for (int i = 0; i < 100; ++i) {
      now_ms += random_step_ms(rule, random);
      const RateVerdict seen = limiter.peek(now_ms, 1);
      ASSERT_GE(seen.remaining, 0);
      ASSERT_LE(seen.remaining, rule.capacity);
      ASSERT_EQ(seen.allowed, seen.remaining > 0);
      ASSERT_FALSE(limiter.peek(now_ms, seen.remaining + 1).allowed);
      if (seen.remaining > 0) {
        ASSERT_TRUE(limiter.peek(now_ms, seen.remaining).allowed);
      }
      // Forgetting a state when nothing of it counts changes nothing.
      ASSERT_EQ(limiter.peek(now_ms + seen.reset_after_ms, 1).remaining, rule.capacity) << round;
      limiter.take(now_ms, 1 + static_cast<int64_t>(random.uniform(3)));
    }
  }
}

TEST(RateRules, ARefundUndoesATake) {
  Random random(test_seed());
  for (int round = 0; round < 400; ++round) {
    const RateRule rule = random_rule(static_cast<RateAlgorithm>(round % kRateAlgorithms), random);
    Limiter limiter(rule);
    int64_t now_ms = kStartMs;
    for (int i = 0; i < 100; ++i) {
      now_ms += random_step_ms(rule, random);
      const int64_t cost = 1 + static_cast<int64_t>(random.uniform(static_cast<uint64_t>(rule.capacity)));
      const RateVerdict before = limiter.peek(now_ms, 1);
      if (!limiter.take(now_ms, cost).allowed) continue;
      if (random.uniform(2) == 0) continue;
      limiter.refund(now_ms, cost);
      const RateVerdict after = limiter.peek(now_ms, 1);
      ASSERT_EQ(after.remaining, before.remaining) << round;
      ASSERT_EQ(after.retry_after_ms, before.retry_after_ms);
    }
    limiter.refund(now_ms, RateRule::kCountMax);
    ASSERT_LE(limiter.peek(now_ms, 1).remaining, rule.capacity);
  }
}

TEST(RateRules, AClockThatIsSetBackAdmitsNothingMore) {
  Random random(test_seed());
  for (int round = 0; round < 400; ++round) {
    const RateRule rule = random_rule(static_cast<RateAlgorithm>(round % kRateAlgorithms), random);
    Limiter limiter(rule);
    int64_t now_ms = kStartMs;
    while (limiter.take(now_ms, 1).allowed) {
    }
    now_ms -= 1 + static_cast<int64_t>(random.uniform(1'000'000'000));
    const RateVerdict verdict = limiter.take(now_ms, 1);
    ASSERT_FALSE(verdict.allowed);
    // And nobody is locked out for longer than a whole use of the limit lasts.
    const int64_t longest_ms = 2 * rule.period_ms + rule.capacity * rule.period_ms / rule.amount + 1;
    ASSERT_LE(verdict.retry_after_ms, longest_ms);
  }
}

// The clock goes back now and then, by anything from a millisecond to several periods. Counted in time that really passed (never
// less than what the clock shows), no stretch of it holds more than one whole use of the limit for every time that the
// clock went back, on top of what the rule promises.
TEST(RateRules, AClockThatGoesBackAgainAndAgainAddsNoRequests) {
  Random random(test_seed());
  for (int round = 0; round < 400; ++round) {
    const RateRule rule = random_rule(static_cast<RateAlgorithm>(round % kRateAlgorithms), random);
    Limiter limiter(rule);
    int64_t now_ms = kStartMs;
    int64_t passed_ms = 0;
    int64_t admitted = 0;
    for (int i = 0; i < 300; ++i) {
      if (random.uniform(10) == 0) {
        const RateVerdict before = limiter.peek(now_ms, 1);
        now_ms -= random_step_ms(rule, random);
        ASSERT_LE(limiter.peek(now_ms, 1).remaining, before.remaining) << round << " " << i;
      } else {
        const int64_t step_ms = random_step_ms(rule, random);
        now_ms += step_ms;
        passed_ms += step_ms;
      }
      if (limiter.take(now_ms, 1).allowed) ++admitted;
    }
    const int64_t periods = passed_ms / rule.period_ms + 1;
    ASSERT_LE(admitted, window_bound(rule) * periods) << round;
  }
}

TEST(RateRules, HostileBytesAreRefusedOrHarmless) {
  Random random(test_seed());
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random.uniform(20), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.uniform(256));
    const auto algorithm = static_cast<RateAlgorithm>(round % kRateAlgorithms);
    if (!bytes.empty() && random.uniform(4) != 0) bytes[0] = "gfsb"[round % kRateAlgorithms];
    if (random.uniform(2) == 0) bytes.resize(algorithm == RateAlgorithm::kGcra ? 9 : 17, '\x7f');
    auto state = RateState::decode(algorithm, bytes);
    if (!state) continue;
    const RateRule rule = random_rule(algorithm, random);
    state->settle(rule, kStartMs);
    const RateVerdict verdict = state->judge(rule, kStartMs, 1);
    ASSERT_LE(verdict.remaining, rule.capacity);
    ASSERT_GE(verdict.retry_after_ms, 0);
    state->give_back(rule, 5, kStartMs);
  }
}

}  // namespace
}  // namespace larder
