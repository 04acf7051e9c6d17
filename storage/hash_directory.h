// The directory of the hash table: from the top bits of a hash to the segment of items that start with them. See
// hash_table.h for the whole picture.
//
//   root: 2^d words, d up to 16, indexed by the top d bits          a word is one of
//     ├─ segment  bucket count (16 bits) | address | local depth
//     └─ branch   0              (16 bits) | address | its depth: 2^s words, indexed by the s bits after the first 16
//
// A segment of local depth l is named by 2^(d-l) neighbouring words. With d = 0 the single word lives in the object
// itself. Doubling the root copies at most 256 KB into 512 KB (some 100 us, at about 30 million items), a branch far less:
// there is no size at which the directory as a whole is copied.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "storage/hash_segment.h"

namespace larder {

// A word of the directory that names a segment: all that a look-up needs, without touching the segment's header.
class SegmentWord {
 public:
  explicit SegmentWord(uint64_t word) : word_(word) {}
  SegmentWord(const HashSegment* segment, uint32_t bucket_count, uint32_t local_depth)
      : word_((static_cast<uint64_t>(bucket_count) << 48) | reinterpret_cast<uintptr_t>(segment) | local_depth) {}

  uint64_t raw() const { return word_; }
  uint32_t bucket_count() const { return static_cast<uint32_t>(word_ >> 48); }
  uint32_t local_depth() const { return static_cast<uint32_t>(word_ & 63); }
  HashSegment* segment() const {
    return reinterpret_cast<HashSegment*>(word_ & (HashSlot::kAddressMask & ~uint64_t{63}));
  }
  HashBucket* buckets() const { return segment()->buckets(); }

  // Of an item with this hash, if it is in this segment.
  uint32_t extension_of(uint64_t hash) const { return static_cast<uint32_t>((hash << local_depth()) >> 48); }
  uint32_t order_of(uint64_t hash) const { return static_cast<uint32_t>((hash << local_depth()) >> 52); }
  uint32_t home_of(uint64_t hash) const { return HashSegment::home_of(order_of(hash), bucket_count()); }
  // The first hash of the segment's range, and the first one after it (0 at the very end).
  uint64_t range_begin(uint64_t hash) const {
    return local_depth() == 0 ? 0 : hash & (~uint64_t{0} << (64 - local_depth()));
  }
  uint64_t range_end(uint64_t hash) const {
    return local_depth() == 0 ? 0 : range_begin(hash) + (uint64_t{1} << (64 - local_depth()));
  }

 private:
  uint64_t word_;
};

class HashDirectory {
 public:
  static constexpr uint32_t kRootDepthMax = 16;
  static constexpr uint32_t kBranchDepthMax = 16;
  static constexpr uint32_t kDepthMax = kRootDepthMax + kBranchDepthMax;

  // Names `only` for every hash.
  explicit HashDirectory(SegmentWord only) : words_(&inline_word_), inline_word_(only.raw()) {}
  HashDirectory(HashDirectory&& other) noexcept { steal(other); }
  HashDirectory& operator=(HashDirectory&& other) noexcept;
  ~HashDirectory() { free_all(); }

  SegmentWord find(uint64_t hash) const {
    const uint64_t word = words_[(hash >> 1) >> root_shift_];
    if (word >> 48 != 0) [[likely]]
      return SegmentWord(word);
    const Branch* branch = branch_of(word);
    return SegmentWord(branch->words()[(hash << kRootDepthMax) >> (64 - depth_of(word))]);
  }

  // Names `word` for the whole range of the segment that `hash` is in; the local depth stays.
  void replace(uint64_t hash, SegmentWord word);
  // Names two halves in place of one. Their local depth is one more. Requires: it is at most kDepthMax.
  void split(uint64_t hash, SegmentWord low, SegmentWord high);
  // Names one segment in place of two halves; its local depth is one less.
  void merge(uint64_t hash, SegmentWord whole);
  // Back to one word.
  void reset(SegmentWord only);

  uint32_t depth() const { return 63 - root_shift_; }
  // Bytes allocated.
  size_t bytes() const { return bytes_; }
  // Stops the process if a count is wrong or a word is not where it belongs.
  void check_integrity() const;

 private:
  struct alignas(64) Branch {
    uint64_t* words() { return reinterpret_cast<uint64_t*>(this + 1); }
    const uint64_t* words() const { return reinterpret_cast<const uint64_t*>(this + 1); }
    uint32_t depth;
    uint32_t deepest_count;  // segments that use all of its bits
  };

  static Branch* branch_of(uint64_t word) {
    return reinterpret_cast<Branch*>(word & (HashSlot::kAddressMask & ~uint64_t{63}));
  }
  static uint32_t depth_of(uint64_t word) { return static_cast<uint32_t>(word & 63); }
  static bool is_branch(uint64_t word) { return word >> 48 == 0; }
  static uint64_t word_of(const Branch* branch) { return reinterpret_cast<uintptr_t>(branch) | branch->depth; }
  static size_t bytes_of_branch(uint32_t depth) {
    return (sizeof(Branch) + (sizeof(uint64_t) << depth) + 63) & ~size_t{63};
  }
  Branch* create_branch(uint32_t depth);
  void free_branch(Branch* branch);
  uint64_t* allocate_words(uint32_t depth);
  void free_words();
  // How many words of an array of 2^depth name something that no other word of it names. `bits_above` bits of the hash
  // were used up before the array.
  static uint32_t count_deepest(const uint64_t* words, uint32_t depth, uint32_t bits_above);
  // Writes `value` to all words whose index starts with the first `used_bits` bits of `hash`.
  static void fill(uint64_t* words, uint32_t depth, uint64_t hash, uint32_t used_bits, uint64_t value);

  uint64_t& root_word(uint64_t hash) { return words_[(hash >> 1) >> root_shift_]; }
  void set(uint64_t hash, SegmentWord word);
  void double_root();
  void halve_root();
  void double_branch(uint64_t hash);
  void shrink_branch(uint64_t hash);
  void steal(HashDirectory& other);
  void free_all();

  uint64_t* words_;
  uint64_t inline_word_;
  uint32_t root_shift_ = 63;  // 63 - depth
  uint32_t deepest_count_ =
      0;  // root words that name a branch or a segment that uses all bits of the root; 0 at depth 0
  size_t bytes_ = 0;
};

}  // namespace larder
