#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kPersistenceDocRows[] = {
    {"bgrewriteaof",
     "Writes the append-only log anew and shorter, from the present data, while the server goes on working.", "1.0.0",
     "O(1) to start; the work is O(N) in the number of keys and done in small pieces", ""},
    {"bgsave",
     "Saves all data to the snapshot file while the server goes on working. SCHEDULE waits for a rewrite of the log "
     "that is "
     "running; CANCEL gives up the one that is running or scheduled.",
     "1.0.0", "O(1) to start; the work is O(N) in the number of keys and done in small pieces", "[SCHEDULE | CANCEL]"},
    {"lastsave", "When the last successful save was, in seconds since 1970.", "1.0.0", "O(1)", ""},
    {"save", "Saves all data to the snapshot file; every client waits until it is done.", "1.0.0",
     "O(N) in the number of keys of all databases", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kPersistenceDocs = kPersistenceDocRows;

}  // namespace larder
