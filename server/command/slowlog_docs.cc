#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kSlowlogDocRows[] = {
    {"slowlog", "Commands about the slow log.", "2.2.12", "Depends on the subcommand.", ""},
    {"slowlog|get",
     "The latest slow requests (10 unless told, -1 for all): id, time, duration in microseconds, arguments, address "
     "and name of the client.",
     "2.2.12", "O(N), N the number of entries", "[count]"},
    {"slowlog|help", "Describes the subcommands.", "6.2.0", "O(1)", ""},
    {"slowlog|len", "How many entries the slow log has.", "2.2.12", "O(1)", ""},
    {"slowlog|reset", "Empties the slow log.", "2.2.12", "O(N), N the number of entries", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kSlowlogDocs = kSlowlogDocRows;

}  // namespace larder
