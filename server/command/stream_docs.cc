// What is told about the stream commands: see server/core/command_docs.h for the notation.

#include "server/command/stream_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kStreamDocRows[] = {
    {"xack", "Acknowledges entries: they are no longer pending in the group.", "5.0.0", "O(1) for each entry",
     "key group id [id ...]"},
    {"xadd", "Adds an entry to the end of a stream, and creates the key when it is missing.", "5.0.0",
     "O(1) for the entry, O(N) for the N entries that a trim removes",
     "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count:integer]] <* | id> field value [field value "
     "...]"},
    {"xautoclaim", "Hands pending entries that were idle for long to another consumer, from an ID on.", "6.2.0",
     "O(1) for each entry looked at", "key group consumer min-idle-time:integer start [COUNT count:integer] [JUSTID]"},
    {"xclaim", "Hands pending entries, given by their IDs, to another consumer.", "5.0.0", "O(log N) for each entry",
     "key group consumer min-idle-time:integer id [id ...] [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] "
     "[RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid]"},
    {"xdel", "Deletes entries of a stream by their IDs.", "5.0.0", "O(1) for each entry", "key id [id ...]"},
    {"xgroup", "Commands about the consumer groups of streams.", "5.0.0", "Depends on the subcommand.", ""},
    {"xgroup|create", "Makes a consumer group that reads what is behind an ID.", "5.0.0", "O(1)",
     "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read:integer]"},
    {"xgroup|createconsumer", "Makes a consumer in a group.", "6.2.0", "O(1)", "key group consumer"},
    {"xgroup|delconsumer", "Removes a consumer, with the entries that it has not acknowledged.", "5.0.0",
     "O(N) in the number of its pending entries", "key group consumer"},
    {"xgroup|destroy", "Removes a consumer group.", "5.0.0", "O(N) in the number of its pending entries", "key group"},
    {"xgroup|help", "Describes the subcommands.", "5.0.0", "O(1)", ""},
    {"xgroup|setid", "Sets the ID behind which a group reads on.", "5.0.0", "O(1)",
     "key group <id | $> [ENTRIESREAD entries-read:integer]"},
    {"xinfo", "Commands that look into streams.", "5.0.0", "Depends on the subcommand.", ""},
    {"xinfo|consumers", "Lists the consumers of a group.", "5.0.0", "O(N) in the number of consumers", "key group"},
    {"xinfo|groups", "Lists the consumer groups of a stream.", "5.0.0", "O(N) in the number of groups", "key"},
    {"xinfo|help", "Describes the subcommands.", "5.0.0", "O(1)", ""},
    {"xinfo|stream", "Describes a stream; FULL with its entries, groups, consumers and what is pending.", "5.0.0",
     "O(1); FULL: O(N) in what is shown", "key [FULL [COUNT count:integer]]"},
    {"xlen", "Returns the number of entries of a stream.", "5.0.0", "O(1)", "key"},
    {"xpending", "Tells what is pending in a group: a summary, or the entries in a range of IDs.", "5.0.0",
     "O(N) in the number of entries looked at",
     "key group [[IDLE min-idle-time:integer] start end count:integer [consumer]]"},
    {"xrange", "Returns the entries of a stream in a range of IDs.", "5.0.0", "O(N) in the number of entries returned",
     "key start end [COUNT count:integer]"},
    {"xread", "Returns what is behind an ID in each of several streams; may wait until there is something.", "5.0.0",
     "O(N) in the number of entries returned",
     "[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS key [key ...] id [id ...]"},
    {"xreadgroup",
     "Hands entries of several streams to a consumer of a group, or returns those it has not acknowledged yet; may "
     "wait "
     "until there is something.",
     "5.0.0", "O(N) in the number of entries returned",
     "GROUP group consumer [COUNT count:integer] [BLOCK milliseconds:integer] [NOACK] STREAMS key [key ...] id [id "
     "...]"},
    {"xrevrange", "Returns the entries of a stream in a range of IDs, latest first.", "5.0.0",
     "O(N) in the number of entries returned", "key end start [COUNT count:integer]"},
    {"xsetid", "Sets the last ID of a stream, and the counts that go with it.", "5.0.0", "O(1)",
     "key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]"},
    {"xtrim", "Removes entries from the front of a stream.", "5.0.0", "O(N) in the number of entries removed",
     "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count:integer]"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kStreamDocs = kStreamDocRows;

}  // namespace larder
