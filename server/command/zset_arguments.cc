#include "server/command/zset_arguments.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "server/command/overwriting.h"
#include "server/config/settings.h"

namespace larder {
namespace {

// As C reads a number, which is what Redis does with bounds: white space in front, nothing at all as 0, and what is too
// large as infinity. False: something else follows, or it is no number.
bool parse_bound_leniently(Bytes text, double* bound) {
  const std::string terminated(text);
  char* end = nullptr;
  *bound = std::strtod(terminated.c_str(), &end);
  return *end == '\0' && !std::isnan(*bound);
}

bool parse_score_bound(Bytes text, double* bound, bool* exclusive) {
  *exclusive = !text.empty() && text[0] == '(';
  if (*exclusive) text.remove_prefix(1);
  if (const auto value = parse_double(text)) {
    *bound = *value;
    return true;
  }
  return parse_bound_leniently(text, bound);
}

bool parse_lex_bound(Bytes text, LexBound* bound) {
  if (text == "-" || text == "+") {
    bound->kind = text == "-" ? LexBound::Kind::kLeast : LexBound::Kind::kGreatest;
    return true;
  }
  if (text.empty() || (text[0] != '(' && text[0] != '[')) return false;
  *bound = {LexBound::Kind::kBytes, text[0] == '(', text.substr(1)};
  return true;
}

}  // namespace

ErrorText parse_score_range(Bytes min, Bytes max, ScoreRange* range) {
  if (!parse_score_bound(min, &range->min, &range->min_exclusive)) return kMinMaxNotFloat;
  if (!parse_score_bound(max, &range->max, &range->max_exclusive)) return kMinMaxNotFloat;
  return {};
}

ErrorText parse_lex_range(Bytes min, Bytes max, LexRange* range) {
  if (!parse_lex_bound(min, &range->min) || !parse_lex_bound(max, &range->max)) return kMinMaxNotString;
  return {};
}

RankRange resolve_indexes(int64_t start, int64_t stop, size_t size, bool reversed) {
  const auto members = static_cast<int64_t>(size);
  if (start < 0) start = std::max<int64_t>(start + members, 0);
  if (stop < 0) stop += members;
  stop = std::min(stop, members - 1);
  if (start > stop) return {};
  const auto count = static_cast<size_t>(stop - start + 1);
  return {static_cast<size_t>(reversed ? members - 1 - stop : start), count};
}

ZsetLimits zset_limits(CommandContext& ctx) {
  const Settings& settings = ctx.services().settings;
  return {static_cast<size_t>(settings.zset_max_listpack_entries),
          static_cast<size_t>(settings.zset_max_listpack_value_bytes)};
}

ZsetStructure* new_result(CommandContext& ctx) {
  return create_structure<ZsetStructure>(ctx.services().store.structure_resources());
}

void put_and_reply_count(CommandContext& ctx, Key key, std::span<const ScoredBytes> members, const ZsetRule& rule,
                         bool counts_updates) {
  auto value = ctx.keys().edit_or_create<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const ZsetLimits limits = zset_limits(ctx);
  int64_t added = 0;
  int64_t updated = 0;
  for (const auto& [score, member] : members) {
    const ZsetPut put = value->put(member, score, rule, limits);
    added += put.outcome == ZsetOutcome::kAdded;
    updated += put.outcome == ZsetOutcome::kUpdated;
  }
  if (added + updated > 0) ctx.changed(key.bytes, Event::kZAdd, static_cast<uint64_t>(added + updated));
  ctx.reply().integer(counts_updates ? added + updated : added);
}

void store_and_reply(CommandContext& ctx, Key destination, ZsetStructure* built, Event event, uint64_t changes) {
  const size_t members = built->size();
  const Overwriting overwriting(ctx, destination);
  const bool replaced = ctx.keys().erase(destination);
  if (members == 0) {
    destroy_structure(built);
    if (replaced) ctx.changed(destination.bytes, Event::kDel);
  } else {
    ctx.keys().edit_or_create<ZsetValue>(destination)->assign(built, zset_limits(ctx));
    ctx.changed(destination.bytes, event, changes);
  }
  ctx.reply().integer(static_cast<int64_t>(members));
}

}  // namespace larder
