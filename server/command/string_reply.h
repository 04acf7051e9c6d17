#pragma once

// String values as bulk replies. A value too large to be worth copying is sent from where it lies: the reply holds a
// reference to its blob, and the key may change meanwhile.

#include "protocol/reply_writer.h"
#include "storage/string_value.h"

namespace larder {

// `size` bytes of the value from `offset` on. Requires: they are within the value.
void reply_string_range(ReplyWriter& reply, const StringValue& value, size_t offset, size_t size);

// The whole value.
inline void reply_string(ReplyWriter& reply, const StringValue& value) {
  const StringText text = value.text();
  if (reply.wants_pin(text.size())) [[unlikely]]
    return reply_string_range(reply, value, 0, text.size());
  reply.bulk(text);
}

}  // namespace larder
