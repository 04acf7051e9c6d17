// What is told about the list commands: see server/core/command_docs.h for the notation.

#include "server/command/list_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kListDocRows[] = {
    {"blmove", "Moves an element from one list to another; waits while there is none.", "6.2.0", "O(1)",
     "source:key destination:key <LEFT | RIGHT> <LEFT | RIGHT> timeout:double"},
    {"blmpop", "Takes elements from the first of several lists that has any; waits while none has.", "7.0.0",
     "O(N+M), N the number of keys and M of elements taken",
     "timeout:double numkeys:integer key [key ...] <LEFT | RIGHT> [COUNT count:integer]"},
    {"blpop", "Takes the first element of the first of several lists that has any; waits while none has.", "2.0.0",
     "O(N) in the number of keys", "key [key ...] timeout:double"},
    {"brpop", "Takes the last element of the first of several lists that has any; waits while none has.", "2.0.0",
     "O(N) in the number of keys", "key [key ...] timeout:double"},
    {"brpoplpush", "Moves the last element of a list to the front of another; waits while there is none.", "2.2.0",
     "O(1)", "source:key destination:key timeout:double"},
    {"lindex", "Returns an element of a list by its index.", "1.0.0",
     "O(1) at the ends, O(N/10000) in between, N the number of elements", "key index:integer"},
    {"linsert", "Inserts an element before or after another.", "2.2.0",
     "O(N) in the number of elements up to the other one", "key <BEFORE | AFTER> pivot element"},
    {"llen", "Tells how many elements a list has.", "1.0.0", "O(1)", "key"},
    {"lmove", "Moves an element from an end of a list to an end of another.", "6.2.0", "O(1)",
     "source:key destination:key <LEFT | RIGHT> <LEFT | RIGHT>"},
    {"lmpop", "Takes elements from the first of several lists that has any.", "7.0.0",
     "O(N+M), N the number of keys and M of elements taken",
     "numkeys:integer key [key ...] <LEFT | RIGHT> [COUNT count:integer]"},
    {"lpop", "Takes elements from the front of a list.", "1.0.0", "O(N) in the number of elements taken",
     "key [count:integer]"},
    {"lpos", "Finds the indexes of elements that equal a text.", "6.0.6", "O(N) in the number of elements",
     "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]"},
    {"lpush", "Adds elements to the front of a list, and creates the key when it is missing.", "1.0.0",
     "O(N) in the number of new elements", "key element [element ...]"},
    {"lpushx", "Adds elements to the front of a list that exists.", "2.2.0", "O(N) in the number of new elements",
     "key element [element ...]"},
    {"lrange", "Returns a stretch of a list.", "1.0.0", "O(N) in the number of elements returned",
     "key start:integer stop:integer"},
    {"lrem", "Removes elements that equal a text.", "1.0.0", "O(N) in the number of elements",
     "key count:integer element"},
    {"lset", "Replaces an element by its index.", "1.0.0",
     "O(1) at the ends, O(N/10000) in between, N the number of elements", "key index:integer element"},
    {"ltrim", "Removes everything but a stretch of a list.", "1.0.0", "O(N) in the number of elements removed",
     "key start:integer stop:integer"},
    {"rpop", "Takes elements from the back of a list.", "1.0.0", "O(N) in the number of elements taken",
     "key [count:integer]"},
    {"rpoplpush", "Moves the last element of a list to the front of another.", "1.2.0", "O(1)",
     "source:key destination:key"},
    {"rpush", "Adds elements to the back of a list, and creates the key when it is missing.", "1.0.0",
     "O(N) in the number of new elements", "key element [element ...]"},
    {"rpushx", "Adds elements to the back of a list that exists.", "2.2.0", "O(N) in the number of new elements",
     "key element [element ...]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kListDocs = kListDocRows;

}  // namespace larder
