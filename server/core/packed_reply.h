#pragma once

// An element of a packed sequence as a bulk string.

#include "protocol/reply_writer.h"
#include "storage/listpack.h"

namespace larder {

inline void reply_element(ReplyWriter& reply, const PackedElement& element) {
  if (element.is_integer) return reply.bulk_integer(element.number);
  reply.bulk(element.bytes);
}

}  // namespace larder
