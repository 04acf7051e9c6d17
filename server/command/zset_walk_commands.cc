// Members in no order: ZSCAN and ZRANDMEMBER.

#include <algorithm>
#include <utility>
#include <vector>

#include "server/command/member_scan.h"
#include "server/command/random_sample.h"
#include "server/command/zset_arguments.h"
#include "server/command/zset_handlers.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

// `count` different ranks below `size`, in a random order. Requires: count < size.
std::vector<size_t> sample_ranks(size_t size, size_t count, Random& random) {
  std::vector<size_t> ranks;
  ranks.reserve(count);
  if (count > size / 3) {
    IndexSample sample(size, count, random);
    for (size_t rank = 0; rank < size; rank++) {
      if (sample.takes_next()) ranks.push_back(rank);
    }
  } else {
    // Rounds of draws; a round leaves less than a third of what it drew as repetitions.
    while (ranks.size() < count) {
      for (size_t missing = count - ranks.size(); missing > 0; missing--) ranks.push_back(random.uniform(size));
      std::sort(ranks.begin(), ranks.end());
      ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    }
  }
  for (size_t i = ranks.size(); i > 1; i--) std::swap(ranks[i - 1], ranks[random.uniform(i)]);
  return ranks;
}

void reply_draws(CommandContext& ctx, const ZsetValue& value, int64_t count, bool with_scores) {
  MemberReply reply(ctx.reply(), with_scores);
  Random& random = ctx.services().random;
  const auto write = [&](Bytes member, double score) { reply.member(member, score); };
  const size_t size = value.size();
  if (count < 0) {
    reply.begin(static_cast<size_t>(-count));
    for (; count < 0; count++) value.visit({random.uniform(size), 1}, false, write);
  } else if (static_cast<uint64_t>(count) >= size) {
    reply.begin(size);
    value.visit_all(write);
  } else {
    reply.begin(static_cast<size_t>(count));
    for (const size_t rank : sample_ranks(size, static_cast<size_t>(count), random)) {
      value.visit({rank, 1}, false, write);
    }
  }
}

}  // namespace

namespace zset_commands {

void zscan(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const uint64_t cursor = take_scan_cursor(args);
  if (!args.ok()) return ctx.reply().error(args.error());
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing()) return reply_empty_scan(ctx.reply());
  const MemberScanOptions options = take_scan_options(args, Bytes("NOSCORES"));
  if (!args.done(ctx.reply())) return;
  // The cursor goes out before the members and is known after them.
  std::vector<ScoredBytes> found;
  KeptMembers kept(*value);
  const uint64_t next_cursor = scan_steps(cursor, options.count, [&](uint64_t from, int64_t* visited) {
    return value->scan(from, [&](Bytes member, double score) {
      ++*visited;
      if (options.passes(member)) found.push_back({score, kept.keep(member)});
    });
  });
  reply_scan_cursor(ctx.reply(), next_cursor);
  ctx.reply().array(options.no_values ? found.size() : 2 * found.size());
  for (const auto& [score, member] : found) {
    ctx.reply().bulk(member);
    if (!options.no_values) ctx.reply().bulk_double(score);
  }
}

void zrandmember(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const bool has_count = !args.at_end();
  const int64_t count = has_count ? take_sample_count(args) : 1;
  const bool with_scores = args.ok() && args.take_word("WITHSCORES");
  if (with_scores && args.at_end() && count > INT64_MAX / 2) args.fail(kOutOfRange);
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (has_count) {
    if (value.missing() || count == 0) return ctx.reply().empty_array();
    return reply_draws(ctx, *value, count, with_scores);
  }
  if (value.missing()) return ctx.reply().null();
  value->visit({ctx.services().random.uniform(value->size()), 1}, false,
               [&](Bytes member, double) { ctx.reply().bulk(member); });
}

}  // namespace zset_commands
}  // namespace larder
