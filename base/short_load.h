// The bytes of a short text in one word, for comparing and converting them together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace larder {

// The first `size` bytes at `text`, the first one lowest; the bytes above them are zero. Reads none behind the text, and
// calls no memcpy of unknown size. Requires: 1 <= size <= 8.
inline uint64_t load_short(const char* text, size_t size) {
  if (size == 8) {
    uint64_t word;
    std::memcpy(&word, text, 8);
    return word;
  }
  if (size >= 4) {
    // Two halves that overlap.
    uint32_t low;
    uint32_t high;
    std::memcpy(&low, text, 4);
    std::memcpy(&high, text + size - 4, 4);
    return low | (static_cast<uint64_t>(high) << (8 * (size - 4)));
  }
  const auto byte = [text](size_t at) {
    return static_cast<uint64_t>(static_cast<unsigned char>(text[at])) << (8 * at);
  };
  return byte(0) | byte(size / 2) | byte(size - 1);
}

}  // namespace larder
