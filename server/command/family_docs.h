#pragma once

// The documentation rows of the families of this folder that are not large enough for a header of their own; each is
// in `<family>_docs.cc`.

#include <span>

#include "server/core/command_docs.h"

namespace larder {

extern const std::span<const CommandDocs> kConnectionDocs;
extern const std::span<const CommandDocs> kClientDocs;
extern const std::span<const CommandDocs> kClusterDocs;
extern const std::span<const CommandDocs> kTransactionDocs;
extern const std::span<const CommandDocs> kCommandDocs;
extern const std::span<const CommandDocs> kPubsubDocs;
extern const std::span<const CommandDocs> kMonitorDocs;
extern const std::span<const CommandDocs> kServerDocs;
extern const std::span<const CommandDocs> kConfigDocs;
extern const std::span<const CommandDocs> kInfoDocs;
extern const std::span<const CommandDocs> kMemoryDocs;
extern const std::span<const CommandDocs> kSlowlogDocs;
extern const std::span<const CommandDocs> kLatencyDocs;
extern const std::span<const CommandDocs> kDebugDocs;
extern const std::span<const CommandDocs> kAclDocs;
extern const std::span<const CommandDocs> kHyperLogLogDocs;
extern const std::span<const CommandDocs> kPersistenceDocs;
extern const std::span<const CommandDocs> kDumpDocs;
extern const std::span<const CommandDocs> kScriptDocs;
extern const std::span<const CommandDocs> kSortDocs;

}  // namespace larder
