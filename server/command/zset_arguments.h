#pragma once

// What the commands of sorted sets, and those of places on earth on top of them, have in common: bounds of ranges as
// arguments, members with scores as replies, and storing a result.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "protocol/arg_reader.h"
#include "server/core/context.h"
#include "server/core/events.h"
#include "storage/zset_value.h"

namespace larder {

// "min or max is not a float" when it is none. `min` and `max` as ZRANGEBYSCORE takes them: "1.5", "(1.5", "-inf".
ErrorText parse_score_range(Bytes min, Bytes max, ScoreRange* range);
// "min or max not valid string range item". As ZRANGEBYLEX takes them: "[text", "(text", "-", "+".
ErrorText parse_lex_range(Bytes min, Bytes max, LexRange* range);
// The ranks that ZRANGE's two indexes name, negative from the end; with `reversed` they count from the end downwards.
RankRange resolve_indexes(int64_t start, int64_t stop, size_t size, bool reversed);

ZsetLimits zset_limits(CommandContext& ctx);

// How a command's members are written: alone, or each with its score, which RESP3 makes a pair.
class MemberReply {
 public:
  MemberReply(ReplyWriter& reply, bool with_scores) : reply_(reply), with_scores_(with_scores) {}
  // The header for `count` members.
  void begin(size_t count) { reply_.array(with_scores_ && !reply_.resp3() ? 2 * count : count); }
  void member(Bytes bytes, double score) {
    if (!with_scores_) return reply_.bulk(bytes);
    if (reply_.resp3()) reply_.array(2);
    reply_.bulk(bytes);
    reply_.double_value(score);
  }

 private:
  ReplyWriter& reply_;
  bool with_scores_;
};

struct ScoredBytes {
  double score;
  Bytes member;
};
// ZADD: puts the members into the set, tells it, and replies how many are new, or with `counts_updates` how many are
// new or have another score.
void put_and_reply_count(CommandContext& ctx, Key key, std::span<const ScoredBytes> members, const ZsetRule& rule,
                         bool counts_updates);

// Members found in a set, to be replied after the walk: those of a large set stay where they are, others are copied.
class KeptMembers {
 public:
  explicit KeptMembers(const ZsetValue& value) : copies_(value.is_packed()) {
    if (copies_) texts_.reserve(value.size());
  }
  // Valid until the set changes or this ends. Call it once a member at most.
  Bytes keep(Bytes member) { return copies_ ? Bytes(texts_.emplace_back(member)) : member; }

 private:
  bool copies_;
  std::vector<std::string> texts_;
};

// Makes `built` the value of `destination` in place of whatever is there, or removes that if it is empty; tells the
// change, and replies how many members there are. Takes `built` over.
void store_and_reply(CommandContext& ctx, Key destination, ZsetStructure* built, Event event, uint64_t changes = 1);
// An empty set to build a result in.
ZsetStructure* new_result(CommandContext& ctx);

// Answers an array with one element for each member asked for: reply_score(score) writes it, reply_missing() that of one
// who is no member.
template <class ReplyScore, class ReplyMissing>
void reply_members(CommandContext& ctx, ArgReader& args, ReplyScore reply_score, ReplyMissing reply_missing) {
  const auto key = args.take<Key>();
  const auto members = args.rest();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().array(members.size());
  for (const Bytes member : members) {
    if (const auto score = value ? value->score(member) : std::nullopt) {
      reply_score(*score);
    } else {
      reply_missing();
    }
  }
}

}  // namespace larder
