#pragma once

// What follows from elements taken out of a collection, of whichever type.

#include <cstddef>

#include "server/core/context.h"
#include "server/core/key_access.h"

namespace larder {

// Tells that `count` elements were taken out of `key`, and, if it is gone with its last one, that too.
template <class Value>
void tell_removal(CommandContext& ctx, Key key, const Value& value, Event event, size_t count) {
  ctx.changed(key.bytes, event, count);
  if (!value.exists()) ctx.changed(key.bytes, Event::kDel, 0);
}

}  // namespace larder
