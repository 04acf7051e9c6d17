// The sorted-set family: its rows, and the commands on single members.
//
//   ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
//
// Options are words until the first argument that is none of them. Every score is read before anything changes.

#include <vector>

#include "protocol/option_grammar.h"
#include "server/command/families.h"
#include "server/command/key_walk.h"
#include "server/command/removal.h"
#include "server/command/zset_arguments.h"
#include "server/command/zset_handlers.h"
#include "server/core/command_spec.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

namespace zc = zset_commands;

constexpr CommandSpec kZsetRows[] = {
    {"bzmpop", -5, kWrite | kBlocking, Acl::kSortedSet, key_specs("RW+ACCESS+DELETE@i2:keynum(0,1,1)"), zc::bzmpop},
    {"bzpopmax", -3, kWrite | kFast | kBlocking, Acl::kSortedSet, key_specs("RW+ACCESS+DELETE@i1:range(-2,1,0)"),
     zc::bzpopmax},
    {"bzpopmin", -3, kWrite | kFast | kBlocking, Acl::kSortedSet, key_specs("RW+ACCESS+DELETE@i1:range(-2,1,0)"),
     zc::bzpopmin},
    {"zadd", -4, kWrite | kDenyOom | kFast | kItemAt3, Acl::kSortedSet, key_specs("RW+UPDATE@i1:range(0,1,0)"), zc::zadd},
    {"zcard", 2, kReadonly | kFast, Acl::kSortedSet, key_specs("RO@i1:range(0,1,0)"), zc::zcard},
    {"zcount", 4, kReadonly | kFast, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zcount},
    {"zdiff", -3, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:keynum(0,1,1)"), zc::zdiff},
    {"zdiffstore", -4, kWrite | kDenyOom, Acl::kSortedSet,
     key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:keynum(0,1,1)"), zc::zdiffstore},
    {"zincrby", 4, kWrite | kDenyOom | kFast | kItemAt3, Acl::kSortedSet, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"),
     zc::zincrby},
    {"zinter", -3, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:keynum(0,1,1)"), zc::zinter},
    {"zintercard", -3, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:keynum(0,1,1)"), zc::zintercard},
    {"zinterstore", -4, kWrite | kDenyOom, Acl::kSortedSet,
     key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:keynum(0,1,1)"), zc::zinterstore},
    {"zlexcount", 4, kReadonly | kFast, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zlexcount},
    {"zmpop", -4, kWrite, Acl::kSortedSet, key_specs("RW+ACCESS+DELETE@i1:keynum(0,1,1)"), zc::zmpop},
    {"zmscore", -3, kReadonly | kFast | kItemAt2, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zmscore},
    {"zpopmax", -2, kWrite | kFast, Acl::kSortedSet, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"), zc::zpopmax},
    {"zpopmin", -2, kWrite | kFast, Acl::kSortedSet, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"), zc::zpopmin},
    {"zrandmember",
     -2,
     kReadonly,
     Acl::kSortedSet,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     zc::zrandmember,
     {},
     "nondeterministic_output"},
    {"zrange", -4, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrange},
    {"zrangebylex", -4, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrangebylex},
    {"zrangebyscore", -4, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrangebyscore},
    {"zrangestore", -5, kWrite | kDenyOom, Acl::kSortedSet,
     key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:range(0,1,0)"), zc::zrangestore},
    {"zrank", -3, kReadonly | kFast | kItemAt2, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrank},
    {"zrem", -3, kWrite | kFast | kItemAt2, Acl::kSortedSet, key_specs("RW+DELETE@i1:range(0,1,0)"), zc::zrem},
    {"zremrangebylex", 4, kWrite, Acl::kSortedSet, key_specs("RW+DELETE@i1:range(0,1,0)"), zc::zremrangebylex},
    {"zremrangebyrank", 4, kWrite, Acl::kSortedSet, key_specs("RW+DELETE@i1:range(0,1,0)"), zc::zremrangebyrank},
    {"zremrangebyscore", 4, kWrite, Acl::kSortedSet, key_specs("RW+DELETE@i1:range(0,1,0)"), zc::zremrangebyscore},
    {"zrevrange", -4, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrevrange},
    {"zrevrangebylex", -4, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrevrangebylex},
    {"zrevrangebyscore", -4, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrevrangebyscore},
    {"zrevrank", -3, kReadonly | kFast | kItemAt2, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zrevrank},
    {"zscan",
     -3,
     kReadonly,
     Acl::kSortedSet,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     zc::zscan,
     {},
     "nondeterministic_output"},
    {"zscore", 3, kReadonly | kFast | kItemAt2, Acl::kSortedSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), zc::zscore},
    {"zunion", -3, kReadonly, Acl::kSortedSet, key_specs("RO+ACCESS@i1:keynum(0,1,1)"), zc::zunion},
    {"zunionstore", -4, kWrite | kDenyOom, Acl::kSortedSet,
     key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:keynum(0,1,1)"), zc::zunionstore},
};

constexpr ErrorText kNxAndXx{"ERR XX and NX options at the same time are not compatible"};
constexpr ErrorText kGtLtNx{"ERR GT, LT, and/or NX options at the same time are not compatible"};
constexpr ErrorText kIncrPairs{"ERR INCR option supports a single increment-element pair"};

enum AddOption : size_t { kNx, kXx, kGt, kLt, kCh, kIncr };
constexpr OptionRule kAddRules[] = {{"NX"}, {"XX"}, {"GT"}, {"LT"}, {"CH"}, {"INCR"}};

// One pair, the answer being the score that results.
void put_and_reply_score(CommandContext& ctx, Key key, double score, Bytes member, const ZsetRule& rule) {
  auto value = ctx.keys().edit_or_create<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const ZsetPut put = value->put(member, score, rule, zset_limits(ctx));
  if (put.outcome == ZsetOutcome::kNan) return ctx.reply().error(kScoreNan);
  if (put.outcome == ZsetOutcome::kRefused) return ctx.reply().null();
  if (put.outcome != ZsetOutcome::kUnchanged) ctx.changed(key.bytes, Event::kZIncr);
  ctx.reply().double_value(put.score);
}

// ZADD without INCR: every score is read before anything changes.
void put_pairs(CommandContext& ctx, Key key, std::span<const Bytes> pairs, const ZsetRule& rule, bool counts_updates) {
  ScoredBytes single{};
  std::vector<ScoredBytes> several;
  if (pairs.size() > 2) several.reserve(pairs.size() / 2);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const auto score = parse_double(pairs[i]);
    if (!score) return ctx.reply().error(kNotFloat);
    single = {*score, pairs[i + 1]};
    if (pairs.size() > 2) several.push_back(single);
  }
  put_and_reply_count(ctx, key, pairs.size() > 2 ? std::span<const ScoredBytes>(several) : std::span(&single, 1), rule,
                      counts_updates);
}

void reply_rank(CommandContext& ctx, ArgReader& args, bool reversed) {
  const auto [key, member] = args.take<Key, Bytes>();
  if (args.remaining() > 1) return ctx.reply().error(wrong_arity_error(ctx.command().full_name));
  const bool with_score = args.take_word("WITHSCORE");
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const auto ranked = value ? value->rank(member) : std::nullopt;
  if (!ranked) return with_score ? ctx.reply().null_array() : ctx.reply().null();
  if (with_score) ctx.reply().array(2);
  ctx.reply().integer(static_cast<int64_t>(reversed ? value->size() - 1 - ranked->rank : ranked->rank));
  if (with_score) ctx.reply().double_value(ranked->score);
}

}  // namespace

extern const CommandFamily kZsetFamily{"sorted-set", kZsetRows, kZsetDocs};

namespace zset_commands {

void zadd(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto options = parse_leading_options(args, kAddRules);
  const auto pairs = args.rest();
  if (!args.done(ctx.reply())) return;
  if (pairs.empty() || pairs.size() % 2 != 0) return ctx.reply().error(kSyntax);
  if (options.has(kNx) && options.has(kXx)) return ctx.reply().error(kNxAndXx);
  if ((options.has(kGt) && options.has(kNx)) || (options.has(kLt) && options.has(kNx)) ||
      (options.has(kGt) && options.has(kLt))) {
    return ctx.reply().error(kGtLtNx);
  }
  if (options.has(kIncr) && pairs.size() > 2) return ctx.reply().error(kIncrPairs);
  const ZsetRule rule{options.has(kNx), options.has(kXx), options.has(kGt), options.has(kLt), options.has(kIncr)};
  if (!options.has(kIncr)) return put_pairs(ctx, key, pairs, rule, options.has(kCh));
  const auto score = parse_double(pairs[0]);
  if (!score) return ctx.reply().error(kNotFloat);
  put_and_reply_score(ctx, key, *score, pairs[1], rule);
}

void zincrby(CommandContext& ctx, ArgReader& args) {
  const auto [key, increment, member] = args.take<Key, Double, Bytes>();
  if (!args.done(ctx.reply())) return;
  put_and_reply_score(ctx, key, increment.value, member, {.increment = true});
}

void zscore(CommandContext& ctx, ArgReader& args) {
  const auto [key, member] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const auto score = value ? value->score(member) : std::nullopt;
  if (!score) return ctx.reply().null();
  ctx.reply().double_value(*score);
}

void zmscore(CommandContext& ctx, ArgReader& args) {
  ReplyWriter& reply = ctx.reply();
  reply_members(
      ctx, args, [&](double score) { reply.double_value(score); }, [&] { reply.null(); });
}

void zcard(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(value ? static_cast<int64_t>(value->size()) : 0);
}

void zrank(CommandContext& ctx, ArgReader& args) { reply_rank(ctx, args, false); }
void zrevrank(CommandContext& ctx, ArgReader& args) { reply_rank(ctx, args, true); }

void zrem(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto members = args.rest();
  if (!args.done(ctx.reply())) return;
  auto value = ctx.keys().edit<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  int64_t removed = 0;
  for (const Bytes member : members) {
    if (!value || !value->exists()) break;
    removed += value->remove(member);
  }
  if (removed > 0) tell_removal(ctx, key, *value, Event::kZRem, static_cast<size_t>(removed));
  ctx.reply().integer(removed);
}

}  // namespace zset_commands
}  // namespace larder
