// The part of the hash table that does not depend on what the items are: where they go and how the table grows and
// shrinks. See hash_table.h for the whole picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "storage/hash_directory.h"

namespace larder {

// Running totals of all tables that share it.
struct HashTableAccount {
  int64_t bytes = 0;      // of segments and directories
  uint64_t grows = 0;     // a segment moved to a larger block
  uint64_t splits = 0;    // a segment became two
  uint64_t rehashes = 0;  // splits that had to look at the items' keys
  uint64_t shrinks = 0;   // a segment moved to a smaller block
  uint64_t merges = 0;    // two segments became one
};

class HashTableCore {
 public:
  // The hash of the item at `address`, for a table whose policy object is `policy`.
  using HashOf = uint64_t (*)(const void* policy, uint64_t address);

  explicit HashTableCore(HashTableAccount& account);
  HashTableCore(HashTableCore&& other) noexcept;
  HashTableCore& operator=(HashTableCore&& other) noexcept;
  ~HashTableCore();

  size_t size() const { return size_; }
  const HashDirectory& directory() const { return directory_; }

  // Requires: no equal item is in the table.
  HashSlot* insert(uint64_t hash, uint64_t address, HashOf hash_of, const void* policy) {
    SegmentWord word = directory_.find(hash);
    while (word.segment()->live >= word.segment()->capacity) [[unlikely]] {
        make_room(hash, hash_of, policy);
        word = directory_.find(hash);
      }
    size_++;
    return word.segment()->insert(HashSlot::make(word.extension_of(hash), address), HashBucket::tag_of(hash));
  }
  void erase(uint64_t hash, const HashSlot* slot) {
    HashSegment* segment = directory_.find(hash).segment();
    segment->erase(slot);
    size_--;
    if (segment->live < segment->shrink_below) [[unlikely]]
      shrink(hash);
  }
  // About `count` items are going to come: what will be split is split now, while there is nothing to move, and each segment
  // begins with the size that it will need. Takes memory for the directory alone, 1/70 byte an item; the segments come
  // with their first items. Requires: the table is empty. Does nothing the second time.
  void expect(uint64_t count);
  // Those that were expected have come, or never will: then what they would have needed is given back.
  void settle();
  // Forgets all items of the segment that `hash` is in and frees it. The table serves nothing but more of these calls
  // afterwards.
  void drop_segment(uint64_t hash);
  // Forgets everything.
  void clear();

  size_t bytes() const { return bytes_ + directory_.bytes(); }
  void check_integrity(HashOf hash_of, const void* policy) const;

 private:
  static SegmentWord empty_word(uint32_t local_depth);
  uint32_t first_lines(uint32_t local_depth) const;
  HashSegment* create_segment(uint32_t lines, uint64_t range_begin, uint32_t local_depth, uint32_t known_bits);
  void destroy_segment(HashSegment* segment);
  // After segments of this size were destroyed: wins room in half-used slabs back, which moves other segments. Requires: all
  // segments in slabs are named by the directory.
  void tidy_slabs(uint32_t lines);
  void make_room(uint64_t hash, HashOf hash_of, const void* policy);
  void resize(uint64_t hash, uint32_t lines);
  void split(uint64_t hash, HashOf hash_of, const void* policy);
  void shrink(uint64_t hash);
  bool merge_with_buddy(uint64_t hash);
  void check_segment(const HashSegment& segment, uint64_t range_begin, HashOf hash_of, const void* policy) const;

  HashDirectory directory_;
  uint64_t size_ = 0;
  uint64_t expected_ = 0;              // until settle()
  size_t bytes_ = 0;                   // of segments
  std::unique_ptr<SegmentPool> pool_;  // from kPooledItemsMin items on
  HashTableAccount* account_;
};

}  // namespace larder
