// XREAD and XREADGROUP: what is new in several streams, if need be after waiting for it.
//
// Both are executed again when they waited and something came (server/core/blocking.h). `$` and `+` mean the stream as it
// is when the request arrives, so the request that waits has the IDs in their place.
//
// XREADGROUP changes the group and the consumer. It is repeated elsewhere by its effect: the consumer if it is new, an
// XCLAIM for each entry that became pending, an XGROUP SETID for how far the group has come.

#include <algorithm>
#include <string>
#include <vector>

#include "server/command/block_timeout.h"
#include "server/command/stream_arguments.h"
#include "server/command/stream_effects.h"
#include "server/command/stream_handlers.h"
#include "server/command/stream_reply.h"
#include "storage/stream_value.h"

namespace larder {
namespace {

struct ReadRequest {
  bool by_group = false;
  bool has_group = false;  // GROUP was given
  Bytes group;
  Bytes consumer;
  bool acknowledged = false;  // NOACK
  bool blocks = false;
  int64_t deadline_ms = 0;
  uint64_t count_max = 0;  // 0: no limit
  std::span<const Bytes> keys;
  std::span<const Bytes> ids;
};

// One of the streams of a request.
struct Source {
  StreamStructure* stream = nullptr;  // null: there is no such key
  StreamGroup* group = nullptr;
  StreamId after;            // what comes behind it is wanted
  bool only_new = false;     // `>`
  bool is_relative = false;  // `$` or `+`
};

std::string unbalanced_error(const ReadRequest& request) {
  return request.by_group
             ? "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
             : "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.";
}

// The words before STREAMS, and what is behind it. False: the error is written.
bool take_request(CommandContext& ctx, ArgReader& args, ReadRequest* request) {
  while (args.ok()) {
    const bool has_argument = args.remaining() >= 2;
    if (has_argument && args.take_word("BLOCK")) {
      request->deadline_ms = take_block_timeout_ms(args, ctx.now_ms());
      request->blocks = true;
    } else if (has_argument && args.take_word("COUNT")) {
      request->count_max = static_cast<uint64_t>(std::max(args.take<int64_t>(), int64_t{0}));
    } else if (has_argument && args.take_word("STREAMS")) {
      break;
    } else if (args.remaining() >= 3 && args.take_word("GROUP")) {
      if (!request->by_group) args.fail(kGroupOnlyInXReadGroup);
      request->has_group = true;
      request->group = args.take<Bytes>();
      request->consumer = args.take<Bytes>();
    } else if (args.take_word("NOACK")) {
      if (!request->by_group) args.fail(kNoAckOnlyInXReadGroup);
      request->acknowledged = true;
    } else {
      args.fail(kSyntax);
    }
  }
  const auto streams = args.rest();
  if (!args.done(ctx.reply())) return false;
  if (streams.size() % 2 != 0) {
    ctx.reply().error(unbalanced_error(*request));
    return false;
  }
  request->keys = streams.first(streams.size() / 2);
  request->ids = streams.subspan(streams.size() / 2);
  if (request->by_group && !request->has_group) {
    ctx.reply().error(kXReadGroupWithoutGroup);
    return false;
  }
  return true;
}

// What `+` stands for: the last entry is the first one to be read.
StreamId before_last_entry(const StreamStructure& stream) {
  if (stream.length() == 0) return stream.last_id();
  StreamId id = stream.last_entry_id();
  const bool decremented = id.decrement();
  LARDER_ASSERT(decremented);  // no entry has the ID 0-0
  return id;
}

// What the request's ID means. Returns the error or an empty text.
ErrorText read_source_id(const ReadRequest& request, Bytes text, Source* source) {
  if (text == "$" || text == "+") {
    const bool end = text == "$";
    if (request.by_group) return end ? kEndInXReadGroup : kLastInXReadGroup;
    source->is_relative = true;
    if (source->stream != nullptr) source->after = end ? source->stream->last_id() : before_last_entry(*source->stream);
    return {};
  }
  if (text == ">") {
    if (!request.by_group) return kNewOnlyInXReadGroup;
    source->only_new = true;
    return {};
  }
  if (!parse_stream_id(text, &source->after)) return kInvalidStreamId;
  // Behind the largest ID there is no history: as in Redis, a group takes it for `>`.
  source->only_new = request.by_group && source->after == kStreamIdMax;
  return {};
}

std::string no_group_to_read_error(Bytes key, Bytes group) {
  return no_group_error(key, group) + " in XREADGROUP with GROUP option";
}

// The streams of the request, in its order. False: the error is written.
bool find_sources(CommandContext& ctx, const ReadRequest& request, std::vector<Source>* sources) {
  sources->resize(request.keys.size());
  for (size_t i = 0; i < request.keys.size(); i++) {
    Source& source = (*sources)[i];
    const Key key{request.keys[i]};
    const auto value =
        request.by_group ? ctx.keys().edit_and_count<StreamValue>(key) : ctx.keys().read<StreamValue>(key);
    if (value.wrong_type()) {
      ctx.reply().error(kWrongType);
      return false;
    }
    if (value) source.stream = &value->stream();
    if (request.by_group) {
      if (source.stream != nullptr) source.group = source.stream->find_group(request.group);
      if (source.group == nullptr) {
        ctx.reply().error(no_group_to_read_error(key.bytes, request.group));
        return false;
      }
    }
    const ErrorText error = read_source_id(request, request.ids[i], &source);
    if (error) {
      ctx.reply().error(error);
      return false;
    }
    if (!request.by_group && source.stream == nullptr)
      ctx.keys().read_entry(key);  // as Redis, which looks again for entries
  }
  return true;
}

// Collects the streams that have something, under a header that is written when the first one has.
class ReadReply {
 public:
  ReadReply(ReplyWriter& reply, size_t stream_count) : reply_(reply), stream_count_(stream_count) {}
  // The caller writes the array of entries next.
  void begin_stream(Bytes key) {
    if (count_++ == 0) mark_ = reply_.begin_deferred(stream_count_);
    if (!reply_.resp3()) reply_.array(2);
    reply_.bulk(key);
  }
  // False: no stream had anything, and nothing is written.
  bool end() {
    if (count_ == 0) return false;
    if (reply_.resp3()) {
      reply_.end_deferred_map(mark_, count_);
    } else {
      reply_.end_deferred_array(mark_, count_);
    }
    return true;
  }

 private:
  ReplyWriter& reply_;
  size_t stream_count_;
  size_t count_ = 0;
  ReplyWriter::Mark mark_{};
};

// Waits, or answers that there is nothing.
void wait_for_entries(CommandContext& ctx, const ReadRequest& request, const std::vector<Source>& sources) {
  if (!request.blocks) return ctx.reply().null_array();
  std::vector<Bytes> argv;
  std::vector<std::string> texts;
  if (std::any_of(sources.begin(), sources.end(), [](const Source& source) { return source.is_relative; })) {
    argv.assign(ctx.argv().begin(), ctx.argv().end());
    texts.reserve(sources.size());
    const size_t first_id = argv.size() - sources.size();
    for (size_t i = 0; i < sources.size(); i++) {
      if (!sources[i].is_relative) continue;
      texts.emplace_back(StreamIdText(sources[i].after).bytes());
      argv[first_id + i] = texts.back();
    }
  }
  ctx.block({.keys = request.keys,
             .deadline_ms = request.deadline_ms,
             .type = ValueType::kStream,
             .wakes_on_removal = request.by_group,
             .sharing = request.by_group ? WaitSharing::kGroup : WaitSharing::kEveryone,
             .group = request.group,
             .request = argv});
}

// ---- XREADGROUP

// The consumer's own pending entries from `first` on. Reading them counts as a delivery.
void reply_history(CommandContext& ctx, const Source& source, StreamConsumer* consumer, uint64_t count_max) {
  StreamId first = source.after;
  const auto mark = ctx.reply().begin_deferred(count_max);
  uint64_t count = 0;
  if (first.increment()) {
    auto cursor = consumer->pending.at_or_after(first);
    for (; cursor && (count_max == 0 || count < count_max); cursor.next(), count++) {
      if (!reply_stream_entry_at(ctx.reply(), *source.stream, cursor.id())) continue;
      const StreamPending* pending = source.group->find_pending(cursor.id());
      source.group->assign(cursor.id(), consumer, ctx.now_ms(), pending->deliveries + 1);
    }
  }
  ctx.reply().end_deferred_array(mark, count);
}

// Moves the group to an entry that is being read.
void advance_group(const StreamStructure& stream, StreamGroup* group, StreamId id) {
  if (group->entries_read != kEntriesReadUnknown && !stream.has_gap_from(id)) {
    group->entries_read++;
  } else if (stream.entries_added() > 0) {
    group->entries_read = stream.entries_added_up_to(id);
  }
  group->last_id = id;
}

// Entries that nobody in the group has got yet; they become this consumer's.
void reply_new(CommandContext& ctx, const ReadRequest& request, Bytes key, const Source& source,
               StreamConsumer* consumer) {
  StreamId first = source.group->last_id;
  const auto mark = ctx.reply().begin_deferred(request.count_max);
  uint64_t count = 0;
  if (first.increment()) {
    StreamIterator entries(*source.stream, first, kStreamIdMax);
    for (StreamEntry entry; (request.count_max == 0 || count < request.count_max) && entries.next(&entry); count++) {
      advance_group(*source.stream, source.group, entry.id);
      reply_stream_entry(ctx.reply(), entry);
      if (request.acknowledged) continue;
      source.group->assign(entry.id, consumer, ctx.now_ms(), 1);
      consumer->active_ms = ctx.now_ms();
      propagate_claim(ctx, key, *source.group, entry.id);
    }
  }
  ctx.reply().end_deferred_array(mark, count);
  if (count > 0) propagate_group_position(ctx, key, *source.group);
}

// True: something was written for this stream.
bool read_for_group(CommandContext& ctx, const ReadRequest& request, Bytes key, const Source& source,
                    ReadReply* reply) {
  StreamConsumer* consumer = find_or_create_consumer(ctx, key, source.group, request.consumer);
  consumer->seen_ms = ctx.now_ms();
  if (!source.only_new) {
    reply->begin_stream(key);
    reply_history(ctx, source, consumer, request.count_max);
    ctx.groups_changed(key, Event::kQuiet);
    return true;
  }
  const StreamStructure& stream = *source.stream;
  if (stream.length() == 0 || stream.last_entry_id() <= source.group->last_id) return false;
  reply->begin_stream(key);
  reply_new(ctx, request, key, source, consumer);
  ctx.groups_changed(key, Event::kQuiet);
  return true;
}

}  // namespace

namespace stream_commands {

void xread(CommandContext& ctx, ArgReader& args) {
  ReadRequest request;
  std::vector<Source> sources;
  if (!take_request(ctx, args, &request) || !find_sources(ctx, request, &sources)) return;
  ReadReply reply(ctx.reply(), sources.size());
  for (size_t i = 0; i < sources.size(); i++) {
    const Source& source = sources[i];
    if (source.stream == nullptr || source.stream->length() == 0) continue;
    StreamId first = source.after;
    if (first >= source.stream->last_id() || !first.increment() || source.stream->last_entry_id() < first) continue;
    reply.begin_stream(request.keys[i]);
    reply_stream_range(ctx.reply(), *source.stream, first, kStreamIdMax, request.count_max);
  }
  if (!reply.end()) wait_for_entries(ctx, request, sources);
}

void xreadgroup(CommandContext& ctx, ArgReader& args) {
  ReadRequest request;
  request.by_group = true;
  std::vector<Source> sources;
  if (!take_request(ctx, args, &request) || !find_sources(ctx, request, &sources)) return;
  ctx.propagate_nothing();
  ReadReply reply(ctx.reply(), sources.size());
  for (size_t i = 0; i < sources.size(); i++) read_for_group(ctx, request, request.keys[i], sources[i], &reply);
  if (!reply.end()) wait_for_entries(ctx, request, sources);
}

}  // namespace stream_commands
}  // namespace larder
