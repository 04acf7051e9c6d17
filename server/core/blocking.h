#pragma once

// Clients that wait for a key: BLPOP, BLMOVE, BZPOPMIN, XREAD BLOCK and their kin.
//
// A blocking command tries at once, like its non-blocking sibling. When there is nothing to take it calls
// CommandContext::block() and returns without a reply. The request is kept with the client, and the client waits in the
// queue of each of its keys, in order of arrival. When a command makes one of the keys hold a value of the awaited type
// (every change is seen, through KeyEvents::changed: pushes, RENAME, COPY, RESTORE, STORE forms, SWAPDB), the waiting
// requests are executed again after that command, oldest first, until one of them finds nothing; a request that finds
// nothing calls block() again and keeps its place and its deadline. So a blocking command's logic is written once.
// The table of those who wait is in blocking_table.h, what wakes them in wake_up.h.
//
// Inside a transaction or a script nothing waits: block() answers at once that there is nothing.
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

// What follows for the others when one of the clients that wait for a key finds nothing in it.
enum class WaitSharing : uint8_t {
  kCompete,   // nothing is left for the others either: lists, sorted sets
  kEveryone,  // each may find something: XREAD
  kGroup,     // nothing is left for those of the same BlockRequest::group: XREADGROUP
};

// What the client gets where nothing may wait. When its time is over, it is the null array for all.
enum class DeniedReply : uint8_t {
  kNullArray,  // BLPOP, BLMPOP, BZPOPMIN, XREAD
  kNull,       // BLMOVE, BRPOPLPUSH
};

struct BlockRequest {
  std::span<const Bytes> keys;
  int64_t deadline_ms = 0;  // wall clock; 0: waits for ever
  ValueType type = ValueType::kList;
  DeniedReply denied_reply = DeniedReply::kNullArray;
  // Also woken when a key goes or becomes one of another type (XREADGROUP, which answers with an error then).
  bool wakes_on_removal = false;
  WaitSharing sharing = WaitSharing::kCompete;
  Bytes group = {};  // with WaitSharing::kGroup
  // Not for keys but for the disk: woken when more of the log is durable. `keys` is empty then.
  bool awaits_log = false;
  // When the time is over the request runs a last time, with BlockedState::is_over set, instead of the null array.
  bool answers_timeout = false;
  // What the request has to know when it is tried again: BlockedState::note.
  uint64_t note = 0;
  // The request to run again, when it is not the one that is running (XREAD with `$`, which means the end of the stream
  // as it is now). Empty: the running one.
  std::span<const Bytes> request = {};
};

}  // namespace larder
