// What is told about the commands of sorted sets: see server/core/command_docs.h for the notation.

#include "server/command/zset_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kDocs[] = {
    {"bzmpop", "Takes members from the low or high end of the first sorted set that has any, and waits for one.",
     "7.0.0", "O(K) + O(M*log(N)): K keys, M members taken of N",
     "timeout:double numkeys:integer key [key ...] <MIN | MAX> [COUNT count]"},
    {"bzpopmax", "Takes the highest member of the first sorted set that has any, and waits for one.", "5.0.0",
     "O(log(N)) with N members", "key [key ...] timeout:double"},
    {"bzpopmin", "Takes the lowest member of the first sorted set that has any, and waits for one.", "5.0.0",
     "O(log(N)) with N members", "key [key ...] timeout:double"},
    {"zadd", "Adds members to a sorted set, or gives them other scores; creates the key when it is missing.", "1.2.0",
     "O(log(N)) for each member, N being those in the set",
     "key [NX | XX] [GT | LT] [CH] [INCR] score:double member [score:double member ...]"},
    {"zcard", "Returns the number of members of a sorted set.", "1.2.0", "O(1)", "key"},
    {"zcount", "Counts the members of a sorted set with scores in a range.", "2.0.0", "O(log(N)) with N members",
     "key min:double max:double"},
    {"zincrby", "Adds a number to the score of a member of a sorted set; a missing member counts from 0.", "1.2.0",
     "O(log(N)) with N members", "key increment:double member"},
    {"zlexcount", "Counts the members in a range of texts, in a sorted set whose scores are all the same.", "2.8.9",
     "O(log(N)) with N members", "key min max"},
    {"zmpop", "Takes members from the low or high end of the first sorted set that has any.", "7.0.0",
     "O(K) + O(M*log(N)): K keys, M members taken of N", "numkeys:integer key [key ...] <MIN | MAX> [COUNT count]"},
    {"zmscore", "Returns the scores of several members of a sorted set.", "6.2.0",
     "O(N) in the number of members asked", "key member [member ...]"},
    {"zpopmax", "Takes the members with the highest scores out of a sorted set and returns them.", "5.0.0",
     "O(log(N)*M) with M of N members taken", "key [count]"},
    {"zpopmin", "Takes the members with the lowest scores out of a sorted set and returns them.", "5.0.0",
     "O(log(N)*M) with M of N members taken", "key [count]"},
    {"zrange", "Returns a range of a sorted set, by index, score or text, from either end.", "1.2.0",
     "O(log(N)+M) with M of N members returned",
     "key start:string stop:string [BYSCORE | BYLEX] [REV] [LIMIT offset:integer count] [WITHSCORES]"},
    {"zrangebylex", "Returns a range of texts of a sorted set whose scores are all the same.", "2.8.9",
     "O(log(N)+M) with M of N members returned", "key min max [LIMIT offset:integer count]"},
    {"zrangebyscore", "Returns the members of a sorted set with scores in a range, lowest first.", "1.0.5",
     "O(log(N)+M) with M of N members returned", "key min:double max:double [WITHSCORES] [LIMIT offset:integer count]"},
    {"zrangestore", "Stores a range of a sorted set, by index, score or text, as another one.", "6.2.0",
     "O(log(N)+M) with M of N members stored",
     "dst:key src:key min:string max:string [BYSCORE | BYLEX] [REV] [LIMIT offset:integer count]"},
    {"zrank", "Returns the index of a member of a sorted set, counted from the lowest score.", "2.0.0",
     "O(log(N)) with N members", "key member [WITHSCORE]"},
    {"zrem", "Takes members out of a sorted set.", "1.2.0", "O(M*log(N)) with M of N members removed",
     "key member [member ...]"},
    {"zremrangebylex", "Takes a range of texts out of a sorted set whose scores are all the same.", "2.8.9",
     "O(log(N)+M) with M of N members removed", "key min max"},
    {"zremrangebyrank", "Takes the members with indexes in a range out of a sorted set.", "2.0.0",
     "O(log(N)+M) with M of N members removed", "key start:integer stop:integer"},
    {"zremrangebyscore", "Takes the members with scores in a range out of a sorted set.", "1.2.0",
     "O(log(N)+M) with M of N members removed", "key min:double max:double"},
    {"zrevrange", "Returns a range of a sorted set by index, highest score first.", "1.2.0",
     "O(log(N)+M) with M of N members returned", "key start:integer stop:integer [WITHSCORES]"},
    {"zrevrangebylex", "Returns a range of texts of a sorted set whose scores are all the same, last one first.",
     "2.8.9", "O(log(N)+M) with M of N members returned", "key max min [LIMIT offset:integer count]"},
    {"zrevrangebyscore", "Returns the members of a sorted set with scores in a range, highest first.", "2.2.0",
     "O(log(N)+M) with M of N members returned", "key max:double min:double [WITHSCORES] [LIMIT offset:integer count]"},
    {"zrevrank", "Returns the index of a member of a sorted set, counted from the highest score.", "2.0.0",
     "O(log(N)) with N members", "key member [WITHSCORE]"},
    {"zscore", "Returns the score of a member of a sorted set.", "1.2.0", "O(1)", "key member"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kZsetDocs = kDocs;

}  // namespace larder
