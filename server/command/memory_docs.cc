#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kMemoryDocRows[] = {
    {"memory", "Commands about memory.", "4.0.0", "Depends on the subcommand.", ""},
    {"memory|doctor", "What is unusual about the use of memory.", "4.0.0", "O(1)", ""},
    {"memory|help", "Describes the subcommands.", "4.0.0", "O(1)", ""},
    {"memory|malloc-stats", "Statistics of the allocator.", "4.0.0", "O(1)", ""},
    {"memory|purge", "Asks the allocator to give memory back.", "4.0.0", "O(1)", ""},
    {"memory|stats", "What the memory is used for.", "4.0.0", "O(N), N the number of clients", ""},
    {"memory|usage", "How many bytes a key and its value take.", "4.0.0", "O(1)", "key [SAMPLES count]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kMemoryDocs = kMemoryDocRows;

}  // namespace larder
