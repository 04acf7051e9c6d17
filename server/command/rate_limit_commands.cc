// The rate-limit family: its rows, and the RL commands that check several limits at once.
//
// A call looks all its limits up first, judges them, and only if every one allows the request writes them all; nothing of
// another client comes in between. Handles on values do not outlive a look-up of another key, so the states are copied.

#include <algorithm>
#include <array>

#include "server/command/families.h"
#include "server/command/rate_limit_handlers.h"
#include "server/command/rate_rules.h"
#include "storage/string_value.h"

namespace larder {
namespace rate_limit_commands {
namespace {

constexpr size_t kLimitsMax = 16;

constexpr ErrorText kTooManyLimits{"ERR numkeys must be between 1 and 16"};
constexpr ErrorText kSameKey{"ERR a key is given twice"};
constexpr ErrorText kUnknownRule{"ERR a rule begins with GCRA, FIXED, SLIDING or BUCKET, one for each key"};
constexpr ErrorText kBadCount{"ERR limits and costs must be between 1 and 1000000000"};
constexpr ErrorText kBadPeriod{"ERR periods must be between 1 and 1099511627776 milliseconds"};
constexpr ErrorText kUnsound{"ERR limit and period are too large together"};
constexpr ErrorText kOtherState{"ERR the key holds no state of this kind of limit"};

struct Limit {
  Key key;
  RateRule rule;
  RateState state;
  RateVerdict verdict;
  bool exists = false;
  bool was_ahead = false;  // the kept state lies in the future: see RateState::settle()
};

struct Limits {
  std::array<Limit, kLimitsMax> limits;
  size_t count = 0;
  int64_t cost = 1;

  std::span<Limit> all() { return {limits.data(), count}; }
};

int64_t take_count(ArgReader& args) { return args.take_int(1, RateRule::kCountMax, kBadCount); }

// "GCRA limit period [BURST n]", "FIXED limit window", "SLIDING limit window", "BUCKET capacity tokens period".
RateRule take_rule(ArgReader& args) {
  RateRule rule;
  if (args.take_word("GCRA")) {
    rule.algorithm = RateAlgorithm::kGcra;
  } else if (args.take_word("FIXED")) {
    rule.algorithm = RateAlgorithm::kFixedWindow;
  } else if (args.take_word("SLIDING")) {
    rule.algorithm = RateAlgorithm::kSlidingWindow;
  } else if (args.take_word("BUCKET")) {
    rule.algorithm = RateAlgorithm::kTokenBucket;
  } else {
    args.fail(kUnknownRule);
    return rule;
  }
  rule.capacity = take_count(args);
  rule.amount = rule.algorithm == RateAlgorithm::kTokenBucket ? take_count(args) : rule.capacity;
  rule.period_ms = args.take_int(1, RateRule::kPeriodMsMax, kBadPeriod);
  if (rule.algorithm == RateAlgorithm::kGcra && args.ok() && args.take_word("BURST")) rule.capacity = take_count(args);
  if (args.ok() && !rule.is_sound()) args.fail(kUnsound);
  return rule;
}

// Reads keys, rules and cost; false when the error is written.
bool take_limits(CommandContext& ctx, ArgReader& args, Limits& out) {
  const int64_t count = args.take_int(1, kLimitsMax, kTooManyLimits);
  const auto keys = args.take_many(args.ok() ? static_cast<size_t>(count) : 0);
  out.count = keys.size();
  for (size_t i = 0; i < keys.size(); ++i) {
    out.limits[i].key = {keys[i]};
    if (std::find(keys.begin(), keys.begin() + i, keys[i]) != keys.begin() + i) args.fail(kSameKey);
  }
  for (Limit& limit : out.all()) {
    if (args.ok()) limit.rule = take_rule(args);
  }
  if (args.ok() && args.take_word("COST")) out.cost = take_count(args);
  return args.done(ctx.reply());
}

// The states as they are now; false when the error is written.
bool look_up(CommandContext& ctx, Limits& limits) {
  for (Limit& limit : limits.all()) {
    const auto value = ctx.keys().edit<StringValue>(limit.key);
    if (value.wrong_type()) return ctx.reply().error(kWrongType), false;
    limit.exists = value.found();
    const auto state = RateState::decode(limit.rule.algorithm, value.found() ? value->text().bytes() : Bytes());
    if (!state) return ctx.reply().error(kOtherState), false;
    limit.state = *state;
    limit.was_ahead = limit.state.settle(limit.rule, ctx.now_ms());
    limit.verdict = limit.state.judge(limit.rule, ctx.now_ms(), limits.cost);
  }
  return true;
}

// Writes the state, or removes the key when nothing of it counts any more. Requires: limit.verdict is of this state.
void store(CommandContext& ctx, const Limit& limit) {
  const int64_t reset_after_ms = limit.verdict.reset_after_ms;
  if (reset_after_ms == 0) {
    if (!ctx.keys().erase(limit.key)) return;
    ctx.changed(limit.key.bytes, Event::kDel);
    if (ctx.propagates()) ctx.propagate_as({"DEL", limit.key.bytes});
    return;
  }
  char bytes[RateState::kBytesMax];
  const Bytes state(bytes, limit.state.encode(limit.rule.algorithm, bytes));
  const int64_t deadline_ms = ctx.now_ms() + reset_after_ms;
  ctx.keys().assign_string(limit.key, state, DeadlineRule::at(deadline_ms), StringForm::kAsText);
  ctx.changed(limit.key.bytes, Event::kQuiet);
  if (!ctx.propagates()) return;
  const StringText deadline(deadline_ms);
  ctx.propagate_as({"SET", limit.key.bytes, state, "PXAT", deadline});
}

int64_t seconds_up(int64_t ms) { return ms <= 0 ? ms : (ms - 1) / 1000 + 1; }

void reply_limit(ReplyWriter& reply, const Limit& limit) {
  reply.map(6);
  reply.literal("key");
  reply.bulk(limit.key.bytes);
  reply.literal("algorithm");
  reply.bulk(rate_algorithm_name(limit.rule.algorithm));
  reply.literal("limit");
  reply.integer(limit.rule.capacity);
  reply.literal("remaining");
  reply.integer(limit.verdict.remaining);
  reply.literal("retry_after_ms");
  reply.integer(limit.verdict.retry_after_ms);
  reply.literal("reset_after_ms");
  reply.integer(limit.verdict.reset_after_ms);
}

// The limit that refuses for longest (for ever is longer than anything), null when all allow.
const Limit* refusing(std::span<const Limit> limits) {
  const auto is_later = [](int64_t a, int64_t b) { return static_cast<uint64_t>(a) > static_cast<uint64_t>(b); };
  const Limit* found = nullptr;
  for (const Limit& limit : limits) {
    if (limit.verdict.allowed) continue;
    if (found == nullptr || is_later(limit.verdict.retry_after_ms, found->verdict.retry_after_ms)) found = &limit;
  }
  return found;
}

// The limit that a client should be told of: the one that refuses, else the one with the least left.
const Limit& tightest(std::span<const Limit> limits) {
  const auto is_tighter = [](const Limit& a, const Limit& b) {
    if (a.verdict.remaining != b.verdict.remaining) return a.verdict.remaining < b.verdict.remaining;
    return a.verdict.reset_after_ms > b.verdict.reset_after_ms;
  };
  return *std::min_element(limits.begin(), limits.end(), is_tighter);
}

void reply_verdict(CommandContext& ctx, std::span<const Limit> limits, const Limit* refused_by) {
  ReplyWriter& reply = ctx.reply();
  const Limit& told = refused_by != nullptr ? *refused_by : tightest(limits);
  const int64_t retry_after_ms = refused_by != nullptr ? refused_by->verdict.retry_after_ms : 0;
  reply.map(8);
  reply.literal("allowed");
  reply.boolean(refused_by == nullptr);
  reply.literal("limited_by");
  refused_by != nullptr ? reply.bulk(refused_by->key.bytes) : reply.null();
  reply.literal("retry_after_ms");
  reply.integer(retry_after_ms);
  reply.literal("retry_after");
  reply.integer(seconds_up(retry_after_ms));
  reply.literal("limit");
  reply.integer(told.rule.capacity);
  reply.literal("remaining");
  reply.integer(told.verdict.remaining);
  reply.literal("reset");
  reply.integer(seconds_up(told.verdict.reset_after_ms));
  reply.literal("limits");
  reply.array(limits.size());
  for (const Limit& limit : limits) reply_limit(reply, limit);
}

}  // namespace

void rl_take(CommandContext& ctx, ArgReader& args) {
  Limits limits;
  if (!take_limits(ctx, args, limits) || !look_up(ctx, limits)) return;
  const Limit* refused_by = refusing(limits.all());
  for (Limit& limit : limits.all()) {
    if (refused_by == nullptr) {
      limit.state.take(limit.rule, limits.cost);
      limit.verdict = limit.state.describe(limit.rule, ctx.now_ms());
    }
    if (refused_by == nullptr || limit.was_ahead) store(ctx, limit);
  }
  reply_verdict(ctx, limits.all(), refused_by);
}

void rl_peek(CommandContext& ctx, ArgReader& args) {
  Limits limits;
  if (!take_limits(ctx, args, limits) || !look_up(ctx, limits)) return;
  reply_verdict(ctx, limits.all(), refusing(limits.all()));
}

void rl_refund(CommandContext& ctx, ArgReader& args) {
  Limits limits;
  if (!take_limits(ctx, args, limits) || !look_up(ctx, limits)) return;
  for (Limit& limit : limits.all()) {
    limit.state.give_back(limit.rule, limits.cost, ctx.now_ms());
    limit.verdict = limit.state.describe(limit.rule, ctx.now_ms());
    if (limit.exists) store(ctx, limit);
  }
  ctx.reply().array(limits.count);
  for (const Limit& limit : limits.all()) reply_limit(ctx.reply(), limit);
}

void rl_reset(CommandContext& ctx, ArgReader& args) {
  const auto keys = args.rest();
  int64_t removed = 0;
  for (const Bytes key : keys) {
    if (!ctx.keys().erase({key})) continue;
    ++removed;
    ctx.changed(key, Event::kDel);
    if (ctx.propagates()) ctx.propagate_as({"DEL", key});
  }
  ctx.reply().integer(removed);
}

}  // namespace rate_limit_commands

namespace {

namespace rl = rate_limit_commands;

constexpr CommandSpec kRateLimitRows[] = {
    {"cl.throttle", -5, kWrite | kDenyOom | kFast, Acl::kNone, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"),
     rl::cl_throttle},
    {"rl.take", -5, kWrite | kDenyOom, Acl::kNone, key_specs("RW+ACCESS+UPDATE@i1:keynum(0,1,1)"), rl::rl_take},
    {"rl.peek", -5, kReadonly, Acl::kNone, key_specs("RO+ACCESS@i1:keynum(0,1,1)"), rl::rl_peek},
    {"rl.refund", -5, kWrite, Acl::kNone, key_specs("RW+ACCESS+UPDATE@i1:keynum(0,1,1)"), rl::rl_refund},
    {"rl.reset", -2, kWrite, Acl::kNone, key_specs("RM+DELETE@i1:range(-1,1,0)"), rl::rl_reset},
    {"rl.acquire", 5, kWrite | kDenyOom, Acl::kNone, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), rl::rl_acquire},
    {"rl.renew", 4, kWrite, Acl::kNone, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), rl::rl_renew},
    {"rl.release", 3, kWrite, Acl::kNone, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"), rl::rl_release},
    {"rl.leases", 2, kReadonly, Acl::kNone, key_specs("RO+ACCESS@i1:range(0,1,0)"), rl::rl_leases},
};

}  // namespace

const CommandFamily kRateLimitFamily{"rate-limit", kRateLimitRows, kRateLimitDocs};

}  // namespace larder
