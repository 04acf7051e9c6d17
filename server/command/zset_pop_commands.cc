// Taking members from the ends of sorted sets, with and without waiting for one.
//
//   ZPOPMIN key [count]                                 members and scores, flat (in RESP3 pairs when a count is given)
//   ZMPOP numkeys key [key ...] MIN | MAX [COUNT n]     [key, [[member, score] ...]] of the first set that is not empty
//   BZPOPMIN key [key ...] timeout                      [key, member, score]
//   BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT n]
//
// A pop from one of several keys is repeated elsewhere as the ZPOPMIN or ZPOPMAX that it was.

#include <algorithm>

#include "base/number_text.h"
#include "server/command/block_timeout.h"
#include "server/command/removal.h"
#include "server/command/zset_arguments.h"
#include "server/command/zset_handlers.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

enum class End : uint8_t { kMin, kMax };

// Pops up to `count` members, calling visit(Bytes, double) for each first, and tells it. Requires: the set exists, count > 0.
template <class Visit>
void pop(CommandContext& ctx, Key key, ZsetValue& value, End end, size_t count, Visit visit) {
  const size_t taken = std::min(count, value.size());
  const RankRange range{end == End::kMin ? 0 : value.size() - taken, taken};
  value.visit(range, end == End::kMax, visit);
  value.remove(range);
  tell_removal(ctx, key, value, end == End::kMin ? Event::kZPopMin : Event::kZPopMax, taken);
}

void propagate_pop(CommandContext& ctx, Key key, End end, size_t count) {
  if (!ctx.propagates()) return;
  char digits[kInt64TextBytesMax];
  ctx.propagate_as(
      {end == End::kMin ? Bytes("ZPOPMIN") : Bytes("ZPOPMAX"), key.bytes, Bytes(digits, write_uint64(digits, count))});
}

void pop_one_key(CommandContext& ctx, ArgReader& args, End end) {
  const auto key = args.take<Key>();
  const bool has_count = !args.at_end();
  const auto count = has_count ? args.take_int(0, INT64_MAX, kNotPositive, kNotPositive) : 1;
  if (!args.at_end()) return ctx.reply().error(kSyntax);
  if (!args.done(ctx.reply())) return;
  auto value = ctx.keys().edit<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing() || count == 0) return ctx.reply().empty_array();
  const size_t taken = std::min<size_t>(static_cast<size_t>(count), value->size());
  // Without a count the one pair stands alone, in both versions.
  MemberReply members(ctx.reply(), true);
  if (has_count) {
    members.begin(taken);
    return pop(ctx, key, *value, end, taken, [&](Bytes member, double score) { members.member(member, score); });
  }
  ctx.reply().array(2);
  pop(ctx, key, *value, end, 1, [&](Bytes member, double score) {
    ctx.reply().bulk(member);
    ctx.reply().double_value(score);
  });
}

// What ZMPOP and BZMPOP have behind the timeout.
struct MultiPop {
  std::span<const Bytes> keys;
  End end = End::kMin;
  int64_t count = 1;
};

MultiPop take_multi_pop(ArgReader& args) {
  MultiPop request;
  const int64_t key_count = args.take_int(1, INT64_MAX, kNumKeysNotPositive, kNumKeysNotPositive);
  // Where the words would begin lies beyond the end.
  if (args.ok() && static_cast<uint64_t>(key_count) >= args.remaining()) args.fail(kSyntax);
  request.keys = args.take_many(static_cast<size_t>(key_count));
  if (args.take_word("MIN")) {
    request.end = End::kMin;
  } else if (args.take_word("MAX")) {
    request.end = End::kMax;
  } else {
    args.fail(kSyntax);
  }
  if (args.ok() && args.take_word("COUNT")) {
    request.count = args.take_int(1, INT64_MAX, kCountNotPositive, kCountNotPositive);
  }
  if (args.ok() && !args.at_end()) args.fail(kSyntax);
  return request;
}

enum class Found : uint8_t { kNothing, kAnswered };

// Answers from the first of the keys that holds a set, or with the error of one that holds something else.
Found pop_first(CommandContext& ctx, const MultiPop& request) {
  for (const Bytes bytes : request.keys) {
    const Key key{bytes};
    auto value = ctx.keys().edit<ZsetValue>(key);
    if (value.missing()) continue;
    if (value.wrong_type()) {
      ctx.reply().error(kWrongType);
      return Found::kAnswered;
    }
    const size_t taken = std::min<size_t>(static_cast<size_t>(request.count), value->size());
    ctx.reply().array(2);
    ctx.reply().bulk(bytes);
    ctx.reply().array(taken);
    pop(ctx, key, *value, request.end, taken, [&](Bytes member, double score) {
      ctx.reply().array(2);
      ctx.reply().bulk(member);
      ctx.reply().double_value(score);
    });
    propagate_pop(ctx, key, request.end, taken);
    return Found::kAnswered;
  }
  return Found::kNothing;
}

void pop_or_wait(CommandContext& ctx, ArgReader& args, End end) {
  const auto keys = args.take_many(args.remaining() - 1);
  const int64_t deadline_ms = take_block_timeout(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  for (const Bytes bytes : keys) {
    const Key key{bytes};
    auto value = ctx.keys().edit<ZsetValue>(key);
    if (value.missing()) continue;
    if (value.wrong_type()) return ctx.reply().error(kWrongType);
    ctx.reply().array(3);
    ctx.reply().bulk(bytes);
    pop(ctx, key, *value, end, 1, [&](Bytes member, double score) {
      ctx.reply().bulk(member);
      ctx.reply().double_value(score);
    });
    return propagate_pop(ctx, key, end, 1);
  }
  ctx.block({.keys = keys, .deadline_ms = deadline_ms, .type = ValueType::kZset});
}

}  // namespace

namespace zset_commands {

void zpopmin(CommandContext& ctx, ArgReader& args) { pop_one_key(ctx, args, End::kMin); }
void zpopmax(CommandContext& ctx, ArgReader& args) { pop_one_key(ctx, args, End::kMax); }
void bzpopmin(CommandContext& ctx, ArgReader& args) { pop_or_wait(ctx, args, End::kMin); }
void bzpopmax(CommandContext& ctx, ArgReader& args) { pop_or_wait(ctx, args, End::kMax); }

void zmpop(CommandContext& ctx, ArgReader& args) {
  const MultiPop request = take_multi_pop(args);
  if (!args.done(ctx.reply())) return;
  if (pop_first(ctx, request) == Found::kNothing) ctx.reply().null_array();
}

// timeout numkeys key [key ...] MIN|MAX [COUNT count]; of several mistakes, one in the timeout is told last.
void bzmpop(CommandContext& ctx, ArgReader& args) {
  const Bytes timeout = args.take<Bytes>();
  const MultiPop request = take_multi_pop(args);
  const int64_t deadline_ms = late_block_timeout(args, timeout, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  if (pop_first(ctx, request) == Found::kAnswered) return;
  ctx.block({.keys = request.keys, .deadline_ms = deadline_ms, .type = ValueType::kZset});
}

}  // namespace zset_commands
}  // namespace larder
