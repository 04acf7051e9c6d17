// A string as an array of bits: what the bitmap commands compute. Bit 0 is the most significant bit of the first byte,
// as in Redis. Pure functions over bytes; whole 64-bit words at a time wherever there are some.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace larder {

// The number of bits set in all of `bytes`.
uint64_t count_bits(Bytes bytes);
// The same in the bits [first, end). Requires: first <= end <= 8 * bytes.size().
uint64_t count_bits(Bytes bytes, uint64_t first, uint64_t end);

// The first bit in [first, end) that equals `wanted`, or `end`. Requires: first <= end <= 8 * bytes.size().
uint64_t find_bit(Bytes bytes, bool wanted, uint64_t first, uint64_t end);

// A bit; bits behind the end are 0.
bool read_bit(Bytes bytes, uint64_t offset);
// Requires: the bit is inside.
void write_bit(char* bytes, uint64_t offset, bool value);

// `width` bits (1 to 64) from `offset` on as an unsigned number, the first bit its highest. Bits behind the end are 0.
uint64_t read_bit_field(Bytes bytes, uint64_t offset, unsigned width);
// Requires: all bits are inside. Bits of `value` above `width` are not looked at.
void write_bit_field(char* bytes, uint64_t offset, unsigned width, uint64_t value);

enum class BitOperation : uint8_t {
  kAnd,
  kOr,
  kXor,
  kNot,      // of the first source; there is no other
  kDiff,     // set in the first source and in none of the others
  kDiffOne,  // not set in the first source, but in one of the others
  kAndOr,    // set in the first source and in one of the others
  kOne,      // set in exactly one of all
};
// Writes `size` bytes of the result to `out`. Sources shorter than that count as if zero bytes followed. Requires: at
// least one source; `out` overlaps none of them.
void combine_bits(BitOperation operation, std::span<const Bytes> sources, char* out, size_t size);

}  // namespace larder
