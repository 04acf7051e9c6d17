// What is told about the generic commands: see server/core/command_docs.h for the notation.

#include "server/command/generic_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kGenericDocRows[] = {
    {"copy", "Copies the value of a key to another key, also in another database.", "6.2.0",
     "O(N) in the size of the value", "source:key destination:key [DB destination-db:integer] [REPLACE]"},
    {"del", "Deletes keys.", "1.0.0", "O(N) in the number of keys", "key [key ...]"},
    {"exists", "Counts how many of the given keys exist; a key given twice counts twice.", "1.0.0",
     "O(N) in the number of keys", "key [key ...]"},
    {"expire", "Gives a key a time to live in seconds.", "1.0.0", "O(1)", "key seconds:integer [NX | XX | GT | LT]"},
    {"expireat", "Lets a key expire at a Unix time in seconds.", "1.2.0", "O(1)",
     "key unix-time-seconds:unix-time [NX | XX | GT | LT]"},
    {"expiretime", "Returns the Unix time in seconds at which a key expires.", "7.0.0", "O(1)", "key"},
    {"keys", "Returns every key whose name matches a pattern. Visits the whole database: prefer SCAN.", "1.0.0",
     "O(N) in the number of keys in the database", "pattern"},
    {"move", "Moves a key to another database.", "1.0.0", "O(1)", "key db:integer"},
    {"object", "Looks at how values are kept: a container of subcommands.", "2.2.3", "Depends on the subcommand", ""},
    {"object|encoding", "Returns the name of the form in which a value is kept.", "2.2.3", "O(1)", "key"},
    {"object|freq", "Returns the logarithmic counter of a key's uses.", "4.0.0", "O(1)", "key"},
    {"object|help", "Lists the subcommands of OBJECT.", "6.2.0", "O(1)", ""},
    {"object|idletime", "Returns the seconds since a key was last used.", "2.2.3", "O(1)", "key"},
    {"object|refcount", "Returns the number of references to a value.", "2.2.3", "O(1)", "key"},
    {"persist", "Removes the time to live of a key.", "2.2.0", "O(1)", "key"},
    {"pexpire", "Gives a key a time to live in milliseconds.", "2.6.0", "O(1)",
     "key milliseconds:integer [NX | XX | GT | LT]"},
    {"pexpireat", "Lets a key expire at a Unix time in milliseconds.", "2.6.0", "O(1)",
     "key unix-time-milliseconds:unix-time [NX | XX | GT | LT]"},
    {"pexpiretime", "Returns the Unix time in milliseconds at which a key expires.", "7.0.0", "O(1)", "key"},
    {"pttl", "Returns how many milliseconds a key still has to live.", "2.6.0", "O(1)", "key"},
    {"randomkey", "Returns a key drawn at random from the database.", "1.0.0", "O(1)", ""},
    {"rename", "Gives a key another name, and replaces what had that name.", "1.0.0", "O(1)", "key newkey:key"},
    {"renamenx", "Gives a key another name if that is free.", "1.0.0", "O(1)", "key newkey:key"},
    {"scan", "Walks the keys of the database step by step.", "2.8.0",
     "O(1) for a call, O(N) in the number of keys for the whole walk",
     "cursor:integer [MATCH pattern] [COUNT count:integer] [TYPE type]"},
    {"touch", "Counts as a use of the given keys; returns how many of them exist.", "3.2.1",
     "O(N) in the number of keys", "key [key ...]"},
    {"ttl", "Returns how many seconds a key still has to live.", "1.0.0", "O(1)", "key"},
    {"type", "Returns the type of the value at a key.", "1.0.0", "O(1)", "key"},
    {"unlink", "Deletes keys.", "4.0.0", "O(N) in the number of keys", "key [key ...]"},
    {"wait",
     "Waits until so many replicas have everything that was written, or the time is over; returns how many have.",
     "3.0.0", "O(1)", "numreplicas:integer timeout:integer"},
    {"waitaof",
     "Waits until everything that was written is on this server's disk, on so many replicas' disks, or the time is "
     "over; "
     "returns how many disks have it.",
     "7.2.0", "O(1)", "numlocal:integer numreplicas:integer timeout:integer"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kGenericDocs = kGenericDocRows;

}  // namespace larder
