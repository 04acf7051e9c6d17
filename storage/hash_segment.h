// A segment of the hash table: one block of 64-byte lines, a header and 1 to 127 buckets (more only when many items
// share their hash). See hash_table.h for the whole picture. What is here moves words about and never looks at items.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "storage/hash_bucket.h"
#include "storage/segment_pool.h"

namespace larder {

// Lines of a segment, header included, go up in these steps: 2 3 4 5 6 7 8 10 12 14 16 20 24 28 32 40 ... 128, four to
// a doubling. As sizes in bytes they are exactly the allocator's classes.
inline constexpr uint32_t kSegmentLinesMin = 2;
inline constexpr uint32_t kSegmentLinesMax = 128;  // then it splits
inline constexpr uint32_t kExtensionBits = 16;
inline constexpr uint32_t kOrderBits = 12;  // of the extension, known always
// A bucket count has 16 bits in a directory word.
inline constexpr uint32_t kSegmentBucketsMax = 65535;

struct alignas(64) HashSegment {
  // Allocates: from the pool if there is one and it has the size. `range_begin` is the first hash of the segment's range.
  // Requires: lines >= kSegmentLinesMin.
  static HashSegment* create(SegmentPool* pool, uint32_t lines, uint64_t range_begin, uint32_t local_depth,
                             uint32_t known_bits);
  // Requires: `pool` is what it was created from.
  static void destroy(SegmentPool* pool, HashSegment* segment);

  static uint32_t next_lines(uint32_t lines) { return lines < 4 ? lines + 1 : lines + step_of(lines); }
  // The smallest size with room for `count` items.
  static uint32_t lines_for(uint64_t count);
  // How many items `buckets` may hold before the segment grows.
  static uint32_t capacity_of(uint32_t buckets) {
    return buckets == 1 ? kSlotsPerBucket : (buckets * kSlotsPerBucket * kFillMax256) >> 8;
  }

  HashBucket* buckets() { return reinterpret_cast<HashBucket*>(this + 1); }
  const HashBucket* buckets() const { return reinterpret_cast<const HashBucket*>(this + 1); }
  uint32_t lines() const { return bucket_count + 1; }
  size_t bytes() const { return size_t{lines()} * 64; }

  // The bucket where a search for an item starts: monotone in the hash, so that buckets are in hash order.
  static uint32_t home_of(uint32_t order, uint32_t bucket_count) { return (order * bucket_count) >> kOrderBits; }
  uint32_t home_of(const HashSlot& slot) const { return home_of(slot.order(), bucket_count); }
  // Where a search goes on.
  static uint32_t next_bucket(uint32_t bucket, uint32_t bucket_count) {
    return bucket + 1 == bucket_count ? 0 : bucket + 1;
  }
  uint32_t next_bucket(uint32_t bucket) const { return next_bucket(bucket, bucket_count); }
  // The lowest order whose home is `bucket` or later.
  static uint32_t first_order_of(uint32_t bucket, uint32_t bucket_count) {
    return ((bucket << kOrderBits) + bucket_count - 1) / bucket_count;
  }

  // Requires: a slot is free.
  HashSlot* insert(uint64_t word, uint8_t tag);
  // An item that had to pass the place which becomes free moves there, and so on: items stay as near to their homes as if those
  // that are gone had never been. Without that a segment that stays full while items come and go loses all order: after some
  // rounds a search that fails looked at 30 buckets.
  void erase(const HashSlot* slot);

  // Moves all items of `from` into this, which has room for them.
  //   same prefix; this segment covers one half of from's range (those with top bit `bit`, others are ignored); this
  //   covers twice from's range, from being the half `bit`.
  void take_all(const HashSegment& from);
  void take_half(const HashSegment& from, uint32_t bit);
  void take_into_half(const HashSegment& from, uint32_t bit);
  uint32_t count_half(uint32_t bit) const;

  // Calls visit(HashSlot&, tag) for each item.
  template <class Visit>
  void for_each(Visit visit) {
    for (uint32_t b = 0; b < bucket_count; b++) {
      HashBucket& bucket = buckets()[b];
      for (uint32_t i = 0; i < kSlotsPerBucket; i++) {
        if (bucket.tags[i] != HashBucket::kFree) visit(bucket.slots[i], bucket.tags[i]);
      }
    }
  }
  template <class Visit>
  void for_each(Visit visit) const {
    const_cast<HashSegment*>(this)->for_each([&](const HashSlot& slot, uint8_t tag) { visit(slot, tag); });
  }

  uint32_t live;          // items
  uint32_t capacity;      // it grows or splits when live reaches this
  uint32_t shrink_below;  // it shrinks or merges when live falls below this
  uint32_t bucket_count;
  uint64_t range_begin;     // the first hash of its range: how its word in the directory is found
  SegmentPool::Slab* slab;  // null: from malloc
  uint8_t local_depth;      // bits of the hash that all items share
  uint8_t known_bits;       // leading bits of the extensions that hold true hash bits, 12 to 16

 private:
  struct Place {
    uint32_t bucket;
    uint32_t slot;
  };
  // Moves an item into the free place, and tells which one that leaves free. False: none has passed it.
  bool fill(Place* hole);
  // One item less has passed the buckets from `from` up to `to`.
  void uncount_passed(uint32_t from, uint32_t to);
  // Steps of a search from one bucket to another.
  uint32_t distance(uint32_t from, uint32_t to) const { return to >= from ? to - from : to + bucket_count - from; }
  // 0.94: growth by a quarter then leaves 0.75. At 0.94 a search that hits looks at 1.2 buckets on average.
  static constexpr uint32_t kFillMax256 = 242;
  static uint32_t step_of(uint32_t lines) { return std::bit_floor(lines) / 4; }
};
static_assert(sizeof(HashSegment) == 64);

}  // namespace larder
