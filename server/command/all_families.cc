#include "server/command/all_families.h"

#include "server/command/families.h"

namespace larder {

std::span<const CommandFamily> all_families() {
  // Made at the first call, when every family's constant exists.
  static const CommandFamily kAll[] = {
      kStringFamily,  kGenericFamily, kTransactionFamily, kConnectionFamily, kClientFamily,    kCommandFamily,
      kServerFamily,  kConfigFamily,  kInfoFamily,        kDatabaseFamily,   kMemoryFamily,    kSlowlogFamily,
      kLatencyFamily, kDebugFamily,   kAclFamily,         kClusterFamily,    kListFamily,      kSetFamily,
      kHashFamily,    kZsetFamily,    kGeoFamily,         kStreamFamily,     kBitmapFamily,    kHyperLogLogFamily,
      kSortFamily,    kDumpFamily,    kPubsubFamily,      kScriptFamily,     kRateLimitFamily, kPersistenceFamily,
      kMonitorFamily,
  };
  return kAll;
}

}  // namespace larder
