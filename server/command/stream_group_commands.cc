// Consumer groups: making and moving them, their consumers, and what is pending.

#include <algorithm>

#include "server/command/help_reply.h"
#include "server/command/stream_arguments.h"
#include "server/command/stream_effects.h"
#include "server/command/stream_handlers.h"
#include "server/command/stream_reply.h"
#include "storage/stream_value.h"

namespace larder {
namespace {

// The options behind XGROUP CREATE and SETID.
struct GroupOptions {
  bool make_stream = false;
  int64_t entries_read = kEntriesReadUnknown;
};

// False: the error is written.
bool take_group_options(CommandContext& ctx, ArgReader& args, bool may_make_stream, GroupOptions* options) {
  while (!args.at_end()) {
    if (may_make_stream && args.take_word("MKSTREAM")) {
      options->make_stream = true;
    } else if (args.remaining() >= 2 && args.take_word("ENTRIESREAD")) {
      options->entries_read = args.take_int(kEntriesReadUnknown, INT64_MAX, kEntriesReadNegative);
    } else {
      ctx.reply().error(Bytes(subcommand_syntax_error("xgroup", ctx.argv()[1])));
      return false;
    }
    if (!args.ok()) {
      ctx.reply().error(args.error());
      return false;
    }
  }
  return true;
}

// The ID that a group is to start behind: `$` is the end of the stream as it is.
bool read_group_id(Bytes text, const StreamStructure* stream, StreamId* id) {
  if (text != "$") return parse_stream_id(text, id);
  *id = stream != nullptr ? stream->last_id() : StreamId{};
  return true;
}

// The stream that a subcommand of XGROUP works on. Null: the error is written.
StreamStructure* edit_stream(CommandContext& ctx, Key key) {
  const auto value = ctx.keys().edit<StreamValue>(key);
  if (value) return &value->stream();
  ctx.reply().error(value.wrong_type() ? kWrongType : kGroupNeedsKey);
  return nullptr;
}

// The same with the group, which must exist.
StreamGroup* edit_group(CommandContext& ctx, Key key, Bytes name, StreamStructure** stream) {
  *stream = edit_stream(ctx, key);
  if (*stream == nullptr) return nullptr;
  StreamGroup* group = (*stream)->find_group(name);
  if (group == nullptr) ctx.reply().error(Bytes(no_group_for_key_error(key.bytes, name)));
  return group;
}

// ---- XPENDING

struct PendingRequest {
  bool summary = true;
  int64_t idle_ms_min = 0;
  StreamId first;
  StreamId last;
  int64_t count_max = 0;
  bool of_consumer = false;
  Bytes consumer;
};

// key and group are taken already. False: the error is written.
bool take_pending_request(CommandContext& ctx, ArgReader& args, PendingRequest* request) {
  if (args.at_end()) return true;
  request->summary = false;
  if (args.remaining() < 3 || args.remaining() > 6) args.fail(kSyntax);
  if (args.ok() && args.take_word("IDLE")) {
    request->idle_ms_min = args.take<int64_t>();
    if (args.ok() && args.remaining() < 3) args.fail(kSyntax);
  }
  const auto bounds = args.take_many(2);
  request->count_max = args.take<int64_t>();  // judged before the bounds
  if (args.ok()) args.fail(parse_interval_bound(bounds[0], IntervalEnd::kStart, &request->first));
  if (args.ok()) args.fail(parse_interval_bound(bounds[1], IntervalEnd::kEnd, &request->last));
  if (args.ok() && !args.at_end()) {
    request->of_consumer = true;
    request->consumer = args.take<Bytes>();
    args.rest();  // one more argument is let pass, as in Redis
  }
  return args.done(ctx.reply());
}

void reply_pending_summary(ReplyWriter& reply, const StreamGroup& group) {
  reply.array(4);
  const auto& pending = group.pending();
  reply.integer(static_cast<int64_t>(pending.size()));
  if (pending.empty()) {
    reply.null();
    reply.null();
    return reply.null_array();
  }
  reply_stream_id(reply, pending.first().id());
  reply_stream_id(reply, pending.last().id());
  const auto mark = reply.begin_deferred(group.consumers().size());
  size_t count = 0;
  for (const StreamConsumer* consumer : group.consumers()) {
    if (consumer->pending.empty()) continue;
    count++;
    reply.array(2);
    reply.bulk(consumer->name);
    reply.bulk_integer(static_cast<int64_t>(consumer->pending.size()));
  }
  reply.end_deferred_array(mark, count);
}

// Collects the pending entries that a request asks for.
class PendingList {
 public:
  PendingList(ReplyWriter& reply, const PendingRequest& request, int64_t now_ms)
      : reply_(reply), request_(request), now_ms_(now_ms), mark_(reply.begin_deferred()) {}

  bool wants(StreamId id) const { return count_ < request_.count_max && id <= request_.last; }
  void add(StreamId id, const StreamPending& pending) {
    const int64_t idle_ms = now_ms_ - pending.delivered_ms;
    if (request_.idle_ms_min != 0 && idle_ms < request_.idle_ms_min) return;
    count_++;
    reply_.array(4);
    reply_stream_id(reply_, id);
    reply_.bulk(pending.consumer->name);
    reply_.integer(std::max(idle_ms, int64_t{0}));
    reply_.integer(static_cast<int64_t>(pending.deliveries));
  }
  void end() { reply_.end_deferred_array(mark_, static_cast<size_t>(count_)); }

 private:
  ReplyWriter& reply_;
  const PendingRequest& request_;
  int64_t now_ms_;
  ReplyWriter::Mark mark_;
  int64_t count_ = 0;
};

void reply_pending_list(CommandContext& ctx, const StreamGroup& group, const PendingRequest& request) {
  const StreamConsumer* consumer = request.of_consumer ? group.find_consumer(request.consumer) : nullptr;
  if (request.of_consumer && consumer == nullptr) return ctx.reply().empty_array();
  PendingList list(ctx.reply(), request, ctx.now_ms());
  if (consumer != nullptr) {
    for (auto at = consumer->pending.at_or_after(request.first); at && list.wants(at.id()); at.next()) {
      list.add(at.id(), *group.find_pending(at.id()));
    }
  } else {
    for (auto at = group.pending().at_or_after(request.first); at && list.wants(at.id()); at.next()) {
      list.add(at.id(), at.value());
    }
  }
  list.end();
}

}  // namespace

namespace stream_commands {

void xgroup_create(CommandContext& ctx, ArgReader& args) {
  const auto [key, name, id_text] = args.take<Key, Bytes, Bytes>();
  GroupOptions options;
  if (!take_group_options(ctx, args, true, &options)) return;
  auto value = ctx.keys().edit_or_create<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (!value->exists() && !options.make_stream) return ctx.reply().error(kGroupNeedsKey);
  StreamId id;
  if (!read_group_id(id_text, value->exists() ? &value->stream() : nullptr, &id)) {
    return ctx.reply().error(kInvalidStreamId);
  }
  const bool is_new = !value->exists();
  StreamStructure& stream = value->stream_or_create();
  if (stream.find_group(name) != nullptr) return ctx.reply().error(kGroupExists);
  stream.create_group(name, id, options.entries_read);
  if (is_new) {
    ctx.changed(key.bytes, Event::kXGroupCreate);
  } else {
    ctx.groups_changed(key.bytes, Event::kXGroupCreate);
  }
  ctx.reply().ok();
}

void xgroup_setid(CommandContext& ctx, ArgReader& args) {
  const auto [key, name, id_text] = args.take<Key, Bytes, Bytes>();
  GroupOptions options;
  if (!take_group_options(ctx, args, false, &options)) return;
  StreamStructure* stream;
  StreamGroup* group = edit_group(ctx, key, name, &stream);
  if (group == nullptr) return;
  StreamId id;
  // Here, unlike in CREATE, `-` and `+` are welcome; a "(" is not.
  const bool is_edge = id_text == "-" || id_text == "+";
  if (is_edge) id = id_text == "-" ? kStreamIdMin : kStreamIdMax;
  if (!is_edge && !read_group_id(id_text, stream, &id)) return ctx.reply().error(kInvalidStreamId);
  group->last_id = id;
  group->entries_read = options.entries_read;
  ctx.groups_changed(key.bytes, Event::kXGroupSetId);
  ctx.reply().ok();
}

void xgroup_destroy(CommandContext& ctx, ArgReader& args) {
  const auto [key, name] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  StreamStructure* stream = edit_stream(ctx, key);
  if (stream == nullptr) return;
  StreamGroup* group = stream->find_group(name);
  if (group == nullptr) return ctx.reply().integer(0);
  stream->erase_group(group);
  ctx.groups_changed(key.bytes, Event::kXGroupDestroy);
  ctx.reply().integer(1);
}

void xgroup_createconsumer(CommandContext& ctx, ArgReader& args) {
  const auto [key, name, consumer] = args.take<Key, Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  StreamStructure* stream;
  StreamGroup* group = edit_group(ctx, key, name, &stream);
  if (group == nullptr) return;
  if (group->find_consumer(consumer) != nullptr) return ctx.reply().integer(0);
  group->create_consumer(consumer, ctx.now_ms());
  ctx.groups_changed(key.bytes, Event::kXGroupCreateConsumer);
  ctx.reply().integer(1);
}

void xgroup_delconsumer(CommandContext& ctx, ArgReader& args) {
  const auto [key, name, consumer_name] = args.take<Key, Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  StreamStructure* stream;
  StreamGroup* group = edit_group(ctx, key, name, &stream);
  if (group == nullptr) return;
  StreamConsumer* consumer = group->find_consumer(consumer_name);
  if (consumer == nullptr) return ctx.reply().integer(0);
  const size_t pending = consumer->pending.size();
  group->erase_consumer(consumer);
  ctx.groups_changed(key.bytes, Event::kXGroupDelConsumer);
  ctx.reply().integer(static_cast<int64_t>(pending));
}

void xack(CommandContext& ctx, ArgReader& args) {
  const auto [key, name] = args.take<Key, Bytes>();
  auto value = ctx.keys().edit_and_count<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  StreamGroup* group = value ? value->stream().find_group(name) : nullptr;
  if (group == nullptr) return ctx.reply().integer(0);
  // All or nothing: a bad ID behind good ones acknowledges none of them.
  const auto texts = args.rest();
  StreamId id;
  for (const Bytes text : texts) {
    if (!parse_stream_id(text, &id)) return ctx.reply().error(kInvalidStreamId);
  }
  int64_t acknowledged = 0;
  for (const Bytes text : texts) {
    const bool valid = parse_stream_id(text, &id);
    LARDER_ASSERT(valid);
    if (group->acknowledge(id)) acknowledged++;
  }
  if (acknowledged > 0) ctx.groups_changed(key.bytes, Event::kQuiet, static_cast<uint64_t>(acknowledged));
  ctx.reply().integer(acknowledged);
}

void xpending(CommandContext& ctx, ArgReader& args) {
  const auto [key, name] = args.take<Key, Bytes>();
  PendingRequest request;
  if (!take_pending_request(ctx, args, &request)) return;
  const auto value = ctx.keys().read<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const StreamGroup* group = value ? value->stream().find_group(name) : nullptr;
  if (group == nullptr) return ctx.reply().error(Bytes(no_group_error(key.bytes, name)));
  if (request.summary) return reply_pending_summary(ctx.reply(), *group);
  reply_pending_list(ctx, *group, request);
}

}  // namespace stream_commands
}  // namespace larder
