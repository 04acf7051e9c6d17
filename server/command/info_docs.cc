#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kInfoDocRows[] = {
    {"info", "Figures about the server, its clients, memory and data; of the sections named, or of the usual ones.",
     "1.0.0", "O(1)", "[section [section ...]]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kInfoDocs = kInfoDocRows;

}  // namespace larder
