// A member of a large sorted set: one block with score, length and bytes, referenced by the set's tree (order) and by its
// index (name). It stays where it is for as long as it is a member.
//
//   score (8) │ length (1) │ bytes                 up to 254 bytes
//   score (8) │ 255 │ length (8) │ bytes           beyond
//
// So a 16-byte member takes 25 bytes, in a block of 28. Nothing is aligned: all access is by memcpy.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/prefetch.h"
#include "storage/block_allocator.h"
#include "storage/hash.h"

namespace larder {

// Scores as unsigned numbers of the same order. Both zeros are one. Requires: not NaN.
inline uint64_t score_order(double score) {
  const auto bits = std::bit_cast<uint64_t>(score + 0.0);
  return bits ^ (bits >> 63 != 0 ? UINT64_MAX : uint64_t{1} << 63);
}

class ZsetMember {
 public:
  static ZsetMember* create(BlockAllocator& blocks, Bytes bytes, double score) {
    const bool is_long = bytes.size() >= kLongMark;
    char* block = static_cast<char*>(blocks.allocate(content_bytes_for(bytes.size())));
    std::memcpy(block, &score, sizeof(score));
    block[kScoreBytes] = static_cast<char>(is_long ? kLongMark : bytes.size());
    char* text = block + kScoreBytes + 1;
    if (is_long) {
      const uint64_t length = bytes.size();
      std::memcpy(text, &length, sizeof(length));
      text += sizeof(length);
    }
    if (!bytes.empty()) std::memcpy(text, bytes.data(), bytes.size());
    return reinterpret_cast<ZsetMember*>(block);
  }
  static void destroy(BlockAllocator& blocks, ZsetMember* member) { blocks.free(member, member->content_bytes()); }

  double score() const {
    double score;
    std::memcpy(&score, this, sizeof(score));
    return score;
  }
  void set_score(double score) { std::memcpy(static_cast<void*>(this), &score, sizeof(score)); }
  uint64_t order() const { return score_order(score()); }

  Bytes bytes() const {
    const char* at = reinterpret_cast<const char*>(this) + kScoreBytes;
    const auto length = static_cast<uint8_t>(*at);
    if (length != kLongMark) [[likely]]
      return {at + 1, length};
    uint64_t long_length;
    std::memcpy(&long_length, at + 1, sizeof(long_length));
    return {at + 1 + sizeof(long_length), long_length};
  }
  size_t content_bytes() const { return content_bytes_for(bytes().size()); }
  size_t memory_bytes() const { return block_bytes(content_bytes()); }

 private:
  static constexpr size_t kScoreBytes = sizeof(double);
  static constexpr uint8_t kLongMark = 255;
  static constexpr size_t content_bytes_for(size_t length) {
    return kScoreBytes + 1 + (length >= kLongMark ? sizeof(uint64_t) : 0) + length;
  }

  ZsetMember() = default;
  [[maybe_unused]] char header_[kScoreBytes + 1];  // what a member has at least: read by memcpy
};
static_assert(alignof(ZsetMember) == 1);

// The index of members by name.
struct ZsetMemberPolicy {
  using Item = ZsetMember;
  using Key = Bytes;
  uint64_t seed = 0;

  static bool equal(const ZsetMember& member, Bytes bytes) { return same_bytes(member.bytes(), bytes); }
  uint64_t hash(const ZsetMember& member) const { return hash_bytes(member.bytes(), seed); }
  // Both lines that a member of usual size may lie in.
  static void prefetch(const ZsetMember* member) {
    prefetch_line(member);
    prefetch_line(reinterpret_cast<const char*>(member) + 28);
  }
};

}  // namespace larder
