// Looking ahead in an RDB file: the keys that come next are hashed, so that their places in the hash table are on their way from
// memory before they are needed.
//
// Only what is easy is looked at: bytes that were read already, keys that are not compressed, values of few strings. A look
// never fails: where it does not understand the bytes it ends, and the reader that follows says what is wrong with them.
// Nothing depends on what it finds but speed.
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "storage/keyspace.h"

namespace larder {

// Looks at the items at the beginning of `bytes`, keys of `keyspace`. Returns how many keys it has found: 16 at most, as the
// processor has about a dozen lines on their way at a time.
size_t prefetch_rdb_keys(Bytes bytes, const Keyspace& keyspace, const Store& store);

}  // namespace larder
