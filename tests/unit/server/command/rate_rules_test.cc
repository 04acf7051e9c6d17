// Rate limits against exact models, over random schedules, with small numbers and with the largest that a rule may have.

#include "server/command/rate_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/exact_limits.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

using testing::draw;
using testing::ExactLimit;

constexpr int64_t kStartMs = 1'700'000'000'000;
// GCRA counts nanoseconds since 1970 in 64 bits: with a full limit ahead that is enough for a century and more.
constexpr int64_t kEndMs = 4'000'000'000'000;

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
    bool was_ahead = false;
    RateState state = this->state(now_ms, &was_ahead);
    const RateVerdict verdict = state.judge(rule_, now_ms, cost);
    if (verdict.allowed) state.take(rule_, cost);
    if (verdict.allowed || was_ahead) keep(state, now_ms);
    return verdict;
  }
  void refund(int64_t now_ms, int64_t cost) {
    RateState state = this->state(now_ms);
    state.give_back(rule_, cost, now_ms);
    keep(state, now_ms);
  }
  int64_t deadline_ms() const { return deadline_ms_; }

 private:
  RateState state(int64_t now_ms, bool* was_ahead = nullptr) const {
    const bool is_gone = now_ms >= deadline_ms_;
    RateState state = *RateState::decode(rule_.algorithm, is_gone ? Bytes() : Bytes(bytes_));
    const bool is_ahead = state.settle(rule_, now_ms);
    if (was_ahead != nullptr) *was_ahead = is_ahead;
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

// One round of a test: a rule, a limiter, and a time that goes on.
struct Schedule {
  Random& random;
  RateRule rule;
  Limiter limiter{rule};
  int64_t now_ms = kStartMs;

  // False: the time is up.
  bool goes_on() {
    now_ms += testing::draw_step_ms(rule, random);
    return now_ms < kEndMs;
  }
  // 1 to `beyond` more than the whole limit.
  int64_t cost(int64_t beyond) { return 1 + draw(random, rule.capacity + beyond); }
  // Costs that sometimes leave room for others.
  int64_t small_cost() { return 1 + draw(random, std::min<int64_t>(3, rule.capacity)); }
};

// Calls body(schedule) for rules of all the algorithms by turns, half of them with extreme numbers.
template <class Body>
void over_schedules(std::initializer_list<RateAlgorithm> algorithms, Body body) {
  constexpr int kRounds = 400;
  Random random(test_seed());
  for (int round = 0; round < kRounds && !::testing::Test::HasFatalFailure(); ++round) {
    SCOPED_TRACE(round);
    const RateAlgorithm algorithm = algorithms.begin()[static_cast<size_t>(round) % algorithms.size()];
    const bool is_extreme = draw(random, 2) == 0;
    Schedule schedule{random,
                      is_extreme ? testing::extreme_rule(algorithm, random) : testing::small_rule(algorithm, random)};
    body(schedule);
  }
}

constexpr auto kAll = {RateAlgorithm::kGcra, RateAlgorithm::kFixedWindow, RateAlgorithm::kSlidingWindow,
                       RateAlgorithm::kTokenBucket};

TEST(RateRules, EveryAlgorithmIsItsExactModel) {
  over_schedules(kAll, [](Schedule& at) {
    ExactLimit model(at.rule);
    for (int i = 0; i < 200 && at.goes_on(); ++i) {
      model.move_to(at.now_ms);
      const int64_t cost = at.cost(1);
      ASSERT_EQ(at.limiter.peek(at.now_ms, 1).remaining, model.remaining()) << i;
      const bool allowed = at.limiter.take(at.now_ms, cost).allowed;
      ASSERT_EQ(allowed, model.allows(cost)) << i;
      allowed ? model.take(cost) : model.refuse();
      if (draw(at.random, 4) != 0) continue;
      const int64_t back = at.cost(1);
      at.limiter.refund(at.now_ms, back);
      model.give_back(back);
    }
  });
}

// Without the rounding of its interval GCRA would be a bucket in exact fractions: that one allows whatever it allows.
TEST(RateRules, GcraNeverAdmitsMoreThanWithoutRounding) {
  over_schedules({RateAlgorithm::kGcra}, [](Schedule& at) {
    const bool is_even = at.rule.period_ms * 1'000'000 % at.rule.amount == 0;
    ExactLimit model(at.rule, true);
    for (int i = 0; i < 200 && at.goes_on(); ++i) {
      model.move_to(at.now_ms);
      const int64_t cost = at.cost(1);
      const bool allowed = at.limiter.take(at.now_ms, cost).allowed;
      if (is_even || allowed) {
        ASSERT_EQ(allowed, model.allows(cost)) << i;
      }
      allowed ? model.take(cost) : model.refuse();
    }
  });
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
  over_schedules(kAll, [](Schedule& at) {
    std::vector<Admitted> admitted;
    for (int i = 0; i < 300 && at.goes_on(); ++i) {
      const int64_t cost = draw(at.random, 2) == 0 ? at.small_cost() : at.cost(0);
      if (at.limiter.take(at.now_ms, cost).allowed) admitted.push_back({at.now_ms, cost});
    }
    ASSERT_LE(heaviest_window(admitted, at.rule.period_ms), window_bound(at.rule));
  });
}

TEST(RateRules, RetryAfterIsTheFirstMomentThatHelps) {
  over_schedules(kAll, [](Schedule& at) {
    for (int i = 0; i < 100 && at.goes_on(); ++i) {
      const int64_t cost = at.cost(2);
      const RateVerdict verdict = at.limiter.take(at.now_ms, cost);
      if (verdict.allowed) continue;
      if (cost > at.rule.capacity) {
        ASSERT_EQ(verdict.retry_after_ms, -1);
        continue;
      }
      ASSERT_GT(verdict.retry_after_ms, 0);
      ASSERT_TRUE(at.limiter.peek(at.now_ms + verdict.retry_after_ms, cost).allowed);
      ASSERT_FALSE(at.limiter.peek(at.now_ms + verdict.retry_after_ms - 1, cost).allowed);
    }
  });
}

TEST(RateRules, WhatPeekSaysIsLeftCanBeTakenAndNoMore) {
  over_schedules(kAll, [](Schedule& at) {
    for (int i = 0; i < 100 && at.goes_on(); ++i) {
      const RateVerdict seen = at.limiter.peek(at.now_ms, 1);
      ASSERT_GE(seen.remaining, 0);
      ASSERT_LE(seen.remaining, at.rule.capacity);
      ASSERT_EQ(seen.allowed, seen.remaining > 0);
      ASSERT_FALSE(at.limiter.peek(at.now_ms, seen.remaining + 1).allowed);
      if (seen.remaining > 0) {
        ASSERT_TRUE(at.limiter.peek(at.now_ms, seen.remaining).allowed);
      }
      // Forgetting a state when nothing of it counts changes nothing.
      ASSERT_EQ(at.limiter.peek(at.now_ms + seen.reset_after_ms, 1).remaining, at.rule.capacity);
      at.limiter.take(at.now_ms, draw(at.random, 2) == 0 ? at.small_cost() : at.cost(0));
    }
  });
}

TEST(RateRules, ARefundUndoesATake) {
  over_schedules(kAll, [](Schedule& at) {
    for (int i = 0; i < 100 && at.goes_on(); ++i) {
      const int64_t cost = at.cost(0);
      const RateVerdict before = at.limiter.peek(at.now_ms, 1);
      if (!at.limiter.take(at.now_ms, cost).allowed) continue;
      if (draw(at.random, 2) == 0) continue;
      at.limiter.refund(at.now_ms, cost);
      const RateVerdict after = at.limiter.peek(at.now_ms, 1);
      ASSERT_EQ(after.remaining, before.remaining);
      ASSERT_EQ(after.retry_after_ms, before.retry_after_ms);
    }
    at.limiter.refund(at.now_ms, RateRule::kCountMax);
    ASSERT_LE(at.limiter.peek(at.now_ms, 1).remaining, at.rule.capacity);
  });
}

TEST(RateRules, AClockThatIsSetBackAdmitsNothingMoreAndLocksNobodyOut) {
  over_schedules(kAll, [](Schedule& at) {
    const RateRule& rule = at.rule;
    while (at.limiter.take(at.now_ms, std::max<int64_t>(at.limiter.peek(at.now_ms, 1).remaining, 1)).allowed) {
    }
    at.now_ms -= 1 + draw(at.random, 1'000'000'000'000);
    const int64_t set_to_ms = at.now_ms;
    RateVerdict verdict = at.limiter.take(at.now_ms, 1);
    ASSERT_FALSE(verdict.allowed);
    // Who comes back when told to is let in, and that is no later than a whole use of the limit lasts.
    const auto whole_ms = static_cast<int64_t>(testing::Wide{rule.capacity} * rule.period_ms / rule.amount);
    at.now_ms += verdict.retry_after_ms;
    ASSERT_TRUE(at.limiter.take(at.now_ms, 1).allowed);
    ASSERT_LE(at.now_ms - set_to_ms, 2 * rule.period_ms + whole_ms + 1);
  });
}

// The clock goes back now and then, by anything from a millisecond to several periods. Counted in time that really passed (never
// less than what the clock shows), no stretch of it holds more than one whole use of the limit for every time that the
// clock went back, on top of what the rule promises.
TEST(RateRules, AClockThatGoesBackAgainAndAgainAddsNoRequests) {
  over_schedules(kAll, [](Schedule& at) {
    const RateRule& rule = at.rule;
    const int64_t weight = std::max<int64_t>(rule.capacity / 10, 1);
    int64_t passed_ms = 0;
    int64_t admitted = 0;
    for (int i = 0; i < 300 && at.now_ms < kEndMs; ++i) {
      if (draw(at.random, 10) == 0) {
        const RateVerdict before = at.limiter.peek(at.now_ms, 1);
        at.now_ms -= std::min(testing::draw_step_ms(rule, at.random), at.now_ms);
        ASSERT_LE(at.limiter.peek(at.now_ms, 1).remaining, before.remaining) << i;
      } else {
        const int64_t step_ms = testing::draw_step_ms(rule, at.random);
        at.now_ms += step_ms;
        passed_ms += step_ms;
      }
      if (at.limiter.take(at.now_ms, weight).allowed) admitted += weight;
    }
    const int64_t periods = passed_ms / rule.period_ms + 1;
    ASSERT_LE(admitted, window_bound(rule) * periods);
  });
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
    const RateRule rule = testing::small_rule(algorithm, random);
    state->settle(rule, kStartMs);
    const RateVerdict verdict = state->judge(rule, kStartMs, 1);
    ASSERT_LE(verdict.remaining, rule.capacity);
    ASSERT_GE(verdict.retry_after_ms, 0);
    state->give_back(rule, 5, kStartMs);
  }
}

}  // namespace
}  // namespace larder
