#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kConfigDocRows[] = {
    {"config", "Commands about the options of the running server.", "2.0.0", "Depends on the subcommand.", ""},
    {"config|get", "The options whose names match a pattern, with their values.", "2.0.0",
     "O(N), N the number of options", "parameter [parameter ...]"},
    {"config|help", "Describes the subcommands.", "5.0.0", "O(1)", ""},
    {"config|resetstat", "Sets the counters that INFO shows back to zero.", "2.0.0", "O(1)", ""},
    {"config|rewrite", "Brings the configuration file up to the values in force.", "2.8.0", "O(1)", ""},
    {"config|set", "Changes options: all that are named, or none when one of the values is wrong.", "2.0.0",
     "O(N), N the number of options set", "parameter value [parameter value ...]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kConfigDocs = kConfigDocRows;

}  // namespace larder
