#include "server/command/stream_effects.h"

#include "base/number_text.h"

namespace larder {

StreamConsumer* find_or_create_consumer(CommandContext& ctx, Bytes key, StreamGroup* group, Bytes name) {
  StreamConsumer* consumer = group->find_consumer(name);
  if (consumer != nullptr) return consumer;
  consumer = group->create_consumer(name, ctx.now_ms());
  ctx.propagate_as({"XGROUP", "CREATECONSUMER", key, group->name(), name});
  ctx.groups_changed(key, Event::kXGroupCreateConsumer);
  return consumer;
}

void propagate_claim(CommandContext& ctx, Bytes key, const StreamGroup& group, StreamId id) {
  if (!ctx.propagates()) return;
  const StreamPending* pending = group.find_pending(id);
  LARDER_ASSERT(pending != nullptr);
  const StreamIdText id_text(id);
  const StreamIdText last_text(group.last_id);
  char time[kInt64TextBytesMax];
  char count[kInt64TextBytesMax];
  const Bytes time_text(time, write_int64(time, pending->delivered_ms));
  const Bytes count_text(count, write_uint64(count, pending->deliveries));
  ctx.propagate_as({"XCLAIM", key, group.name(), pending->consumer->name, "0", id_text, "TIME", time_text, "RETRYCOUNT",
                    count_text, "FORCE", "JUSTID", "LASTID", last_text});
}

void propagate_group_position(CommandContext& ctx, Bytes key, const StreamGroup& group) {
  if (!ctx.propagates()) return;
  const StreamIdText last_text(group.last_id);
  char read[kInt64TextBytesMax];
  const Bytes read_text(read, write_int64(read, group.entries_read));
  ctx.propagate_as({"XGROUP", "SETID", key, group.name(), last_text, "ENTRIESREAD", read_text});
}

void propagate_acknowledge(CommandContext& ctx, Bytes key, const StreamGroup& group, StreamId id) {
  if (!ctx.propagates()) return;
  const StreamIdText id_text(id);
  ctx.propagate_as({"XACK", key, group.name(), id_text});
}

std::string no_group_for_key_error(Bytes key, Bytes group) {
  return "NOGROUP No such consumer group '" + std::string(group) + "' for key name '" + std::string(key) + "'";
}

}  // namespace larder
