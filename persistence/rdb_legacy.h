// The packed encodings of older versions: ziplists (Redis 2.6 to 6) and zipmaps (2.4), turned into a sequence of
// listpack.h. Checked as a whole; hostile bytes are refused.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "base/bytes.h"

namespace larder {

// Appends the elements to *sequence. False: the bytes are malformed, and *sequence is of no use.
//
//   ziplist:  total bytes (4) │ offset of the last entry (4) │ count (2) │ entry ... │ 0xff       all little endian
//   entry:    size of the entry before (1, or 0xfe and 4) │ encoding │ string or integer
[[nodiscard]] bool read_ziplist(Bytes ziplist, Buffer* sequence, size_t* count);
//   zipmap:   count (254: too many) │ (length │ key │ length │ free │ value │ `free` bytes) ... │ 0xff
[[nodiscard]] bool read_zipmap(Bytes zipmap, Buffer* sequence, size_t* count);

}  // namespace larder
