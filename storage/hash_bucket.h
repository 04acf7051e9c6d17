// The leaf of the hash table: a bucket of one cache line with seven slots. See hash_table.h for the whole picture.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace larder {

inline constexpr uint32_t kSlotsPerBucket = 7;

// One word: the upper 16 bits are the item's extension (the hash bits that follow its segment's prefix), the lower 48
// its address.
struct HashSlot {
  static constexpr uint64_t kAddressMask = (uint64_t{1} << 48) - 1;

  static constexpr uint64_t make(uint32_t extension, uint64_t address) {
    return (static_cast<uint64_t>(extension) << 48) | address;
  }
  uint32_t extension() const { return static_cast<uint32_t>(word >> 48); }
  // The 12 bits of the extension that are always known.
  uint32_t order() const { return static_cast<uint32_t>(word >> 52); }
  uint64_t address() const { return word & kAddressMask; }
  void set_address(uint64_t address) { word = (word & ~kAddressMask) | address; }

  uint64_t word;
};

// Bits 0 to 6 stand for the seven slots.
class SlotMask {
 public:
  explicit SlotMask(uint32_t bits) : bits_(bits) {}
  explicit operator bool() const { return bits_ != 0; }
  uint32_t first() const { return static_cast<uint32_t>(std::countr_zero(bits_)); }
  void drop_first() { bits_ &= bits_ - 1; }

 private:
  uint32_t bits_;
};

struct alignas(64) HashBucket {
  static constexpr uint8_t kFree = 0;
  static constexpr uint8_t kOverflowSaturated = 255;

  // The tag of a hash: its low byte, made different from kFree.
  static uint8_t tag_of(uint64_t hash) {
    const uint8_t low = static_cast<uint8_t>(hash);
    return static_cast<uint8_t>(low + (low == kFree));
  }

  // The slots whose tag is `tag`; all seven are compared at once.
  SlotMask match(uint8_t tag) const {
#if defined(__SSE2__)
    const __m128i line = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(tags));
    const __m128i equal = _mm_cmpeq_epi8(line, _mm_set1_epi8(static_cast<char>(tag)));
    return SlotMask(static_cast<uint32_t>(_mm_movemask_epi8(equal)) & 0x7f);
#else
    return match_portable(tag);
#endif
  }
  SlotMask match_free() const { return match(kFree); }

  // The same in plain C++: zero bytes of tags ^ pattern, exactly (no carry runs from byte to byte), gathered to bits.
  SlotMask match_portable(uint8_t tag) const {
    constexpr uint64_t kLowBits = 0x7f7f7f7f7f7f7f7fu;
    uint64_t line;
    std::memcpy(&line, tags, sizeof(line));
    const uint64_t difference = line ^ (0x0101010101010101u * tag);
    const uint64_t zero_bytes = ~(((difference & kLowBits) + kLowBits) | difference | kLowBits);
    return SlotMask(static_cast<uint32_t>(((zero_bytes >> 7) * 0x0102040810204080u) >> 56) & 0x7f);
  }

  void set(uint32_t index, uint8_t tag, uint64_t word) {
    tags[index] = tag;
    slots[index].word = word;
  }

  uint8_t tags[kSlotsPerBucket];
  // How many items passed this bucket, full, on the way from their home to where they are. 0 ends a search.
  // Once at 255 it stays there until the segment is rebuilt.
  uint8_t overflow;
  HashSlot slots[kSlotsPerBucket];
};
static_assert(sizeof(HashBucket) == 64);
static_assert(std::endian::native == std::endian::little, "tags and slots are read as little-endian words");

}  // namespace larder
