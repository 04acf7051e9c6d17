#pragma once

// The families of commands: one constant each, defined in `<family>_commands.cc`. Declaring one here and listing it in
// all_families.cc is all that it takes for its commands to exist.

#include "server/core/registry.h"

namespace larder {

extern const CommandFamily kGenericFamily;
extern const CommandFamily kStringFamily;
extern const CommandFamily kConnectionFamily;
extern const CommandFamily kClientFamily;
extern const CommandFamily kClusterFamily;
extern const CommandFamily kTransactionFamily;
extern const CommandFamily kCommandFamily;
extern const CommandFamily kServerFamily;
extern const CommandFamily kConfigFamily;
extern const CommandFamily kInfoFamily;
extern const CommandFamily kDatabaseFamily;
extern const CommandFamily kMemoryFamily;
extern const CommandFamily kSlowlogFamily;
extern const CommandFamily kLatencyFamily;
extern const CommandFamily kDebugFamily;
extern const CommandFamily kAclFamily;
extern const CommandFamily kListFamily;
extern const CommandFamily kSetFamily;
extern const CommandFamily kHashFamily;
extern const CommandFamily kZsetFamily;
extern const CommandFamily kGeoFamily;
extern const CommandFamily kStreamFamily;
extern const CommandFamily kBitmapFamily;
extern const CommandFamily kHyperLogLogFamily;
extern const CommandFamily kSortFamily;
extern const CommandFamily kDumpFamily;
extern const CommandFamily kPubsubFamily;
extern const CommandFamily kScriptFamily;
extern const CommandFamily kRateLimitFamily;
extern const CommandFamily kPersistenceFamily;
extern const CommandFamily kMonitorFamily;

}  // namespace larder
