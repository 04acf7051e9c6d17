// XINFO: what a stream is made of, its groups and their consumers.

#include <algorithm>

#include "server/command/help_reply.h"
#include "server/command/stream_effects.h"
#include "server/command/stream_handlers.h"
#include "server/command/stream_reply.h"
#include "storage/stream_value.h"

namespace larder {
namespace {

constexpr int64_t kFullCountDefault = 10;

// The stream of a key that must exist. Null: the error is written.
const StreamStructure* read_stream(CommandContext& ctx, Key key) {
  const auto value = ctx.keys().read<StreamValue>(key);
  if (value) return &value->stream();
  ctx.reply().error(value.wrong_type() ? kWrongType : kNoSuchKey);
  return nullptr;
}

void reply_count(ReplyWriter& reply, Bytes name, uint64_t count) {
  reply.bulk(name);
  reply.integer(static_cast<int64_t>(count));
}

void reply_id(ReplyWriter& reply, Bytes name, StreamId id) {
  reply.bulk(name);
  reply_stream_id(reply, id);
}

// entries-read and lag, which are null when they cannot be told.
void reply_progress(ReplyWriter& reply, const StreamStructure& stream, const StreamGroup& group) {
  reply.bulk("entries-read");
  if (group.entries_read == kEntriesReadUnknown) {
    reply.null();
  } else {
    reply.integer(group.entries_read);
  }
  reply.bulk("lag");
  const auto lag = stream.lag_of(group);
  if (lag) {
    reply.integer(*lag);
  } else {
    reply.null();
  }
}

// One end of a stream: the entry, or null in a stream without any.
void reply_edge(ReplyWriter& reply, Bytes name, const StreamStructure& stream, bool last) {
  reply.bulk(name);
  StreamEntry entry;
  if (StreamIterator(stream, kStreamIdMin, kStreamIdMax, last).next(&entry)) return reply_stream_entry(reply, entry);
  reply.null();
}

uint64_t shown(uint64_t size, uint64_t count_max) { return count_max == 0 ? size : std::min(size, count_max); }

void reply_full_consumer(ReplyWriter& reply, const StreamGroup& group, const StreamConsumer& consumer,
                         uint64_t count_max) {
  reply.map(5);
  reply.bulk("name");
  reply.bulk(consumer.name);
  reply.bulk("seen-time");
  reply.integer(consumer.seen_ms);
  reply.bulk("active-time");
  reply.integer(consumer.active_ms);
  reply_count(reply, "pel-count", consumer.pending.size());
  reply.bulk("pending");
  uint64_t left = shown(consumer.pending.size(), count_max);
  reply.array(left);
  for (auto at = consumer.pending.first(); left > 0; at.next(), left--) {
    const StreamPending& pending = *group.find_pending(at.id());
    reply.array(3);
    reply_stream_id(reply, at.id());
    reply.integer(pending.delivered_ms);
    reply.integer(static_cast<int64_t>(pending.deliveries));
  }
}

void reply_full_group(ReplyWriter& reply, const StreamStructure& stream, const StreamGroup& group, uint64_t count_max) {
  reply.map(7);
  reply.bulk("name");
  reply.bulk(group.name());
  reply_id(reply, "last-delivered-id", group.last_id);
  reply_progress(reply, stream, group);
  reply_count(reply, "pel-count", group.pending().size());
  reply.bulk("pending");
  uint64_t left = shown(group.pending().size(), count_max);
  reply.array(left);
  for (auto at = group.pending().first(); left > 0; at.next(), left--) {
    reply.array(4);
    reply_stream_id(reply, at.id());
    reply.bulk(at.value().consumer->name);
    reply.integer(at.value().delivered_ms);
    reply.integer(static_cast<int64_t>(at.value().deliveries));
  }
  reply.bulk("consumers");
  reply.array(group.consumers().size());
  for (const StreamConsumer* consumer : group.consumers()) reply_full_consumer(reply, group, *consumer, count_max);
}

// The seven facts that both forms of XINFO STREAM begin with. There is no radix tree here: its keys are the nodes, and a
// tree of n keys has at least n + 1 of its own nodes.
void reply_facts(ReplyWriter& reply, const StreamStructure& stream) {
  reply_count(reply, "length", stream.length());
  reply_count(reply, "radix-tree-keys", stream.nodes().size());
  reply_count(reply, "radix-tree-nodes", stream.nodes().size() + 1);
  reply_id(reply, "last-generated-id", stream.last_id());
  reply_id(reply, "max-deleted-entry-id", stream.max_deleted_id());
  reply_count(reply, "entries-added", stream.entries_added());
  reply_id(reply, "recorded-first-entry-id", stream.first_id());
}

void reply_full(ReplyWriter& reply, const StreamStructure& stream, uint64_t count_max) {
  reply.map(9);
  reply_facts(reply, stream);
  reply.bulk("entries");
  reply_stream_range(reply, stream, kStreamIdMin, kStreamIdMax, count_max);
  reply.bulk("groups");
  reply.array(stream.groups().size());
  for (const StreamGroup* group : stream.groups()) reply_full_group(reply, stream, *group, count_max);
}

}  // namespace

namespace stream_commands {

// The key is judged before the options.
void xinfo_stream(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  const StreamStructure* stream = read_stream(ctx, key);
  if (stream == nullptr) return;
  const bool full = !args.at_end() && args.take_word("FULL");
  int64_t count = kFullCountDefault;
  if (full && args.remaining() == 2 && args.take_word("COUNT")) {
    count = args.take<int64_t>();
    if (!args.ok()) return ctx.reply().error(args.error());
    if (count < 0) count = kFullCountDefault;
  }
  if (!args.at_end()) return ctx.reply().error(Bytes(subcommand_syntax_error("xinfo", ctx.argv()[1])));
  if (full) return reply_full(ctx.reply(), *stream, static_cast<uint64_t>(count));
  ctx.reply().map(10);
  reply_facts(ctx.reply(), *stream);
  reply_count(ctx.reply(), "groups", stream->groups().size());
  reply_edge(ctx.reply(), "first-entry", *stream, false);
  reply_edge(ctx.reply(), "last-entry", *stream, true);
}

void xinfo_groups(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const StreamStructure* stream = read_stream(ctx, key);
  if (stream == nullptr) return;
  ReplyWriter& reply = ctx.reply();
  reply.array(stream->groups().size());
  for (const StreamGroup* group : stream->groups()) {
    reply.map(6);
    reply.bulk("name");
    reply.bulk(group->name());
    reply_count(reply, "consumers", group->consumers().size());
    reply_count(reply, "pending", group->pending().size());
    reply_id(reply, "last-delivered-id", group->last_id);
    reply_progress(reply, *stream, *group);
  }
}

void xinfo_consumers(CommandContext& ctx, ArgReader& args) {
  const auto [key, name] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const StreamStructure* stream = read_stream(ctx, key);
  if (stream == nullptr) return;
  const StreamGroup* group = stream->find_group(name);
  if (group == nullptr) return ctx.reply().error(Bytes(no_group_for_key_error(key.bytes, name)));
  ReplyWriter& reply = ctx.reply();
  reply.array(group->consumers().size());
  for (const StreamConsumer* consumer : group->consumers()) {
    reply.map(4);
    reply.bulk("name");
    reply.bulk(consumer->name);
    reply_count(reply, "pending", consumer->pending.size());
    reply.bulk("idle");
    reply.integer(std::max(ctx.now_ms() - consumer->seen_ms, int64_t{0}));
    reply.bulk("inactive");
    reply.integer(consumer->active_ms == kNeverActive ? kNeverActive
                                                      : std::max(ctx.now_ms() - consumer->active_ms, int64_t{0}));
  }
}

}  // namespace stream_commands
}  // namespace larder
