#pragma once

// Stream IDs and entries as replies: [id, [name, value, ...]].

#include "protocol/reply_writer.h"
#include "storage/stream_structure.h"

namespace larder {

inline void reply_stream_id(ReplyWriter& reply, StreamId id) { reply.bulk(StreamIdText(id)); }

inline void reply_stream_text(ReplyWriter& reply, const PackedElement& element) {
  if (element.is_integer) return reply.bulk_integer(element.number);
  reply.bulk(element.bytes);
}

void reply_stream_entry(ReplyWriter& reply, const StreamEntry& entry);

// The entries from `first` to `last`, `count_max` at the most (0: all of them), as an array.
void reply_stream_range(ReplyWriter& reply, const StreamStructure& stream, StreamId first, StreamId last,
                        uint64_t count_max, bool backwards = false);

// The entry with this ID, or what there is instead of one that is gone. Returns whether it is there.
bool reply_stream_entry_at(ReplyWriter& reply, const StreamStructure& stream, StreamId id);

}  // namespace larder
