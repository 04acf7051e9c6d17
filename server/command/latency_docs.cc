#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kLatencyDocRows[] = {
    {"latency", "Commands about latency.", "2.8.13", "Depends on the subcommand.", ""},
    {"latency|doctor", "A report about the spikes that were seen.", "2.8.13", "O(1)", ""},
    {"latency|graph", "A drawing of the spikes of an event.", "2.8.13", "O(1)", "event"},
    {"latency|help", "Describes the subcommands.", "2.8.13", "O(1)", ""},
    {"latency|histogram", "How the times of commands are distributed.", "7.0.0", "O(N), N the number of commands",
     "[command [command ...]]"},
    {"latency|history", "Time and duration of the spikes of an event.", "2.8.13", "O(1)", "event"},
    {"latency|latest", "The latest spike of every event.", "2.8.13", "O(1)", ""},
    {"latency|reset", "Forgets the spikes of some events, or of all.", "2.8.13", "O(1)", "[event [event ...]]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kLatencyDocs = kLatencyDocRows;

}  // namespace larder
