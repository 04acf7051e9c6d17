// What is told about the string commands: see server/core/command_docs.h for the notation.

#include "server/command/string_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kStringDocRows[] = {
    {"append", "Adds a text to the end of a string, and creates the key when it is missing.", "2.0.0",
     "O(1) amortized over appends of short texts", "key value"},
    {"decr", "Counts the number at a key down by one; a missing key counts from 0.", "1.0.0", "O(1)", "key"},
    {"decrby", "Subtracts an integer from the number at a key; a missing key counts from 0.", "1.0.0", "O(1)",
     "key decrement:integer"},
    {"delifeq", "Deletes a key if its string equals the given one.", "9.0.0", "O(1)", "key value"},
    {"get", "Returns the string at a key.", "1.0.0", "O(1)", "key"},
    {"getdel", "Returns the string at a key and deletes the key.", "6.2.0", "O(1)", "key"},
    {"getex", "Returns the string at a key and changes or removes its time to live.", "6.2.0", "O(1)",
     "key [EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | "
     "PXAT unix-time-milliseconds:unix-time | PERSIST]"},
    {"getrange", "Returns part of a string, given by its first and last byte.", "2.4.0",
     "O(N) in the length of the part", "key start:integer end:integer"},
    {"getset", "Replaces the string at a key and returns the old one.", "1.0.0", "O(1)", "key value"},
    {"incr", "Counts the number at a key up by one; a missing key counts from 0.", "1.0.0", "O(1)", "key"},
    {"incrby", "Adds an integer to the number at a key; a missing key counts from 0.", "1.0.0", "O(1)",
     "key increment:integer"},
    {"incrbyfloat", "Adds a decimal number to the number at a key; a missing key counts from 0.", "2.6.0", "O(1)",
     "key increment:double"},
    {"increx", "Adds to the number at a key within bounds, and sets or removes its time to live.", "8.8.0", "O(1)",
     "key [BYFLOAT increment:double | BYINT increment:integer] [LBOUND lowerbound:string] [UBOUND upperbound:string] "
     "[SATURATE] [EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | "
     "PXAT unix-time-milliseconds:unix-time | PERSIST] [ENX]"},
    {"lcs", "Finds the longest sequence of bytes that two strings have in common.", "7.0.0",
     "O(N*M) in the lengths of the two strings",
     "key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]"},
    {"mget", "Returns the strings at several keys.", "1.0.0", "O(N) in the number of keys", "key [key ...]"},
    {"mset", "Sets several keys to strings, all at once.", "1.0.1", "O(N) in the number of keys",
     "key value [key value ...]"},
    {"msetex", "Sets several keys to strings, under a condition and with one time to live for all.", "9.1.0",
     "O(N) in the number of keys",
     "numkeys:integer key value [key value ...] [NX | XX] [EX seconds:integer | PX milliseconds:integer | "
     "EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL]"},
    {"msetnx", "Sets several keys to strings if none of them exists.", "1.0.1", "O(N) in the number of keys",
     "key value [key value ...]"},
    {"psetex", "Sets a key to a string with a time to live in milliseconds.", "2.6.0", "O(1)",
     "key milliseconds:integer value"},
    {"set", "Sets a key to a string, whatever it held before; with options, under a condition or with a time to live.",
     "1.0.0", "O(1)",
     "key value [NX | XX | IFEQ comparison-value | IFNE comparison-value | IFDEQ comparison-digest | "
     "IFDNE comparison-digest] [GET] [EX seconds:integer | PX milliseconds:integer | "
     "EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL]"},
    {"setex", "Sets a key to a string with a time to live in seconds.", "2.0.0", "O(1)", "key seconds:integer value"},
    {"setnx", "Sets a key to a string if the key does not exist.", "1.0.0", "O(1)", "key value"},
    {"setrange", "Overwrites part of a string from an offset on, and lengthens it when needed.", "2.2.0",
     "O(N) in the number of bytes written and of zero bytes filled in", "key offset:integer value"},
    {"strlen", "Returns the length of the string at a key in bytes.", "2.2.0", "O(1)", "key"},
    {"substr", "Returns part of a string: an old name of GETRANGE.", "1.0.0", "O(N) in the length of the part",
     "key start:integer end:integer"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kStringDocs = kStringDocRows;

}  // namespace larder
