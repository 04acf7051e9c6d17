#include "server/command/stream_reply.h"

namespace larder {

void reply_stream_entry(ReplyWriter& reply, const StreamEntry& entry) {
  reply.array(2);
  reply_stream_id(reply, entry.id);
  reply.array(2 * entry.field_count);
  entry.for_each_field([&](const PackedElement& name, const PackedElement& value) {
    reply_stream_text(reply, name);
    reply_stream_text(reply, value);
  });
}

void reply_stream_range(ReplyWriter& reply, const StreamStructure& stream, StreamId first, StreamId last,
                        uint64_t count_max, bool backwards) {
  const auto mark = reply.begin_deferred(count_max);
  StreamIterator entries(stream, first, last, backwards);
  uint64_t count = 0;
  for (StreamEntry entry; (count_max == 0 || count < count_max) && entries.next(&entry); count++) {
    reply_stream_entry(reply, entry);
  }
  reply.end_deferred_array(mark, count);
}

bool reply_stream_entry_at(ReplyWriter& reply, const StreamStructure& stream, StreamId id) {
  StreamEntry entry;
  if (StreamIterator(stream, id, id).next(&entry)) {
    reply_stream_entry(reply, entry);
    return true;
  }
  reply.array(2);
  reply_stream_id(reply, id);
  reply.null_array();
  return false;
}

}  // namespace larder
