// The entries of a stream: adding, reading a range, deleting, trimming.
//
// XADD is repeated elsewhere with the ID that it got, and an approximate trim as the exact one that it came to: what
// `~` removes depends on how entries fell into nodes.

#include <string>
#include <vector>

#include "server/command/stream_arguments.h"
#include "server/command/stream_handlers.h"
#include "server/command/stream_reply.h"
#include "server/config/settings.h"
#include "storage/stream_value.h"

namespace larder {
namespace {

// What XADD was told about the ID.
struct WantedId {
  bool given = false;          // not "*"
  bool open_sequence = false;  // "ms-*"
  StreamId id;
};

// The ID of the next entry; false when there is none above last_id that fits.
bool choose_id(const WantedId& wanted, StreamId last_id, int64_t now_ms, StreamId* id) {
  if (wanted.given && !wanted.open_sequence) {
    *id = wanted.id;
    return *id > last_id;
  }
  const uint64_t ms = wanted.given ? wanted.id.ms : static_cast<uint64_t>(now_ms);
  if (ms > last_id.ms) {
    *id = {ms, 0};
    return true;
  }
  *id = last_id;
  if (wanted.given && (ms < last_id.ms || last_id.seq == UINT64_MAX)) return false;
  return id->increment();
}

size_t payload_bytes(StreamFields fields) {
  size_t bytes = 0;
  for (const Bytes text : fields) bytes += text.size();
  return bytes;
}

StreamNodeLimits node_limits(CommandContext& ctx) {
  const Settings& settings = ctx.services().settings;
  return {static_cast<size_t>(settings.stream_node_bytes_max), static_cast<size_t>(settings.stream_node_entries_max)};
}

// The words that repeat a trim with the outcome that it had.
class ExactTrim {
 public:
  ExactTrim(const StreamTrim& trim, const StreamStructure& stream) {
    const bool by_length = trim.by == StreamTrim::By::kLength;
    word_ = by_length ? "MAXLEN" : "MINID";
    if (by_length) {
      threshold_ = std::to_string(stream.length());
    } else {
      threshold_ = StreamIdText(stream.length() > 0 ? stream.first_id() : trim.id_min).bytes();
    }
  }
  void append_to(std::vector<Bytes>* argv) const { argv->insert(argv->end(), {word_, "=", threshold_}); }

 private:
  Bytes word_;
  std::string threshold_;
};

void propagate_xadd(CommandContext& ctx, Key key, const StreamTrim& trim, const StreamStructure& stream, StreamId id,
                    StreamFields fields) {
  if (!ctx.propagates()) return;
  std::vector<Bytes> argv = {"XADD", key.bytes};
  const ExactTrim exact(trim, stream);
  if (trim.by != StreamTrim::By::kNothing) exact.append_to(&argv);
  const StreamIdText text(id);
  argv.push_back(text);
  argv.insert(argv.end(), fields.begin(), fields.end());
  ctx.propagate_as(argv);
}

// Both directions: `newest_first` takes the bounds in the other order.
void range(CommandContext& ctx, ArgReader& args, bool newest_first) {
  const Key key = args.take<Key>();
  const auto bounds = args.take_many(2);
  if (!args.ok()) return ctx.reply().error(args.error());
  StreamId first;
  StreamId last;
  args.fail(parse_interval_bound(bounds[newest_first ? 1 : 0], IntervalEnd::kStart, &first));
  args.fail(parse_interval_bound(bounds[newest_first ? 0 : 1], IntervalEnd::kEnd, &last));
  int64_t count = -1;
  while (args.ok() && args.remaining() >= 2 && args.take_word("COUNT"))
    count = std::max(args.take<int64_t>(), int64_t{0});
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing()) return ctx.reply().empty_array();
  if (count == 0) return ctx.reply().null_array();
  reply_stream_range(ctx.reply(), value->stream(), first, last, count < 0 ? 0 : static_cast<uint64_t>(count),
                     newest_first);
}

}  // namespace

namespace stream_commands {

void xadd(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  TrimOptions options = take_trim_options(args, true);
  WantedId wanted;
  const Bytes id_text = args.take<Bytes>();
  if (args.ok() && id_text != "*") {
    wanted.given = true;
    if (!parse_stream_id(id_text, &wanted.id, 0, &wanted.open_sequence)) args.fail(kInvalidStreamId);
  }
  if (args.ok()) args.fail(settle_trim_limit(&options, ctx.services().settings.stream_node_entries_max));
  const StreamFields fields = args.rest();
  if (!args.done(ctx.reply())) return;
  if (fields.size() < 2 || fields.size() % 2 != 0) return ctx.reply().error(wrong_arity_error("xadd"));
  if (wanted.given && !wanted.open_sequence && wanted.id.is_zero()) return ctx.reply().error(kXAddIdZero);

  auto value = ctx.keys().edit_or_create<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (!value->exists() && options.no_create) return ctx.reply().null();
  const StreamId last_id = value->exists() ? value->stream().last_id() : StreamId{};
  if (last_id == kStreamIdMax) return ctx.reply().error(kStreamExhausted);
  StreamId id;
  if (!choose_id(wanted, last_id, ctx.now_ms(), &id)) return ctx.reply().error(kXAddIdTooSmall);
  if (payload_bytes(fields) > kStreamNodeBytesMax) return ctx.reply().error(kStreamEntryTooLarge);

  StreamStructure& stream = value->stream_or_create();
  stream.append(id, fields, node_limits(ctx));
  reply_stream_id(ctx.reply(), id);
  const bool trimmed = stream.trim(options.trim) > 0;
  if (!wanted.given || wanted.open_sequence || options.trim.approximate) {
    propagate_xadd(ctx, key, options.trim, stream, id, fields);
  }
  ctx.changed(key.bytes, Event::kXAdd);
  if (trimmed) ctx.changed(key.bytes, Event::kXTrim, 0);
}

void xlen(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(value ? static_cast<int64_t>(value->stream().length()) : 0);
}

void xrange(CommandContext& ctx, ArgReader& args) { range(ctx, args, false); }
void xrevrange(CommandContext& ctx, ArgReader& args) { range(ctx, args, true); }

void xdel(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  auto value = ctx.keys().edit<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing()) return ctx.reply().integer(0);
  // All or nothing: a bad ID behind good ones deletes none of them.
  const auto texts = args.rest();
  StreamId id;
  for (const Bytes text : texts) {
    if (!parse_stream_id(text, &id)) return ctx.reply().error(kInvalidStreamId);
  }
  int64_t deleted = 0;
  for (const Bytes text : texts) {
    const bool valid = parse_stream_id(text, &id);
    LARDER_ASSERT(valid);
    if (value->stream().erase(id)) deleted++;
  }
  if (deleted > 0) ctx.changed(key.bytes, Event::kXDel, static_cast<uint64_t>(deleted));
  ctx.reply().integer(deleted);
}

void xtrim(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  TrimOptions options = take_trim_options(args, false);
  if (args.ok() && !args.at_end()) args.fail(kSyntax);
  if (args.ok() && options.trim.by == StreamTrim::By::kNothing) {
    args.fail(options.trim.limit > 0 ? kTrimLimitAlone : kTrimWithoutStrategy);
  }
  if (args.ok()) args.fail(settle_trim_limit(&options, ctx.services().settings.stream_node_entries_max));
  if (!args.done(ctx.reply())) return;

  auto value = ctx.keys().edit<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing()) return ctx.reply().integer(0);
  StreamStructure& stream = value->stream();
  const uint64_t removed = stream.trim(options.trim);
  if (removed > 0) {
    if (options.trim.approximate && ctx.propagates()) {
      std::vector<Bytes> argv = {"XTRIM", key.bytes};
      const ExactTrim exact(options.trim, stream);
      exact.append_to(&argv);
      ctx.propagate_as(argv);
    }
    ctx.changed(key.bytes, Event::kXTrim, removed);
  }
  ctx.reply().integer(static_cast<int64_t>(removed));
}

void xsetid(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  const StreamId id = take_stream_id(args);
  int64_t entries_added = -1;
  StreamId max_deleted_id;
  while (args.ok() && args.remaining() >= 2) {
    if (args.take_word("ENTRIESADDED")) {
      entries_added = args.take_int(0, INT64_MAX, kEntriesAddedNegative);
    } else if (args.take_word("MAXDELETEDID")) {
      max_deleted_id = take_stream_id(args);
      if (args.ok() && id < max_deleted_id) args.fail(kSetIdBelowGivenDeleted);
    } else {
      break;
    }
  }
  if (!args.done(ctx.reply())) return;

  auto value = ctx.keys().edit<StreamValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing()) return ctx.reply().error(kNoSuchKey);
  StreamStructure& stream = value->stream();
  if (id < stream.max_deleted_id()) return ctx.reply().error(kSetIdBelowDeleted);
  if (stream.length() > 0) {
    if (id < stream.last_entry_id()) return ctx.reply().error(kSetIdBelowTop);
    if (entries_added >= 0 && stream.length() > static_cast<uint64_t>(entries_added)) {
      return ctx.reply().error(kEntriesAddedBelowLength);
    }
  }
  stream.set_last_id(id);
  if (entries_added >= 0) stream.set_entries_added(static_cast<uint64_t>(entries_added));
  if (!max_deleted_id.is_zero()) stream.set_max_deleted_id(max_deleted_id);
  ctx.groups_changed(key.bytes, Event::kXSetId);
  ctx.reply().ok();
}

}  // namespace stream_commands
}  // namespace larder
