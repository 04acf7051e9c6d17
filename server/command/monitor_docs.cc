#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kMonitorDocRows[] = {
    {"monitor", "Shows every request that the server runs, as it runs.", "1.0.0", "O(1)", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kMonitorDocs = kMonitorDocRows;

}  // namespace larder
