#pragma once

// Visiting the keys of a command with many of them (MGET, DEL, MSET ...): look-ups are started a stretch ahead, so that
// their cache misses overlap.

#include <algorithm>
#include <span>

#include "base/bytes.h"
#include "protocol/arg_types.h"
#include "server/core/context.h"

namespace larder {

// Calls visit(Key, size_t position) for arguments[0], arguments[step], ... Requires: step > 0.
template <class Visit>
void for_each_key(CommandContext& ctx, std::span<const Bytes> arguments, size_t step, Visit visit) {
  const size_t stretch = KeyAccess::kPrefetchKeysMax * step;
  for (size_t begin = 0; begin < arguments.size(); begin += stretch) {
    const auto part = arguments.subspan(begin, std::min(stretch, arguments.size() - begin));
    if (part.size() > step) ctx.keys().prefetch(part, step);
    for (size_t i = 0; i < part.size(); i += step) visit(Key{part[i]}, begin + i);
  }
}

}  // namespace larder
