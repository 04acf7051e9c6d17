// LZF, the compression of strings in RDB files. What compresses is liblzf's (docs/decisions/2026-11-21-liblzf.md); this is
// what the rest of the project sees of it.
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace larder {

// A compressed run of n bytes cannot stand for more than this many times n: three bytes name 264.
inline constexpr size_t kLzfExpansionMax = 88;

// Writes the compressed form into `out`, which has room for `out_bytes_max`; returns its size, or 0 if it does not fit.
size_t lzf_pack(Bytes raw, char* out, size_t out_bytes_max);
// Writes exactly `raw_bytes` bytes into `out`. False if `packed` does not stand for exactly so many; reads and writes
// nothing out of bounds, whatever it holds.
[[nodiscard]] bool lzf_unpack(Bytes packed, char* out, size_t raw_bytes);

}  // namespace larder
