// Concurrency leases: at most so many holders at the same time, each for a time that it may renew.
//
// The key is a sorted set: a holder's member has the end of its lease as the score, in milliseconds since 1970. A lease that
// is over does not count; who takes or renews one clears those away. The key expires with its last lease.

#include <algorithm>

#include "base/number_text.h"
#include "server/command/rate_limit_handlers.h"
#include "server/command/rate_rules.h"
#include "server/command/zset_arguments.h"
#include "storage/zset_value.h"

namespace larder::rate_limit_commands {
namespace {

constexpr double kNoScore = -__builtin_inf();
constexpr int64_t kFarthestEndMs = int64_t{1} << 52;

constexpr ErrorText kBadLeaseLimit{"ERR limit must be between 1 and 1000000000"};
constexpr ErrorText kBadTime{"ERR the time of a lease must be between 1 and 1099511627776 milliseconds"};

RankRange ended(const ZsetValue& leases, int64_t now_ms) {
  return leases.ranks(ScoreRange{.min = kNoScore, .max = static_cast<double>(now_ms)});
}

size_t in_use(const ZsetValue& leases, int64_t now_ms) { return leases.size() - ended(leases, now_ms).count; }

bool is_held(const ZsetValue& leases, Bytes holder, int64_t now_ms) {
  const auto end_ms = leases.score(holder);
  return end_ms && *end_ms > static_cast<double>(now_ms);
}

// A lease's end, which anybody may have set by ZADD: any number.
int64_t end_of(double score) {
  return static_cast<int64_t>(std::clamp(score, 0.0, static_cast<double>(kFarthestEndMs)));
}

// The end of the last lease. Requires: there is one.
int64_t last_end_ms(const ZsetValue& leases) {
  int64_t end_ms = 0;
  leases.visit({leases.size() - 1, 1}, false, [&](Bytes, double score) { end_ms = end_of(score); });
  return end_ms;
}

void clear_ended(CommandContext& ctx, ZsetValue& leases) {
  const RankRange over = ended(leases, ctx.now_ms());
  if (over.count == 0 || over.count == leases.size()) return;  // all of them: the new one comes first, see put_lease()
  leases.remove(over);
}

// Repeated elsewhere is what the key is like afterwards, in commands that every server of the family has.
void propagate(CommandContext& ctx, Key key, Bytes holder, int64_t end_ms, int64_t deadline_ms) {
  if (!ctx.propagates()) return;
  const StringText now(ctx.now_ms());
  const StringText end(end_ms);
  const StringText deadline(deadline_ms);
  ctx.propagate_as({"ZADD", key.bytes, end, holder});
  ctx.propagate_as({"ZREMRANGEBYSCORE", key.bytes, "-inf", now});
  ctx.propagate_as({"PEXPIREAT", key.bytes, deadline});
}

void put_lease(CommandContext& ctx, Key key, ZsetValue& leases, Bytes holder, int64_t end_ms) {
  clear_ended(ctx, leases);
  leases.put(holder, static_cast<double>(end_ms), {}, zset_limits(ctx));
  if (const RankRange over = ended(leases, ctx.now_ms()); over.count > 0) leases.remove(over);
  const int64_t deadline_ms = last_end_ms(leases);
  ctx.keys().keyspace().set_deadline(ctx.keys().hashed(key), deadline_ms, ctx.now_ms());
  ctx.changed(key.bytes, Event::kZAdd);
  propagate(ctx, key, holder, end_ms, deadline_ms);
}

int64_t take_time_ms(ArgReader& args) { return args.take_int(1, RateRule::kPeriodMsMax, kBadTime); }

}  // namespace

void rl_acquire(CommandContext& ctx, ArgReader& args) {
  const auto [key, holder] = args.take<Key, Bytes>();
  const int64_t limit = args.take_int(1, RateRule::kCountMax, kBadLeaseLimit);
  const int64_t time_ms = take_time_ms(args);
  if (!args.done(ctx.reply())) return;
  auto leases = ctx.keys().edit_or_create<ZsetValue>(key);
  if (leases.wrong_type()) return ctx.reply().error(kWrongType);

  const int64_t now_ms = ctx.now_ms();
  auto used = leases->exists() ? static_cast<int64_t>(in_use(*leases, now_ms)) : 0;
  const bool has_one = leases->exists() && is_held(*leases, holder, now_ms);
  const bool allowed = has_one || used < limit;
  int64_t retry_after_ms = 0;
  if (allowed) {
    put_lease(ctx, key, *leases, holder, now_ms + time_ms);
    used += has_one ? 0 : 1;
  } else {
    // So many of those that end first must be over before there is room.
    const size_t first = ended(*leases, now_ms).count + static_cast<size_t>(used - limit);
    leases->visit({first, 1}, false, [&](Bytes, double score) { retry_after_ms = end_of(score) - now_ms; });
  }
  ReplyWriter& reply = ctx.reply();
  reply.map(5);
  reply.bulk("allowed");
  reply.boolean(allowed);
  reply.bulk("limit");
  reply.integer(limit);
  reply.bulk("remaining");
  reply.integer(used < limit ? limit - used : 0);
  reply.bulk("retry_after_ms");
  reply.integer(retry_after_ms);
  reply.bulk("expires_at_ms");
  allowed ? reply.integer(now_ms + time_ms) : reply.null();
}

void rl_renew(CommandContext& ctx, ArgReader& args) {
  const auto [key, holder] = args.take<Key, Bytes>();
  const int64_t time_ms = take_time_ms(args);
  if (!args.done(ctx.reply())) return;
  auto leases = ctx.keys().edit<ZsetValue>(key);
  if (leases.wrong_type()) return ctx.reply().error(kWrongType);
  if (leases.missing() || !is_held(*leases, holder, ctx.now_ms())) return ctx.reply().integer(0);
  put_lease(ctx, key, *leases, holder, ctx.now_ms() + time_ms);
  ctx.reply().integer(1);
}

void rl_release(CommandContext& ctx, ArgReader& args) {
  const auto [key, holder] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  auto leases = ctx.keys().edit<ZsetValue>(key);
  if (leases.wrong_type()) return ctx.reply().error(kWrongType);
  if (leases.missing()) return ctx.reply().integer(0);
  const bool was_held = is_held(*leases, holder, ctx.now_ms());
  const bool is_last = leases->size() == 1;
  if (leases->remove(holder)) {
    ctx.changed(key.bytes, Event::kZRem);
    if (is_last) ctx.changed(key.bytes, Event::kDel);
    ctx.propagate_as({"ZREM", key.bytes, holder});
  }
  ctx.reply().integer(was_held ? 1 : 0);
}

void rl_leases(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto leases = ctx.keys().read<ZsetValue>(key);
  if (leases.wrong_type()) return ctx.reply().error(kWrongType);
  if (leases.missing()) return ctx.reply().map(0);
  const size_t over = ended(*leases, ctx.now_ms()).count;
  ctx.reply().map(leases->size() - over);
  leases->visit({over, leases->size() - over}, false, [&](Bytes holder, double score) {
    ctx.reply().bulk(holder);
    ctx.reply().integer(end_of(score) - ctx.now_ms());
  });
}

}  // namespace larder::rate_limit_commands
