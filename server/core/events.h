#pragma once

// The events that a change of a key is told as, in one table: name and class of keyspace notification.
//
// A command names what it did once, with `ctx.changed(key, Event::kAppend)`; WATCH, notifications, client-side caching,
// the log and the replicas all hang on that one call. Names are those of Redis's keyspace notifications.

#include <cstdint>

#include "base/bytes.h"

namespace larder {

// Classes of `notify-keyspace-events`, one bit each, with the letter that configures them.
enum NotifyClass : uint32_t {
  kNotifyNone = 0,
  kNotifyKeyspace = 1u << 0,  // K
  kNotifyKeyevent = 1u << 1,  // E
  kNotifyGeneric = 1u << 2,   // g
  kNotifyString = 1u << 3,    // $
  kNotifyList = 1u << 4,      // l
  kNotifySet = 1u << 5,       // s
  kNotifyHash = 1u << 6,      // h
  kNotifyZset = 1u << 7,      // z
  kNotifyExpired = 1u << 8,   // x
  kNotifyEvicted = 1u << 9,   // e
  kNotifyStream = 1u << 10,   // t
  kNotifyMiss = 1u << 11,     // m, not part of A
  kNotifyModule = 1u << 12,   // d
  kNotifyNew = 1u << 13,      // n, not part of A
};
inline constexpr uint32_t kNotifyAll = kNotifyGeneric | kNotifyString | kNotifyList | kNotifySet | kNotifyHash |
                                       kNotifyZset | kNotifyExpired | kNotifyEvicted | kNotifyStream | kNotifyModule;

enum class Event : uint8_t {
  kSet,
  kSetVolatile,  // SET with a time to live
  kAppend,
  kIncrBy,
  kIncrByFloat,
  kSetRange,
  kGetDel,
  kDel,
  kExpire,
  kPersist,
  kRenameFrom,
  kRenameTo,
  kCopyTo,
  kMoveFrom,
  kMoveTo,
  kRestore,
  kExpired,
  kEvicted,
  kLPush,
  kRPush,
  kLPop,
  kRPop,
  kLInsert,
  kLSet,
  kLRem,
  kLTrim,
  kSortStore,
  kSAdd,
  kSRem,
  kSPop,
  kSInterStore,
  kSUnionStore,
  kSDiffStore,
  kHSet,
  kHIncrBy,
  kHIncrByFloat,
  kHDel,
  kHExpire,
  kHExpired,
  kHPersist,
  kZAdd,
  kZIncr,
  kZRem,
  kZRemRangeByScore,
  kZRemRangeByRank,
  kZRemRangeByLex,
  kZDiffStore,
  kZInterStore,
  kZUnionStore,
  kZRangeStore,
  kZPopMin,
  kZPopMax,
  kGeoSearchStore,
  kGeoRadiusStore,
  kXAdd,
  kXTrim,
  kXDel,
  kXSetId,
  kXGroupCreate,
  kXGroupCreateConsumer,
  kXGroupDelConsumer,
  kXGroupDestroy,
  kXGroupSetId,
  kSetBit,
  kPfAdd,
  kQuiet,  // a change that has no event of its own (XACK, a limit consumed): log and watchers only
  kNew,
  kKeyMiss,
  kCount,
};

struct EventFacts {
  Bytes name;
  NotifyClass notify_class;
  // What is told to listeners after it, for the same change; kCount: nothing.
  Event then = Event::kCount;
};

const EventFacts& facts_of(Event event);

// Reads the value of `notify-keyspace-events` ("Egx"); false when a letter is unknown.
bool parse_notify_classes(Bytes text, uint32_t& classes);
// The canonical text of a set of classes, as CONFIG GET prints it ("gxE", "AKE").
Bytes write_notify_classes(uint32_t classes, char (&out)[24]);

}  // namespace larder
