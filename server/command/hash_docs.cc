// What is told about the hash commands: see server/core/command_docs.h for the notation.

#include "server/command/hash_handlers.h"

namespace larder {
namespace {

constexpr Bytes kPerField = "O(N) in the number of fields given";
constexpr Bytes kExpireGrammar = "key seconds:integer [NX | XX | GT | LT] FIELDS numfields:integer field [field ...]";
constexpr Bytes kFieldsGrammar = "key FIELDS numfields:integer field [field ...]";

constexpr CommandDocs kHashDocRows[] = {
    {"hdel", "Removes fields of a hash. A hash without fields is removed.", "2.0.0", kPerField,
     "key field [field ...]"},
    {"hexists", "Tells whether a hash has a field.", "2.0.0", "O(1)", "key field"},
    {"hexpire", "Gives fields of a hash a time to live in seconds.", "7.4.0", kPerField, kExpireGrammar},
    {"hexpireat", "Sets the moment at which fields of a hash expire, in seconds since 1970.", "7.4.0", kPerField,
     "key unix-time-seconds:unix-time [NX | XX | GT | LT] FIELDS numfields:integer field [field ...]"},
    {"hexpiretime", "Returns the moment at which fields of a hash expire, in seconds since 1970.", "7.4.0", kPerField,
     kFieldsGrammar},
    {"hget", "Returns the value of a field of a hash.", "2.0.0", "O(1)", "key field"},
    {"hgetall", "Returns all fields and values of a hash.", "2.0.0", "O(N) in the size of the hash", "key"},
    {"hgetdel", "Returns the values of fields of a hash and removes the fields.", "8.0.0", kPerField, kFieldsGrammar},
    {"hgetex", "Returns the values of fields of a hash and changes or removes their times to live.", "8.0.0", kPerField,
     "key [EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | "
     "PXAT unix-time-milliseconds:unix-time | PERSIST] FIELDS numfields:integer field [field ...]"},
    {"hincrby", "Adds an integer to the number in a field of a hash; a missing field counts from 0.", "2.0.0", "O(1)",
     "key field increment:integer"},
    {"hincrbyfloat", "Adds a decimal number to the number in a field of a hash; a missing field counts from 0.",
     "2.6.0", "O(1)", "key field increment:double"},
    {"hkeys", "Returns the names of all fields of a hash.", "2.0.0", "O(N) in the size of the hash", "key"},
    {"hlen", "Returns the number of fields of a hash.", "2.0.0", "O(1)", "key"},
    {"hmget", "Returns the values of several fields of a hash.", "2.0.0", kPerField, "key field [field ...]"},
    {"hmset", "Sets fields of a hash: an old name of HSET with another reply.", "2.0.0", kPerField,
     "key field value [field value ...]"},
    {"hpersist", "Removes the times to live of fields of a hash.", "7.4.0", kPerField, kFieldsGrammar},
    {"hpexpire", "Gives fields of a hash a time to live in milliseconds.", "7.4.0", kPerField,
     "key milliseconds:integer [NX | XX | GT | LT] FIELDS numfields:integer field [field ...]"},
    {"hpexpireat", "Sets the moment at which fields of a hash expire, in milliseconds since 1970.", "7.4.0", kPerField,
     "key unix-time-milliseconds:unix-time [NX | XX | GT | LT] FIELDS numfields:integer field [field ...]"},
    {"hpexpiretime", "Returns the moment at which fields of a hash expire, in milliseconds since 1970.", "7.4.0",
     kPerField, kFieldsGrammar},
    {"hpttl", "Returns the times to live of fields of a hash in milliseconds.", "7.4.0", kPerField, kFieldsGrammar},
    {"hrandfield", "Returns random fields of a hash: different ones, or with a negative count drawn with repetition.",
     "6.2.0", "O(N) in the number of fields returned", "key [count:integer [WITHVALUES]]"},
    {"hscan", "Walks over the fields of a hash in steps.", "2.8.0", "O(1) for a step, O(N) for the whole walk",
     "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOVALUES]"},
    {"hset", "Sets fields of a hash, and creates the key when it is missing.", "2.0.0", kPerField,
     "key field value [field value ...]"},
    {"hsetex", "Sets fields of a hash under a condition and with one time to live for all.", "8.0.0", kPerField,
     "key [FNX | FXX] [EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | "
     "PXAT unix-time-milliseconds:unix-time | KEEPTTL] FIELDS numfields:integer field value [field value ...]"},
    {"hsetnx", "Sets a field of a hash if it does not exist.", "2.0.0", "O(1)", "key field value"},
    {"hstrlen", "Returns the length of the value of a field of a hash in bytes.", "3.2.0", "O(1)", "key field"},
    {"httl", "Returns the times to live of fields of a hash in seconds.", "7.4.0", kPerField, kFieldsGrammar},
    {"hvals", "Returns all values of a hash.", "2.0.0", "O(N) in the size of the hash", "key"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kHashDocs = kHashDocRows;

}  // namespace larder
