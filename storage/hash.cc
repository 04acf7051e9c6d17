#include "storage/hash.h"

#include <xxhash.h>

namespace larder {

uint64_t hash_bytes(Bytes bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

}  // namespace larder
