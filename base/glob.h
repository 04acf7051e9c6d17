// Glob patterns as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules use them, over bytes:
//   *        any run, also empty        ?        any one byte
//   [abc]    one of these               [a-z]    one in this range (either order)
//   [^abc]   none of these              \x       the byte x itself, also inside brackets
// A bracket that is never closed ends with the pattern; a backslash at the very end stands for itself.
//
// Cost: O(pattern) memory-free, at worst O(pattern x text): only the latest '*' is ever returned to, because an earlier
// one cannot help when a later one failed. There is no recursion.
#pragma once

#include "base/bytes.h"

namespace larder {

bool glob_match(Bytes pattern, Bytes text, bool ignore_case = false);

// True when the pattern has none of the special bytes, so that it matches only itself.
bool glob_is_literal(Bytes pattern);

}  // namespace larder
