#pragma once

// What commands on consumer groups have in common: making consumers, and the commands that repeat an effect elsewhere.

#include <string>

#include "server/core/context.h"
#include "storage/stream_structure.h"

namespace larder {

// The consumer of that name. One that is new is told (event, log).
StreamConsumer* find_or_create_consumer(CommandContext& ctx, Bytes key, StreamGroup* group, Bytes name);

// The pending entry as it is now: XCLAIM key group consumer 0 id TIME t RETRYCOUNT n FORCE JUSTID LASTID last.
// Requires: the entry is pending.
void propagate_claim(CommandContext& ctx, Bytes key, const StreamGroup& group, StreamId id);

// How far the group has come: XGROUP SETID key group last ENTRIESREAD n.
void propagate_group_position(CommandContext& ctx, Bytes key, const StreamGroup& group);

// An entry is no longer pending: XACK key group id.
void propagate_acknowledge(CommandContext& ctx, Bytes key, const StreamGroup& group, StreamId id);

// "NOGROUP No such consumer group 'g' for key name 'k'"
std::string no_group_for_key_error(Bytes key, Bytes group);

}  // namespace larder
