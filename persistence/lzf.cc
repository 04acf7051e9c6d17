#include "persistence/lzf.h"

#include <liblzf/lzf.h>

#include <climits>

namespace larder {

size_t lzf_pack(Bytes raw, char* out, size_t out_bytes_max) {
  if (raw.empty() || raw.size() > UINT_MAX || out_bytes_max == 0) return 0;
  const auto room = static_cast<unsigned>(out_bytes_max < raw.size() ? out_bytes_max : raw.size());
  return lzf_compress(raw.data(), static_cast<unsigned>(raw.size()), out, room);
}

bool lzf_unpack(Bytes packed, char* out, size_t raw_bytes) {
  if (packed.empty() || packed.size() > UINT_MAX || raw_bytes == 0 || raw_bytes > UINT_MAX) return false;
  return lzf_decompress(packed.data(), static_cast<unsigned>(packed.size()), out, static_cast<unsigned>(raw_bytes)) ==
         raw_bytes;
}

}  // namespace larder
