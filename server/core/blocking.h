#pragma once

// Clients that wait for a key: BLPOP, BLMOVE, BZPOPMIN, XREAD BLOCK and their kin.
//
// A blocking command tries at once, like its non-blocking sibling. When there is nothing to take it calls
// CommandContext::block() and returns without a reply. The request is kept with the client, and the client waits in the
// queue of each of its keys, in order of arrival. When a command makes one of the keys hold a value of the awaited type
// (every change is seen, through KeyEvents::changed: pushes, RENAME, COPY, RESTORE, STORE forms, SWAPDB), the waiting
// requests are executed again after that command, oldest first, until one of them finds nothing; a request that finds
// nothing calls block() again and keeps its place. So a blocking command's logic is written once.
//
// Inside a transaction or a script nothing waits: block() answers as if the time were over.
//
//     void blpop(CommandContext& ctx, ArgReader& args) {
//       ... for each key: take from it, reply, return ...
//       ctx.block({.keys = keys, .deadline_ms = deadline_ms, .type = ValueType::kList});
//     }

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "storage/entry.h"

namespace larder {

enum class TimeoutReply : uint8_t {
  kNullArray,  // BLPOP, BLMPOP, BZPOPMIN, XREAD
  kNull,       // BLMOVE, BRPOPLPUSH
};

struct BlockRequest {
  std::span<const Bytes> keys;
  int64_t deadline_ms = 0;  // wall clock; 0: waits for ever
  ValueType type = ValueType::kList;
  TimeoutReply timeout_reply = TimeoutReply::kNullArray;
  // Also woken when a key goes or becomes one of another type (XREADGROUP, which answers with an error then).
  bool wakes_on_removal = false;
};

}  // namespace larder
