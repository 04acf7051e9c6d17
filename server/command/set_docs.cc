// What is told about the set commands: see server/core/command_docs.h for the notation.

#include "server/command/set_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kSetDocRows[] = {
    {"sadd", "Adds members to a set, and creates the key when it is missing.", "1.0.0",
     "O(N) in the number of members given", "key member [member ...]"},
    {"scard", "Returns the number of members of a set.", "1.0.0", "O(1)", "key"},
    {"sdiff", "Returns the members of a set that no other of the given sets has.", "1.0.0",
     "O(N) in the total number of members", "key [key ...]"},
    {"sdiffstore", "Stores the members of a set that no other of the given sets has.", "1.0.0",
     "O(N) in the total number of members", "destination:key key [key ...]"},
    {"sinter", "Returns the members that several sets have in common.", "1.0.0",
     "O(N*M) in the size of the smallest set and the number of sets", "key [key ...]"},
    {"sintercard", "Counts the members that several sets have in common.", "7.0.0",
     "O(N*M) in the size of the smallest set and the number of sets",
     "numkeys:integer key [key ...] [LIMIT limit:integer]"},
    {"sinterstore", "Stores the members that several sets have in common.", "1.0.0",
     "O(N*M) in the size of the smallest set and the number of sets", "destination:key key [key ...]"},
    {"sismember", "Tells whether a value is a member of a set.", "1.0.0", "O(1)", "key member"},
    {"smembers", "Returns all members of a set.", "1.0.0", "O(N) in the size of the set", "key"},
    {"smismember", "Tells of several values whether they are members of a set.", "6.2.0",
     "O(N) in the number of values given", "key member [member ...]"},
    {"smove", "Moves a member from one set to another.", "1.0.0", "O(1)", "source:key destination:key member"},
    {"spop", "Takes random members out of a set and returns them.", "1.0.0", "O(N) in the number of members taken",
     "key [count:integer]"},
    {"srandmember", "Returns random members of a set: different ones, or with a negative count drawn with repetition.",
     "1.0.0", "O(N) in the number of members returned", "key [count:integer]"},
    {"srem", "Takes members out of a set. A set without members is removed.", "1.0.0",
     "O(N) in the number of members given", "key member [member ...]"},
    {"sscan", "Walks over the members of a set in steps.", "2.8.0", "O(1) for a step, O(N) for the whole walk",
     "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]"},
    {"sunion", "Returns the members that any of several sets has.", "1.0.0", "O(N) in the total number of members",
     "key [key ...]"},
    {"sunionstore", "Stores the members that any of several sets has.", "1.0.0", "O(N) in the total number of members",
     "destination:key key [key ...]"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kSetDocs = kSetDocRows;

}  // namespace larder
