#include "persistence/lzf.h"

#include <liblzf/lzf.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstring>

namespace larder {
namespace {

// Control bytes below this announce bytes as they are.
constexpr size_t kLiteralMax = 32;
constexpr size_t kWordBytes = 8;

// Copies `size` bytes, at most kLiteralMax. Both sides have `room` bytes, so that mostly a copy of a fixed size will do.
void copy_literal(char* to, const uint8_t* from, size_t size, size_t room) {
  if (room >= kLiteralMax) {
    std::memcpy(to, from, kLiteralMax);
  } else {
    std::memcpy(to, from, size);
  }
}

// Repeats what is `distance` bytes before `to`, `size` bytes of it; there is `room` for more.
void copy_match(char* to, size_t distance, size_t size, size_t room) {
  const char* const from = to - distance;
  if (distance == 1) {
    std::memset(to, *from, size);
  } else if (distance >= kWordBytes && room >= size + kWordBytes) {
    for (size_t i = 0; i < size; i += kWordBytes) std::memcpy(to + i, from + i, kWordBytes);
  } else {
    for (size_t i = 0; i < size; i++) to[i] = from[i];
  }
}

}  // namespace

size_t lzf_pack(Bytes raw, char* out, size_t out_bytes_max) {
  if (raw.empty() || raw.size() > UINT_MAX || out_bytes_max == 0) return 0;
  const auto room = static_cast<unsigned>(out_bytes_max < raw.size() ? out_bytes_max : raw.size());
  return lzf_compress(raw.data(), static_cast<unsigned>(raw.size()), out, room);
}

// A run of packed bytes is one of
//
//   000nnnnn │ n + 1 bytes as they are
//   nnnddddd │ dddddddd             n + 2 bytes (n from 1 to 6) of what is d + 1 bytes before the end of the output
//   111ddddd │ nnnnnnnn │ dddddddd  the same with n + 9 bytes
//
// Read here and not by the library, which copies a byte at a time: values of RDB files are short runs and repetitions.
bool lzf_unpack(Bytes packed, char* out, size_t raw_bytes) {
  if (packed.empty() || raw_bytes == 0) return false;
  const auto* at = reinterpret_cast<const uint8_t*>(packed.data());
  const uint8_t* const end = at + packed.size();
  char* to = out;
  char* const out_end = out + raw_bytes;
  while (at < end) {
    const size_t control = *at++;
    if (control < kLiteralMax) {
      const size_t size = control + 1;
      if (size > static_cast<size_t>(end - at) || size > static_cast<size_t>(out_end - to)) return false;
      copy_literal(to, at, size, static_cast<size_t>(std::min<ptrdiff_t>(end - at, out_end - to)));
      at += size;
      to += size;
      continue;
    }
    size_t size = (control >> 5) + 2;
    const size_t more = control >> 5 == 7 ? 2 : 1;
    if (static_cast<size_t>(end - at) < more) return false;
    if (more == 2) size += *at++;
    const size_t distance = ((control & 0x1f) << 8 | *at++) + 1;
    if (distance > static_cast<size_t>(to - out) || size > static_cast<size_t>(out_end - to)) return false;
    copy_match(to, distance, size, static_cast<size_t>(out_end - to));
    to += size;
  }
  return to == out_end;
}

}  // namespace larder
