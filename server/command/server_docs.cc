#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kServerDocRows[] = {
    {"time", "The time of the server.", "2.6.0", "O(1)", ""},
    {"role", "The part that this server plays in replication.", "2.8.12", "O(1)", ""},
    {"shutdown", "Stops the server.", "1.0.0", "O(N) when the data is saved, N the number of keys",
     "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]"},
    {"lolwut", "A small picture and the version.", "5.0.0", "O(1)", "[VERSION version:integer] [number:integer ...]"},
    {"module", "Commands about modules.", "4.0.0", "Depends on the subcommand.", ""},
    {"module|help", "Describes the subcommands.", "5.0.0", "O(1)", ""},
    {"module|list", "The modules that are loaded: none.", "4.0.0", "O(1)", ""},
    {"module|load", "Refused: there are no modules.", "4.0.0", "O(1)", "path [arg [arg ...]]"},
    {"module|loadex", "Refused: there are no modules.", "7.0.0", "O(1)",
     "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]"},
    {"module|unload", "Refused: there are no modules.", "4.0.0", "O(1)", "name"},
};

}  // namespace

constinit const std::span<const CommandDocs> kServerDocs = kServerDocRows;

}  // namespace larder
