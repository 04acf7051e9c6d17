#include "storage/stream_id.h"

#include <cstring>

namespace larder {

void write_raw_stream_id(char (&out)[kStreamIdRawBytes], StreamId id) {
  const uint64_t words[2] = {__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
  std::memcpy(out, words, sizeof(words));
}

StreamId read_raw_stream_id(const char* raw) {
  uint64_t words[2];
  std::memcpy(words, raw, sizeof(words));
  return {__builtin_bswap64(words[0]), __builtin_bswap64(words[1])};
}

}  // namespace larder
