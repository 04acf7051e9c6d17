// The one hash of the keyspace and of every collection: XXH3 over the bytes with a seed that the process draws at its
// start, so that nobody outside can choose keys that collide.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace larder {

// 64 bits, all of them good. About 3 ns for 16 bytes.
uint64_t hash_bytes(Bytes bytes, uint64_t seed);

// A key with its hash, computed once per command and passed along. The bytes are the caller's.
struct HashedKey {
  Bytes bytes;
  uint64_t hash = 0;
};

}  // namespace larder
