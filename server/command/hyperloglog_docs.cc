#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kHyperLogLogDocRows[] = {
    {"pfadd", "Adds elements to a HyperLogLog, and creates the key when it is missing.", "2.8.9",
     "O(1) for each element", "key [element...]"},
    {"pfcount", "Estimates how many different elements one or several HyperLogLogs have seen together.", "2.8.9",
     "O(1) for one key, O(N) in the number of keys for several", "key..."},
    {"pfdebug", "Shows how a HyperLogLog is kept: GETREG, DECODE, ENCODING or TODENSE.", "2.8.9", "O(1)",
     "subcommand key"},
    {"pfmerge", "Stores the union of HyperLogLogs in a key.", "2.8.9", "O(N) in the number of keys",
     "destkey:key [sourcekey:key...]"},
    {"pfselftest", "Counts known numbers of elements and judges the estimates.", "2.8.9",
     "O(N) in the size of the test", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kHyperLogLogDocs = kHyperLogLogDocRows;

}  // namespace larder
