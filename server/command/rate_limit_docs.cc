// What is told about rate limits: see server/core/command_docs.h for the notation.

#include "server/command/rate_limit_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kRateLimitDocRows[] = {
    {"cl.throttle", "Asks a rate limit (GCRA) for a quantity, as the module redis-cell does.", "0.1.0", "O(1)",
     "key max_burst:integer count:integer period:integer [quantity:integer]"},
    {"rl.take", "Consumes a cost from several rate limits, if all of them allow it.", "0.1.0",
     "O(N) in the number of limits", "numkeys:integer key [key ...] rule:string [rule:string ...] [COST cost:integer]"},
    {"rl.peek", "Tells what RL.TAKE would answer, and changes nothing.", "0.1.0", "O(N) in the number of limits",
     "numkeys:integer key [key ...] rule:string [rule:string ...] [COST cost:integer]"},
    {"rl.refund", "Gives a cost back to rate limits.", "0.1.0", "O(N) in the number of limits",
     "numkeys:integer key [key ...] rule:string [rule:string ...] [COST cost:integer]"},
    {"rl.reset", "Forgets what was used of rate limits or leases.", "0.1.0", "O(N) in the number of keys",
     "key [key ...]"},
    {"rl.acquire", "Takes or renews a lease, if fewer than the limit are held.", "0.1.0",
     "O(log(N)) in the number of leases, and those that are over",
     "key holder:string limit:integer milliseconds:integer"},
    {"rl.renew", "Makes a lease that is held last for some time from now.", "0.1.0",
     "O(log(N)) in the number of leases", "key holder:string milliseconds:integer"},
    {"rl.release", "Gives a lease back.", "0.1.0", "O(log(N)) in the number of leases", "key holder:string"},
    {"rl.leases", "Lists the holders of leases and the milliseconds that they have left.", "0.1.0",
     "O(N) in the number of leases", "key"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kRateLimitDocs = kRateLimitDocRows;

}  // namespace larder
