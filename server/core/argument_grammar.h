#pragma once

// The one-line argument grammar of CommandDocs as a tree, in the terms of COMMAND DOCS.
//
//     key value [NX | XX] [EX seconds | KEEPTTL] [field value ...]
//
//     sequence := item+                         alternatives := sequence ('|' sequence)*
//     item     := TOKEN | name[:type] | '[' alternatives ']' | '<' alternatives '>'   each may be followed by '...'
//
// How the text becomes a tree:
//   - An upper-case word in front of a lower-case one or of `< >` is the token of that argument (`EX seconds`); alone
//   it
//     is a pure token. In a group, TOKEN with several arguments is a block that carries the token (`LIMIT offset
//     count`).
//   - `x [x ...]` is one argument that may be repeated; `a b [a b ...]` a block that may be. `TOKEN x [TOKEN x ...]`
//     repeats its token too. `[x ...]` without an x before it is optional and may be repeated.
//   - Alternatives become `oneof`, a group of several items a `block`; these are named after what is in them.
//   - A type that is not given follows from the name: key, pattern, count, seconds and the like; else string.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace larder {

struct GrammarArgument {
  enum class Type : uint8_t { kString, kInteger, kDouble, kKey, kPattern, kUnixTime, kPureToken, kOneOf, kBlock };

  Type type = Type::kString;
  std::string name;   // lower case
  std::string token;  // as it is written in front of the argument; empty: none
  bool optional = false;
  bool multiple = false;
  bool multiple_token = false;             // each repetition starts with the token again
  std::vector<GrammarArgument> arguments;  // of kOneOf and kBlock

  bool operator==(const GrammarArgument&) const = default;
};

// "pure-token", "unix-time" ...
Bytes grammar_type_name(GrammarArgument::Type type);

// The arguments that the grammar describes, in order; empty for an empty grammar. The error names the offset.
Result<std::vector<GrammarArgument>> parse_argument_grammar(Bytes grammar);

}  // namespace larder
