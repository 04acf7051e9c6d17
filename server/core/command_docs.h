#pragma once

// What is told about a command: summary, history and the grammar of its arguments.
//
// One row per command and subcommand, in `<family>_docs.cc` beside the family's handlers. The same rows feed COMMAND
// DOCS, the CLI's completion and hints, and the random command generator of the tests. The grammar is one line in the
// notation that Redis's own documentation uses:
//
//     key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]
//
// lower-case words are arguments (their name says the kind: key, integer-valued names, pattern ...), upper-case words are
// literal tokens, `[ ]` is optional, `|` separates alternatives inside brackets or `< >`, `...` after an item repeats
// it. A name may carry its type as `name:type` with type one of key string integer double unix-time pattern.

#include <span>

#include "base/bytes.h"

namespace larder {

struct CommandDocs {
  Bytes name;  // lower case; "config|get" for a subcommand
  Bytes summary;
  Bytes since;       // first version of Redis (or, for its own commands, of Larder) that has it
  Bytes complexity;  // "O(1)" ...
  Bytes grammar;     // arguments after the name(s), in the notation above; empty when there are none
};

}  // namespace larder
