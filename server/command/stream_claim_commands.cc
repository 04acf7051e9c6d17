// XCLAIM and XAUTOCLAIM: pending entries go over to another consumer.
//
// Both are repeated elsewhere by their effect, entry by entry, because what they do depends on the time. An entry that was
// deleted from the stream meanwhile stops being pending when one of them meets it.

#include <algorithm>
#include <string>
#include <vector>

#include "server/command/stream_arguments.h"
#include "server/command/stream_effects.h"
#include "server/command/stream_handlers.h"
#include "server/command/stream_reply.h"
#include "storage/stream_value.h"

namespace larder {
namespace {

struct ClaimOptions {
  int64_t idle_ms_min = 0;
  int64_t delivered_ms = -1;  // IDLE or TIME, wall clock; negative: now
  int64_t deliveries = -1;    // RETRYCOUNT; negative: one more than there were
  bool force = false;
  bool just_ids = false;
  StreamId last_id;
};

int64_t take_claim_number(ArgReader& args, ErrorText error) {
  return args.take_int(INT64_MIN, INT64_MAX, error, error);
}

// The words behind XCLAIM's IDs. False: the error is written.
bool take_claim_options(CommandContext& ctx, ArgReader& args, ClaimOptions* options) {
  while (args.ok() && !args.at_end()) {
    const bool has_argument = args.remaining() >= 2;
    if (args.take_word("FORCE")) {
      options->force = true;
    } else if (args.take_word("JUSTID")) {
      options->just_ids = true;
    } else if (has_argument && args.take_word("IDLE")) {
      // Unsigned: a hostile number wraps, and is found to be out of range later.
      const auto idle_ms = static_cast<uint64_t>(take_claim_number(args, kClaimIdle));
      options->delivered_ms = static_cast<int64_t>(static_cast<uint64_t>(ctx.now_ms()) - idle_ms);
    } else if (has_argument && args.take_word("TIME")) {
      options->delivered_ms = take_claim_number(args, kClaimTime);
    } else if (has_argument && args.take_word("RETRYCOUNT")) {
      options->deliveries = take_claim_number(args, kClaimRetryCount);
    } else if (has_argument && args.take_word("LASTID")) {
      options->last_id = take_stream_id(args);
    } else {
      ctx.reply().error(Bytes("ERR Unrecognized XCLAIM option '" + std::string(args.peek()) + "'"));
      return false;
    }
  }
  return args.done(ctx.reply());
}

// The group of a claim; null when the error is written.
StreamGroup* edit_claimed_group(CommandContext& ctx, const Lookup<StreamValue>& value, Bytes key, Bytes name) {
  if (value.wrong_type()) {
    ctx.reply().error(kWrongType);
    return nullptr;
  }
  StreamGroup* group = value ? value->stream().find_group(name) : nullptr;
  if (group == nullptr) ctx.reply().error(Bytes(no_group_error(key, name)));
  return group;
}

// An entry that is in no stream any more.
void forget_entry(CommandContext& ctx, Bytes key, StreamGroup* group, StreamId id) {
  if (group->acknowledge(id)) {
    propagate_acknowledge(ctx, key, *group, id);
    ctx.groups_changed(key, Event::kQuiet);
  }
}

// One ID of XCLAIM. Returns whether the entry is the consumer's now.
bool claim_entry(CommandContext& ctx, Bytes key, const StreamStructure& stream, StreamGroup* group,
                 StreamConsumer* consumer, StreamId id, const ClaimOptions& options) {
  // While a log is loaded it says what was pending, entries that are deleted included.
  const bool loads = options.just_ids && ctx.services().store.expiry_mode() == ExpiryMode::kKeep;
  if (!stream.contains(id) && !loads) {
    forget_entry(ctx, key, group, id);
    return false;
  }
  const StreamPending* pending = group->find_pending(id);
  if (pending == nullptr && !options.force) return false;
  if (pending != nullptr && options.idle_ms_min > 0 && ctx.now_ms() - pending->delivered_ms < options.idle_ms_min) {
    return false;
  }
  uint64_t deliveries = pending != nullptr ? pending->deliveries : 1;
  if (options.deliveries >= 0) {
    deliveries = static_cast<uint64_t>(options.deliveries);
  } else if (!options.just_ids) {
    deliveries++;
  }
  group->assign(id, consumer, options.delivered_ms, deliveries);
  consumer->active_ms = ctx.now_ms();
  return true;
}

}  // namespace

namespace stream_commands {

void xclaim(CommandContext& ctx, ArgReader& args) {
  const auto [key, name, consumer_name] = args.take<Key, Bytes, Bytes>();
  const auto value = ctx.keys().edit_and_count<StreamValue>(key);
  StreamGroup* group = edit_claimed_group(ctx, value, key.bytes, name);
  if (group == nullptr) return;
  ClaimOptions options;
  options.idle_ms_min = take_claim_number(args, kClaimMinIdle);
  if (!args.ok()) return ctx.reply().error(args.error());
  std::vector<StreamId> ids;
  for (StreamId id; !args.at_end() && parse_stream_id(args.peek(), &id); args.skip()) ids.push_back(id);
  if (!take_claim_options(ctx, args, &options)) return;
  // Clients compute times with clocks of their own: one that makes no sense here counts as now.
  if (options.delivered_ms < 0 || options.delivered_ms > ctx.now_ms()) options.delivered_ms = ctx.now_ms();

  ctx.propagate_nothing();
  const StreamStructure& stream = value->stream();
  bool moved = options.last_id > group->last_id;
  if (moved) group->last_id = options.last_id;
  StreamConsumer* consumer = find_or_create_consumer(ctx, key.bytes, group, consumer_name);
  consumer->seen_ms = ctx.now_ms();
  const auto mark = ctx.reply().begin_deferred(ids.size());
  size_t count = 0;
  for (const StreamId id : ids) {
    if (!claim_entry(ctx, key.bytes, stream, group, consumer, id, options)) continue;
    count++;
    if (options.just_ids) {
      reply_stream_id(ctx.reply(), id);
    } else {
      reply_stream_entry_at(ctx.reply(), stream, id);
    }
    propagate_claim(ctx, key.bytes, *group, id);  // tells the group's last ID too
    moved = false;
  }
  if (moved) propagate_group_position(ctx, key.bytes, *group);
  if (moved || count > 0) ctx.groups_changed(key.bytes, Event::kQuiet);
  ctx.reply().end_deferred_array(mark, count);
}

void xautoclaim(CommandContext& ctx, ArgReader& args) {
  constexpr int64_t kAttemptsPerEntry = 10;
  constexpr int64_t kCountMax = INT64_MAX / 16;
  const auto [key, name, consumer_name] = args.take<Key, Bytes, Bytes>();
  const int64_t idle_ms_min = take_claim_number(args, kAutoClaimMinIdle);
  StreamId first;
  take_interval_bound(args, IntervalEnd::kStart, &first);
  int64_t count_left = 100;
  bool just_ids = false;
  while (args.ok() && !args.at_end()) {
    if (args.remaining() >= 2 && args.take_word("COUNT")) {
      count_left = args.take_int(1, kCountMax, kAutoClaimCount, kAutoClaimCount);
    } else if (args.take_word("JUSTID")) {
      just_ids = true;
    } else {
      args.fail(kSyntax);
    }
  }
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().edit_and_count<StreamValue>(key);
  StreamGroup* group = edit_claimed_group(ctx, value, key.bytes, name);
  if (group == nullptr) return;

  ctx.propagate_nothing();
  const StreamStructure& stream = value->stream();
  StreamConsumer* consumer = find_or_create_consumer(ctx, key.bytes, group, consumer_name);
  consumer->seen_ms = ctx.now_ms();
  std::vector<StreamId> claimed;
  std::vector<StreamId> gone;
  StreamId next = first;  // where the next call is to begin
  bool more = false;
  for (int64_t attempts_left = count_left * kAttemptsPerEntry;; attempts_left--) {
    const auto cursor = group->pending().at_or_after(next);
    more = static_cast<bool>(cursor);
    if (more) next = cursor.id();
    if (!more || attempts_left == 0 || count_left == 0) break;
    const StreamPending& pending = cursor.value();
    const StreamId id = next;
    if (!stream.contains(id)) {
      forget_entry(ctx, key.bytes, group, id);
      gone.push_back(id);
      count_left--;
    } else if (idle_ms_min <= 0 || ctx.now_ms() - pending.delivered_ms >= idle_ms_min) {
      group->assign(id, consumer, ctx.now_ms(), pending.deliveries + (just_ids ? 0 : 1));
      consumer->active_ms = ctx.now_ms();
      propagate_claim(ctx, key.bytes, *group, id);
      claimed.push_back(id);
      count_left--;
    }
    more = next.increment();
    if (!more) break;
  }
  if (!claimed.empty()) ctx.groups_changed(key.bytes, Event::kQuiet);

  ReplyWriter& reply = ctx.reply();
  reply.array(3);
  reply_stream_id(reply, more ? next : StreamId{});
  reply.array(claimed.size());
  for (const StreamId id : claimed) {
    if (just_ids) {
      reply_stream_id(reply, id);
    } else {
      reply_stream_entry_at(reply, stream, id);
    }
  }
  reply.array(gone.size());
  for (const StreamId id : gone) reply_stream_id(reply, id);
}

}  // namespace stream_commands
}  // namespace larder
