#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kDebugDocRows[] = {
    {"debug", "Aids for tests; refused unless enable-debug-command allows them.", "1.0.0", "Depends on the subcommand.",
     "subcommand [arg [arg ...]]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kDebugDocs = kDebugDocRows;

}  // namespace larder
