// Ranges of a sorted set by index, score and bytes: reading, counting, storing and removing them.
//
//   ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
//
// and the older names, each of which fixes some of the words. Whatever the bounds are, they become a range of ranks.

#include <algorithm>

#include "server/command/removal.h"
#include "server/command/zset_arguments.h"
#include "server/command/zset_handlers.h"
#include "server/core/collection_reply.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

constexpr ErrorText kLimitByIndex{
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"};
constexpr ErrorText kScoresByLex{"ERR syntax error, WITHSCORES not supported in combination with BYLEX"};

enum class RangeBy : uint8_t { kUnsaid, kIndex, kScore, kLex };
enum class Direction : uint8_t { kUnsaid, kUp, kDown };

// What a range command asks for.
struct RangeRequest {
  RangeBy by = RangeBy::kUnsaid;
  Direction direction = Direction::kUnsaid;
  bool stores = false;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;  // negative: all
  int64_t start = 0;   // by index
  int64_t stop = 0;
  ScoreRange scores{};
  LexRange lex{};

  bool down() const { return direction == Direction::kDown; }
};

void take_range_options(ArgReader& args, RangeRequest& request) {
  while (args.ok() && !args.at_end()) {
    if (!request.stores && args.take_word("WITHSCORES")) {
      request.with_scores = true;
    } else if (args.remaining() > 2 && args.take_word("LIMIT")) {
      request.offset = args.take<int64_t>();
      request.limit = args.take<int64_t>();
    } else if (request.direction == Direction::kUnsaid && args.take_word("REV")) {
      request.direction = Direction::kDown;
    } else if (request.by == RangeBy::kUnsaid && args.take_word("BYLEX")) {
      request.by = RangeBy::kLex;
    } else if (request.by == RangeBy::kUnsaid && args.take_word("BYSCORE")) {
      request.by = RangeBy::kScore;
    } else {
      args.fail(kSyntax);
    }
  }
  if (request.by == RangeBy::kUnsaid) request.by = RangeBy::kIndex;
  if (request.limit != -1 && request.by == RangeBy::kIndex) args.fail(kLimitByIndex);
  if (request.with_scores && request.by == RangeBy::kLex) args.fail(kScoresByLex);
}

// The bounds and options behind the key.
void take_range(ArgReader& args, RangeRequest& request) {
  auto [min, max] = args.take<Bytes, Bytes>();
  take_range_options(args, request);
  if (!args.ok()) return;
  if (request.down() && request.by != RangeBy::kIndex) std::swap(min, max);
  ErrorText error;
  switch (request.by) {
    case RangeBy::kScore:
      error = parse_score_range(min, max, &request.scores);
      break;
    case RangeBy::kLex:
      error = parse_lex_range(min, max, &request.lex);
      break;
    default:
      error = ArgType<int64_t>::parse(min, &request.start);
      if (!error) error = ArgType<int64_t>::parse(max, &request.stop);
  }
  if (error) args.fail(error);
}

RankRange resolve(const RangeRequest& request, const ZsetValue& value) {
  if (request.by == RangeBy::kIndex) {
    return resolve_indexes(request.start, request.stop, value.size(), request.down());
  }
  RankRange range =
      request.by == RangeBy::kScore ? value.ranks(request.scores) : value.ranks(request.lex, request.down());
  // A negative offset is beyond every end.
  if (request.offset < 0 || static_cast<uint64_t>(request.offset) >= range.count) return {};
  const auto skipped = static_cast<size_t>(request.offset);
  size_t count = range.count - skipped;
  if (request.limit >= 0) count = std::min<size_t>(count, static_cast<size_t>(request.limit));
  const size_t first = request.down() ? range.first + range.count - skipped - count : range.first + skipped;
  return {first, count};
}

void reply_range(CommandContext& ctx, ArgReader& args, RangeBy by, Direction direction) {
  const auto key = args.take<Key>();
  RangeRequest request{.by = by, .direction = direction};
  take_range(args, request);
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const RankRange range = value ? resolve(request, *value) : RankRange();
  MemberReply reply(ctx.reply(), request.with_scores);
  reply.begin(range.count);
  if (range.count == 0) return;
  if (CollectionReply::serves(ctx.reply(), value->tree(), range.count)) {
    const RangeScores scores = !request.with_scores  ? RangeScores::kNone
                               : ctx.reply().resp3() ? RangeScores::kNested
                                                     : RangeScores::kFlat;
    const size_t rank = request.down() ? range.first + range.count - 1 : range.first;
    return ctx.reply().source(
        range_reply(ctx.services().store, *value->tree(), rank, range.count, request.down(), scores));
  }
  value->visit(range, request.down(), [&](Bytes member, double score) { reply.member(member, score); });
}

void reply_count(CommandContext& ctx, ArgReader& args, RangeBy by) {
  const auto key = args.take<Key>();
  RangeRequest request{.by = by, .direction = Direction::kUp};
  take_range(args, request);
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(value ? static_cast<int64_t>(resolve(request, *value).count) : 0);
}

void remove_range(CommandContext& ctx, ArgReader& args, RangeBy by, Event event) {
  const auto key = args.take<Key>();
  RangeRequest request{.by = by, .direction = Direction::kUp};
  take_range(args, request);
  if (!args.done(ctx.reply())) return;
  auto value = ctx.keys().edit<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const RankRange range = value ? resolve(request, *value) : RankRange();
  if (range.count > 0) {
    value->remove(range);
    tell_removal(ctx, key, *value, event, range.count);
  }
  ctx.reply().integer(static_cast<int64_t>(range.count));
}

}  // namespace

namespace zset_commands {

void zrange(CommandContext& ctx, ArgReader& args) { reply_range(ctx, args, RangeBy::kUnsaid, Direction::kUnsaid); }
void zrevrange(CommandContext& ctx, ArgReader& args) { reply_range(ctx, args, RangeBy::kIndex, Direction::kDown); }
void zrangebyscore(CommandContext& ctx, ArgReader& args) { reply_range(ctx, args, RangeBy::kScore, Direction::kUp); }
void zrevrangebyscore(CommandContext& ctx, ArgReader& args) {
  reply_range(ctx, args, RangeBy::kScore, Direction::kDown);
}
void zrangebylex(CommandContext& ctx, ArgReader& args) { reply_range(ctx, args, RangeBy::kLex, Direction::kUp); }
void zrevrangebylex(CommandContext& ctx, ArgReader& args) { reply_range(ctx, args, RangeBy::kLex, Direction::kDown); }

void zcount(CommandContext& ctx, ArgReader& args) { reply_count(ctx, args, RangeBy::kScore); }
void zlexcount(CommandContext& ctx, ArgReader& args) { reply_count(ctx, args, RangeBy::kLex); }

void zremrangebyrank(CommandContext& ctx, ArgReader& args) {
  remove_range(ctx, args, RangeBy::kIndex, Event::kZRemRangeByRank);
}
void zremrangebyscore(CommandContext& ctx, ArgReader& args) {
  remove_range(ctx, args, RangeBy::kScore, Event::kZRemRangeByScore);
}
void zremrangebylex(CommandContext& ctx, ArgReader& args) {
  remove_range(ctx, args, RangeBy::kLex, Event::kZRemRangeByLex);
}

void zrangestore(CommandContext& ctx, ArgReader& args) {
  const auto [destination, source] = args.take<Key, Key>();
  RangeRequest request{.stores = true};
  take_range(args, request);
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(source);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  ZsetStructure* built = new_result(ctx);
  if (value) {
    const RankRange range = resolve(request, *value);
    built->expect(range.count);
    value->visit(range, false, [&](Bytes member, double score) { built->add_unordered(built->hashed(member), score); });
    built->put_in_order();
  }
  store_and_reply(ctx, destination, built, Event::kZRangeStore);
}

}  // namespace zset_commands
}  // namespace larder
