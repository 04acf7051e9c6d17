// Walking the keyspace: KEYS, SCAN and RANDOMKEY.

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "base/glob.h"
#include "base/number_text.h"
#include "server/command/generic_handlers.h"
#include "server/command/member_scan.h"
#include "server/command/value_type_name.h"

namespace larder {
namespace {

// SCAN's filters. What a step visits counts whether or not it passes.
struct ScanFilter {
  Bytes pattern = "*";
  std::optional<Bytes> type;  // nothing: any
  int64_t count = 10;

  bool passes(const Entry& entry) const {
    if (type && !equals_ignore_case(*type, value_type_name(entry.type()))) return false;
    return pattern == "*" || glob_match(pattern, entry.key());
  }
};

ScanFilter read_filter(ArgReader& args) {
  ScanFilter filter;
  while (args.ok() && !args.at_end()) {
    if (args.take_word("MATCH")) {
      filter.pattern = args.take<Bytes>();
    } else if (args.take_word("COUNT")) {
      filter.count = args.take<int64_t>();
      if (filter.count < 1) args.fail(kSyntax);
    } else if (args.take_word("TYPE")) {
      filter.type = args.take<Bytes>();
    } else {
      args.fail(kSyntax);
    }
  }
  return filter;
}

// Steps through the keyspace until `count` keys were visited, and collects those that pass. Steps that meet few or no
// keys are bounded too, so that a call stays short when most of the table is empty. Returns the next cursor.
uint64_t collect_keys(CommandContext& ctx, uint64_t cursor, const ScanFilter& filter, std::vector<Bytes>& found) {
  constexpr int64_t kStepsPerKeyMax = 10;
  int64_t visited = 0;
  int64_t steps_left = std::min(filter.count, std::numeric_limits<int64_t>::max() / kStepsPerKeyMax) * kStepsPerKeyMax;
  do {
    cursor = ctx.keys().keyspace().scan(cursor, ctx.now_ms(), [&](const Entry& entry) {
      ++visited;
      if (filter.passes(entry)) found.push_back(entry.key());
    });
  } while (cursor != 0 && visited < filter.count && --steps_left > 0);
  return cursor;
}

}  // namespace

namespace generic_commands {

void keys(CommandContext& ctx, ArgReader& args) {
  const auto pattern = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  ReplyWriter& reply = ctx.reply();
  if (glob_is_literal(pattern)) {
    const Entry* entry = ctx.keys().find(Key{pattern});
    reply.array(entry != nullptr ? 1 : 0);
    if (entry != nullptr) reply.bulk(pattern);
    return;
  }
  const bool takes_all = pattern == "*";
  const Keyspace& keyspace = ctx.keys().keyspace();
  const auto mark = reply.begin_deferred(keyspace.size());
  size_t count = 0;
  keyspace.for_each([&](const Entry& entry) {
    if (entry.is_expired(ctx.now_ms())) return;
    if (!takes_all && !glob_match(pattern, entry.key())) return;
    reply.bulk(entry.key());
    ++count;
  });
  reply.end_deferred_array(mark, count);
}

void scan(CommandContext& ctx, ArgReader& args) {
  const uint64_t cursor = take_scan_cursor(args);
  const ScanFilter filter = read_filter(args);
  if (!args.done(ctx.reply())) return;
  std::vector<Bytes> found;  // keys in their entries: nothing changes before they are in the reply
  const uint64_t next_cursor = collect_keys(ctx, cursor, filter, found);
  ctx.reply().array(2);
  char digits[kInt64TextBytesMax];
  ctx.reply().bulk({digits, write_uint64(digits, next_cursor)});
  ctx.reply().array(found.size());
  for (const Bytes key : found) ctx.reply().bulk(key);
}

void randomkey(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const Entry* entry = ctx.keys().keyspace().random_entry(ctx.services().random, ctx.now_ms());
  if (entry == nullptr) return ctx.reply().null();
  ctx.reply().bulk(entry->key());
}

}  // namespace generic_commands
}  // namespace larder
