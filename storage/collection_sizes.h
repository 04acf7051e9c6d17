// How sets and hashes write down sizes: the length in front of a member's or field's block, and the byte in front of a
// packed sequence.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"

namespace larder {

// ---- Lengths: seven bits a byte, lowest first, all but the last with the top bit set.
constexpr size_t length_prefix_bytes(size_t length) {
  size_t bytes = 1;
  for (; length > 127; length >>= 7) bytes++;
  return bytes;
}

inline char* write_length_prefix(char* out, size_t length) {
  for (; length > 127; length >>= 7) *out++ = static_cast<char>(length | 128);
  *out++ = static_cast<char>(length);
  return out;
}

// Moves *at behind the length.
inline size_t read_length_prefix(const char** at) {
  auto byte = static_cast<uint8_t>(*(*at)++);
  size_t length = byte & 127;
  for (uint32_t shift = 7; byte & 128; shift += 7) {
    byte = static_cast<uint8_t>(*(*at)++);
    length |= static_cast<size_t>(byte & 127) << shift;
  }
  return length;
}

// ---- The byte in front of a packed set or hash
//
//   bits 0 to 5   how many members or fields
//   bit 6         shown as "hashtable": it has outgrown the thresholds that Redis would keep it packed by
//   bit 7         a hash whose fields have deadlines
//
// What is packed here and what Redis would pack are not the same: a collection is packed while that is fast to edit,
// which is up to 63 elements and kPackedCollectionBytesMax, whatever the thresholds say.
inline constexpr size_t kPackedHeadBytes = 1;
inline constexpr size_t kPackedCountMax = 63;
// Measured: moving half of a kilobyte costs as much as the two cache misses of a table.
inline constexpr size_t kPackedCollectionBytesMax = 1024;

class PackedHead {
 public:
  PackedHead() = default;
  explicit PackedHead(Bytes value) : byte_(static_cast<uint8_t>(value[0])) {}

  size_t count() const { return byte_ & kPackedCountMax; }
  bool shown_as_table() const { return byte_ & 0x40; }
  bool has_deadlines() const { return byte_ & 0x80; }

  PackedHead with_count(size_t count) const {
    LARDER_ASSERT(count <= kPackedCountMax);
    return PackedHead(static_cast<uint8_t>((byte_ & ~kPackedCountMax) | count));
  }
  PackedHead with_table_shown(bool shown) const {
    return PackedHead(static_cast<uint8_t>((byte_ & ~0x40) | (shown ? 0x40 : 0)));
  }
  PackedHead with_deadlines(bool has) const {
    return PackedHead(static_cast<uint8_t>((byte_ & ~0x80) | (has ? 0x80 : 0)));
  }
  void write(char* out) const { *out = static_cast<char>(byte_); }

 private:
  explicit PackedHead(uint8_t byte) : byte_(byte) {}
  uint8_t byte_ = 0;
};

}  // namespace larder
