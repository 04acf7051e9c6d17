// Rate limits through the whole server, under a simulated clock that also goes back: CL.THROTTLE and RL.* against exact models,
// all limits of a call together or none, leases against a table of holders.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/support/exact_limits.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/base/test_seed.h"

namespace larder::testing {
namespace {

using Words = std::vector<std::string>;

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerMs = 1'000'000;
// See rate_rules_test.cc.
constexpr int64_t kEndMs = 4'000'000'000'000;

class RateLimits : public ::testing::Test {
 protected:
  int64_t now_ms() { return server_.clock().wall_us() / 1000; }
  void set_now_ms(int64_t ms) { server_.clock().set_wall_us(ms * 1000); }
  Reply ask(const Words& words) {
    client_.send_request(words);
    server_.run();
    ReplyReader reader;
    reader.feed(client_.take());
    Reply reply;
    EXPECT_EQ(reader.next(&reply), ReplyOutcome::kReply);
    return reply;
  }
  int64_t draw(int64_t below) { return testing::draw(random_, below); }
  int64_t one_of(std::initializer_list<int64_t> values) { return testing::one_of(random_, values); }

  Random random_{test_seed()};
  InProcessServer server_;
  InProcessServer::Connection& client_ = server_.connect();
};

// ---- CL.THROTTLE

struct ThrottleRule {
  int64_t max_burst;
  int64_t count;
  int64_t period_s;

  Wide interval_ns() const { return Wide{period_s} * kNsPerSecond / count; }
  Wide tolerance_ns() const { return interval_ns() * (Wide{max_burst} + 1); }
  // A quarter of what 64 bits of nanoseconds hold: the sum with the time of day fits too.
  bool is_accepted() const {
    constexpr Wide kLongestNs = Wide{1} << 61;
    if (Wide{period_s} * kNsPerSecond > kLongestNs || interval_ns() == 0) return false;
    return Wide{max_burst} + 1 <= kLongestNs / interval_ns();  // the product may not fit into 128 bits
  }
};

// The five integers by their definition: how much of the bucket is filled, in nanoseconds, in 128 bits.
class ExactThrottle {
 public:
  explicit ExactThrottle(const ThrottleRule& rule) : rule_(rule) {}

  void move_to(int64_t now_ms) {
    if (level_ns_ > 0) level_ns_ = std::max<Wide>(level_ns_ - (Wide{now_ms} - now_ms_) * kNsPerMs, 0);
    now_ms_ = now_ms;
  }
  std::vector<int64_t> take(int64_t quantity) {
    const Wide limit = Wide{rule_.max_burst} + 1;
    Wide level_ns = std::min(level_ns_, rule_.tolerance_ns());  // more than all is used when the clock went back
    const bool is_possible = quantity <= limit;
    const Wide over_ns = is_possible ? level_ns + quantity * rule_.interval_ns() - rule_.tolerance_ns() : 1;
    const bool is_limited = over_ns > 0;
    if (!is_limited) level_ns += quantity * rule_.interval_ns();
    if (quantity > 0) level_ns_ = level_ns;
    const Wide remaining = (rule_.tolerance_ns() - level_ns) / rule_.interval_ns();
    const Wide retry_s = is_limited && is_possible ? wide_divide_up(over_ns, kNsPerSecond) : -1;
    return {is_limited, static_cast<int64_t>(limit), static_cast<int64_t>(remaining), static_cast<int64_t>(retry_s),
            static_cast<int64_t>(wide_divide_up(level_ns, kNsPerSecond))};
  }

 private:
  ThrottleRule rule_;
  int64_t now_ms_ = 0;
  Wide level_ns_ = 0;
};

TEST_F(RateLimits, ThrottleIsTheExactModel) {
  constexpr int64_t kLongestS = (int64_t{1} << 61) / kNsPerSecond;
  int refused_rules = 0;
  for (int round = 0; round < 300 && !HasFatalFailure(); ++round) {
    SCOPED_TRACE(round);
    server_.clock().set_wall_us(SimulatedClock::kDefaultStartUs);
    const ThrottleRule rule{
        one_of({0, 1, draw(20), draw(1'000'000), (int64_t{1} << 61) - 1, int64_t{1} << 61, INT64_MAX}),
        one_of({1, 1 + draw(50), 1 + draw(1'000'000), kNsPerSecond, kNsPerSecond + 1, INT64_MAX}),
        one_of({1, 1 + draw(10), 1 + draw(100'000), kLongestS - 1, kLongestS, kLongestS + 1, INT64_MAX})};
    const Words request{"CL.THROTTLE", "k" + std::to_string(round), std::to_string(rule.max_burst),
                        std::to_string(rule.count), std::to_string(rule.period_s)};
    if (!rule.is_accepted()) {
      ++refused_rules;
      ASSERT_TRUE(ask(request).is_error());
      continue;
    }
    ExactThrottle model(rule);
    const auto whole_ms = static_cast<int64_t>(rule.tolerance_ns() / kNsPerMs) + 1;
    for (int i = 0; i < 60 && now_ms() < kEndMs; ++i) {
      const int64_t step_ms = one_of({0, 1, draw(whole_ms / 10 + 2), draw(whole_ms + 1)});
      ask({"EXISTS", request[1]});  // what is over is gone before the clock goes back
      model.move_to(now_ms());
      set_now_ms(now_ms() + (draw(8) == 0 ? -std::min(step_ms, now_ms()) : step_ms));
      model.move_to(now_ms());
      const int64_t limit = rule.max_burst + (rule.max_burst < INT64_MAX ? 1 : 0);
      const int64_t quantity =
          one_of({0, 1, 1, draw(limit) + 1, limit, limit + (limit < INT64_MAX ? 1 : 0), INT64_MAX});
      Words words = request;
      if (quantity != 1 || draw(2) == 0) words.push_back(std::to_string(quantity));
      const Reply reply = ask(words);
      std::vector<int64_t> seen;
      for (const Reply& element : reply.elements) seen.push_back(element.integer);
      ASSERT_EQ(seen, model.take(quantity)) << i << " " << reply.text;
    }
  }
  EXPECT_GT(refused_rules, 0);
}

// ---- RL.TAKE, RL.PEEK, RL.REFUND

const Reply& field_of(const Reply& map, Bytes name) {
  for (size_t i = 0; i + 1 < map.elements.size(); i += 2) {
    if (map.elements[i].text == name) return map.elements[i + 1];
  }
  ADD_FAILURE() << "no field " << name;
  return map;
}

struct NamedLimit {
  std::string key;
  RateRule rule;
  ExactLimit model{rule};

  void append_rule(Words& words) const {
    switch (rule.algorithm) {
      case RateAlgorithm::kGcra:
        words.insert(words.end(), {"GCRA", std::to_string(rule.amount), std::to_string(rule.period_ms), "BURST",
                                   std::to_string(rule.capacity)});
        return;
      case RateAlgorithm::kTokenBucket:
        words.insert(words.end(), {"BUCKET", std::to_string(rule.capacity), std::to_string(rule.amount)});
        break;
      default:
        words.insert(words.end(), {rule.algorithm == RateAlgorithm::kFixedWindow ? "FIXED" : "SLIDING",
                                   std::to_string(rule.capacity)});
    }
    words.push_back(std::to_string(rule.period_ms));
  }
};

class SeveralLimits : public RateLimits {
 protected:
  void make_limits(int round, bool is_extreme) {
    limits_.clear();
    for (int i = 0; i < 4; ++i) {
      const auto algorithm = static_cast<RateAlgorithm>(draw(static_cast<int64_t>(kRateAlgorithms)));
      const RateRule rule = is_extreme ? extreme_rule(algorithm, random_) : small_rule(algorithm, random_);
      limits_.push_back({std::to_string(round) + ":" + std::to_string(i), rule});
    }
  }
  // Some of them, in some order.
  std::vector<NamedLimit*> choose() {
    std::vector<NamedLimit*> chosen;
    for (NamedLimit& limit : limits_) chosen.push_back(&limit);
    for (size_t i = chosen.size(); i > 1; --i) std::swap(chosen[i - 1], chosen[random_.uniform(i)]);
    chosen.resize(1 + random_.uniform(chosen.size()));
    return chosen;
  }
  static Words request(const std::string& command, const std::vector<NamedLimit*>& chosen, int64_t cost) {
    Words words{command, std::to_string(chosen.size())};
    for (const NamedLimit* limit : chosen) words.push_back(limit->key);
    for (const NamedLimit* limit : chosen) limit->append_rule(words);
    words.insert(words.end(), {"COST", std::to_string(cost)});
    return words;
  }
  // Time passes, or the clock goes back.
  void step() {
    const RateRule& rule = limits_[random_.uniform(limits_.size())].rule;
    tell_models();
    const int64_t step_ms = draw_step_ms(rule, random_);
    set_now_ms(now_ms() + (draw(8) == 0 ? -std::min(step_ms, now_ms()) : step_ms));
    tell_models();
  }
  // Also removes what is over, which a clock that goes back does not bring to life again.
  void tell_models() {
    for (NamedLimit& limit : limits_) {
      ask({"EXISTS", limit.key});
      limit.model.move_to(now_ms());
    }
  }
  // Every state as it is kept.
  std::vector<Reply> states() {
    std::vector<Reply> all;
    for (const NamedLimit& limit : limits_) {
      all.push_back(ask({"GET", limit.key}));
      all.push_back(ask({"PEXPIRETIME", limit.key}));
    }
    return all;
  }
  void take(const std::vector<NamedLimit*>& chosen, int64_t cost);
  void refund(const std::vector<NamedLimit*>& chosen, int64_t cost);

  std::vector<NamedLimit> limits_;
};

void SeveralLimits::take(const std::vector<NamedLimit*>& chosen, int64_t cost) {
  const std::vector<Reply> before = states();
  const Reply peeked = ask(request("RL.PEEK", chosen, cost));
  ASSERT_EQ(states(), before) << "looking changes nothing";
  const Reply taken = ask(request("RL.TAKE", chosen, cost));
  ASSERT_FALSE(taken.is_error()) << taken.text;
  bool all_allow = true;
  bool is_ahead = false;
  for (const NamedLimit* limit : chosen) {
    all_allow = all_allow && limit->model.allows(cost);
    is_ahead = is_ahead || limit->model.is_ahead();
  }
  ASSERT_EQ(field_of(taken, "allowed").integer, all_allow);
  if (all_allow) {
    for (NamedLimit* limit : chosen) limit->model.take(cost);
  } else {
    ASSERT_EQ(taken, peeked) << "what is refused is what a look says";
    if (!is_ahead) {
      ASSERT_EQ(states(), before) << "all limits or none";
    }
    const auto refused_by = std::find_if(chosen.begin(), chosen.end(), [&](const NamedLimit* limit) {
      return limit->key == field_of(taken, "limited_by").text;
    });
    ASSERT_NE(refused_by, chosen.end());
    ASSERT_FALSE((*refused_by)->model.allows(cost));
    for (NamedLimit* limit : chosen) limit->model.refuse();
  }
  const std::vector<Reply>& told = field_of(taken, "limits").elements;
  ASSERT_EQ(told.size(), chosen.size());
  for (size_t i = 0; i < chosen.size(); ++i) {
    ASSERT_EQ(field_of(told[i], "remaining").integer, chosen[i]->model.remaining()) << chosen[i]->key;
  }
}

void SeveralLimits::refund(const std::vector<NamedLimit*>& chosen, int64_t cost) {
  const Reply reply = ask(request("RL.REFUND", chosen, cost));
  ASSERT_EQ(reply.elements.size(), chosen.size());
  for (size_t i = 0; i < chosen.size(); ++i) {
    chosen[i]->model.give_back(cost);
    ASSERT_EQ(field_of(reply.elements[i], "remaining").integer, chosen[i]->model.remaining()) << chosen[i]->key;
  }
}

TEST_F(SeveralLimits, AreTheExactModelsAllOrNone) {
  for (int round = 0; round < 25 && !HasFatalFailure(); ++round) {
    SCOPED_TRACE(round);
    server_.clock().set_wall_us(SimulatedClock::kDefaultStartUs);
    const bool is_extreme = draw(2) == 0;
    make_limits(round, is_extreme);
    for (int i = 0; i < 60 && now_ms() < kEndMs && !HasFatalFailure(); ++i) {
      SCOPED_TRACE(i);
      step();
      const std::vector<NamedLimit*> chosen = choose();
      const int64_t capacity = chosen[0]->rule.capacity;
      const int64_t cost = std::min(one_of({1, 1 + draw(3), 1 + draw(capacity), capacity}), RateRule::kCountMax);
      draw(5) == 0 ? refund(chosen, cost) : take(chosen, cost);
    }
  }
}

// ---- Leases

class Leases : public RateLimits {
 protected:
  std::vector<int64_t> ends() {  // of those that hold one now
    std::vector<int64_t> all;
    for (const auto& [holder, end_ms] : ends_) {
      if (end_ms > now_ms()) all.push_back(end_ms);
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  bool holds(const std::string& holder) const {
    const auto found = ends_.find(holder);
    return found != ends_.end() && found->second > now_;
  }
  void acquire(const std::string& holder, int64_t time_ms) {
    const std::vector<int64_t> before = ends();
    const auto used = static_cast<int64_t>(before.size());
    const bool held = holds(holder);
    const Reply reply = ask({"RL.ACQUIRE", key_, holder, std::to_string(limit_), std::to_string(time_ms)});
    ASSERT_EQ(field_of(reply, "allowed").integer, held || used < limit_);
    const bool allowed = held || used < limit_;
    if (allowed) ends_[holder] = now_ + time_ms;
    ASSERT_EQ(field_of(reply, "expires_at_ms").integer, allowed ? now_ + time_ms : 0);
    const int64_t retry_ms = allowed ? 0 : before[static_cast<size_t>(used - limit_)] - now_;
    ASSERT_EQ(field_of(reply, "retry_after_ms").integer, retry_ms);
    ASSERT_EQ(field_of(reply, "remaining").integer, std::max<int64_t>(limit_ - static_cast<int64_t>(ends().size()), 0));
  }
  void renew(const std::string& holder, int64_t time_ms) {
    const bool held = holds(holder);
    ASSERT_EQ(ask({"RL.RENEW", key_, holder, std::to_string(time_ms)}).integer, held);
    if (held) ends_[holder] = now_ + time_ms;
  }
  void release(const std::string& holder) {
    ASSERT_EQ(ask({"RL.RELEASE", key_, holder}).integer, holds(holder));
    ends_.erase(holder);
  }
  void check() {
    const Reply reply = ask({"RL.LEASES", key_});
    std::map<std::string, int64_t> seen;
    for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
      seen[reply.elements[i].text] = now_ + reply.elements[i + 1].integer;
    }
    std::map<std::string, int64_t> expected;
    for (const auto& [holder, end_ms] : ends_) {
      if (end_ms > now_) expected[holder] = end_ms;
    }
    ASSERT_EQ(seen, expected);
    ASSERT_LE(static_cast<int64_t>(seen.size()), most_);
  }
  void step(int64_t longest_ms) {
    // What is over is forgotten by the next one that takes a lease, and at the end of the last one.
    now_ = now_ms() + one_of({0, 1, draw(longest_ms), draw(3 * longest_ms)});
    set_now_ms(now_);
  }

  std::string key_;
  std::map<std::string, int64_t> ends_;
  int64_t limit_ = 1;
  int64_t most_ = 1;  // the largest limit of the round
  int64_t now_ = 0;
};

TEST_F(Leases, AreATableOfHolders) {
  for (int round = 0; round < 40 && !HasFatalFailure(); ++round) {
    SCOPED_TRACE(round);
    server_.clock().set_wall_us(SimulatedClock::kDefaultStartUs);
    key_ = "leases" + std::to_string(round);
    ends_.clear();
    most_ = limit_ = 1 + draw(5);
    const int64_t longest_ms = one_of({10, 1000, int64_t{1} << 33});
    for (int i = 0; i < 100 && now_ms() < kEndMs && !HasFatalFailure(); ++i) {
      SCOPED_TRACE(i);
      step(longest_ms);
      if (draw(20) == 0) limit_ = 1 + draw(most_);
      const std::string holder(1, static_cast<char>('a' + draw(8)));
      const int64_t time_ms = 1 + draw(longest_ms);
      switch (draw(4)) {
        case 0:
          renew(holder, time_ms);
          break;
        case 1:
          release(holder);
          break;
        default:
          acquire(holder, time_ms);
      }
      check();
    }
  }
}

// A clock that goes back makes no room: who had a lease has it for longer, and never are there more than the limit says.
TEST_F(Leases, AClockThatGoesBackMakesNoRoom) {
  for (int round = 0; round < 60; ++round) {
    const std::string key = "back" + std::to_string(round);
    const int64_t limit = 1 + draw(4);
    for (int i = 0; i < 60; ++i) {
      set_now_ms(now_ms() + one_of({0, 1, draw(500), -draw(500)}));
      const std::string holder(1, static_cast<char>('a' + draw(8)));
      const Reply before = ask({"RL.LEASES", key});
      const bool is_full = before.elements.size() / 2 >= static_cast<size_t>(limit);
      const bool holds = std::any_of(before.elements.begin(), before.elements.end(),
                                     [&](const Reply& element) { return element.text == holder; });
      const Reply reply = ask({"RL.ACQUIRE", key, holder, std::to_string(limit), std::to_string(1 + draw(300))});
      ASSERT_EQ(field_of(reply, "allowed").integer, holds || !is_full);
      ASSERT_LE(ask({"RL.LEASES", key}).elements.size() / 2, static_cast<size_t>(limit));
    }
  }
}

}  // namespace
}  // namespace larder::testing
