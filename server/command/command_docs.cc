#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kCommandDocRows[] = {
    {"command", "Facts about all commands.", "2.8.13", "O(N), N the number of commands", ""},
    {"command|count", "How many commands there are.", "2.8.13", "O(1)", ""},
    {"command|docs", "Documentation of commands.", "7.0.0", "O(N), N the number of commands",
     "[command-name [command-name ...]]"},
    {"command|getkeys", "The keys of a whole request.", "2.8.13", "O(N), N the number of arguments",
     "command [arg [arg ...]]"},
    {"command|getkeysandflags", "The keys of a whole request and what is done with them.", "7.0.0",
     "O(N), N the number of arguments", "command [arg [arg ...]]"},
    {"command|help", "Describes the subcommands.", "5.0.0", "O(1)", ""},
    {"command|info", "Facts about commands.", "2.8.13", "O(N), N the number of commands",
     "[command-name [command-name ...]]"},
    {"command|list", "The names of commands.", "7.0.0", "O(N), N the number of commands",
     "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kCommandDocs = kCommandDocRows;

}  // namespace larder
