#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kDumpDocRows[] = {
    {"dump", "The value of a key as a payload for RESTORE, with a version and a checksum. Null for a missing key.",
     "2.6.0", "O(1) to find the key and O(N*M) for a value of N parts of average size M", "key"},
    {"restore", "Creates a key from a payload of DUMP.", "2.6.0",
     "O(1) to create the key and O(N*M) for a value of N parts of average size M; O(N*M*log(N)) for sorted sets",
     "key ttl:integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds:integer] [FREQ frequency:integer]"},
    {"restore-asking", "RESTORE for a slot that a cluster is moving.", "3.0.0",
     "O(1) to create the key and O(N*M) for a value of N parts of average size M; O(N*M*log(N)) for sorted sets",
     "key ttl:integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds:integer] [FREQ frequency:integer]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kDumpDocs = kDumpDocRows;

}  // namespace larder
