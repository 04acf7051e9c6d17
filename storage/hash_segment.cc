#include "storage/hash_segment.h"

#include <cstdlib>
#include <cstring>

namespace larder {

HashSegment* HashSegment::create(SegmentPool* pool, uint32_t lines, uint64_t range_begin, uint32_t local_depth,
                                 uint32_t known_bits) {
  LARDER_ASSERT(lines >= kSegmentLinesMin && lines - 1 <= kSegmentBucketsMax);
  const auto [memory, slab] = pool != nullptr && SegmentPool::has_size(lines)
                                  ? pool->allocate(lines)
                                  : SegmentPool::Block{std::aligned_alloc(64, size_t{lines} * 64), nullptr};
  auto* segment = static_cast<HashSegment*>(memory);
  LARDER_ASSERT(segment != nullptr);
  segment->live = 0;
  segment->bucket_count = lines - 1;
  segment->capacity = capacity_of(segment->bucket_count);
  segment->shrink_below = segment->bucket_count == 1 ? 1 : segment->bucket_count * kSlotsPerBucket / 2;
  segment->range_begin = range_begin;
  segment->slab = slab;
  segment->local_depth = static_cast<uint8_t>(local_depth);
  segment->known_bits = static_cast<uint8_t>(known_bits);
  for (uint32_t b = 0; b < segment->bucket_count; b++) {
    HashBucket& bucket = segment->buckets()[b];
    std::memset(bucket.tags, HashBucket::kFree, sizeof(bucket.tags));
    bucket.overflow = 0;
  }
  return segment;
}

void HashSegment::destroy(SegmentPool* pool, HashSegment* segment) {
  if (segment->slab != nullptr) {
    pool->free(segment->slab, segment);
  } else {
    std::free(segment);
  }
}

uint32_t HashSegment::lines_for(uint64_t count) {
  uint32_t lines = kSegmentLinesMin;
  while (capacity_of(lines - 1) < count) lines = next_lines(lines);
  return lines;
}

HashSlot* HashSegment::insert(uint64_t word, uint8_t tag) {
  LARDER_ASSERT(live < bucket_count * kSlotsPerBucket);
  uint32_t b = home_of(HashSlot{word});
  for (;;) {
    HashBucket& bucket = buckets()[b];
    if (const SlotMask free_slots = bucket.match_free()) {
      bucket.set(free_slots.first(), tag, word);
      live++;
      return &bucket.slots[free_slots.first()];
    }
    if (bucket.overflow != HashBucket::kOverflowSaturated) bucket.overflow++;
    b = next_bucket(b);
  }
}

void HashSegment::erase(const HashSlot* slot) {
  const uint32_t at = static_cast<uint32_t>(
      (reinterpret_cast<const char*>(slot) - reinterpret_cast<const char*>(buckets())) / sizeof(HashBucket));
  LARDER_ASSERT(at < bucket_count && live > 0);
  uncount_passed(home_of(*slot), at);
  HashBucket& bucket = buckets()[at];
  const auto index = static_cast<uint32_t>(slot - bucket.slots);
  LARDER_ASSERT(index < kSlotsPerBucket && bucket.tags[index] != HashBucket::kFree);
  bucket.tags[index] = HashBucket::kFree;
  live--;
  for (Place hole{at, index}; fill(&hole);) {
  }
}

void HashSegment::uncount_passed(uint32_t from, uint32_t to) {
  for (uint32_t b = from; b != to; b = next_bucket(b)) {
    HashBucket& passed = buckets()[b];
    LARDER_ASSERT(passed.overflow > 0);
    if (passed.overflow != HashBucket::kOverflowSaturated) passed.overflow--;
  }
}

bool HashSegment::fill(Place* hole) {
  HashBucket& bucket = buckets()[hole->bucket];
  if (bucket.overflow == 0) return false;
  for (uint32_t b = next_bucket(hole->bucket); b != hole->bucket; b = next_bucket(b)) {
    HashBucket& later = buckets()[b];
    for (uint32_t i = 0; i < kSlotsPerBucket; i++) {
      if (later.tags[i] == HashBucket::kFree) continue;
      const uint32_t home = home_of(later.slots[i]);
      if (distance(home, hole->bucket) >= distance(home, b)) continue;  // it begins behind the hole
      bucket.set(hole->slot, later.tags[i], later.slots[i].word);
      later.tags[i] = HashBucket::kFree;
      uncount_passed(hole->bucket, b);
      *hole = {b, i};
      return true;
    }
    if (later.overflow == 0) return false;  // the hole's own is saturated
  }
  return false;
}

void HashSegment::take_all(const HashSegment& from) {
  from.for_each([this](const HashSlot& slot, uint8_t tag) { insert(slot.word, tag); });
}

void HashSegment::take_half(const HashSegment& from, uint32_t bit) {
  from.for_each([&](const HashSlot& slot, uint8_t tag) {
    if (slot.extension() >> (kExtensionBits - 1) != bit) return;
    const uint32_t extension = (slot.extension() << 1) & 0xffff;
    insert(HashSlot::make(extension, slot.address()), tag);
  });
}

void HashSegment::take_into_half(const HashSegment& from, uint32_t bit) {
  from.for_each([&](const HashSlot& slot, uint8_t tag) {
    const uint32_t extension = (slot.extension() >> 1) | (bit << (kExtensionBits - 1));
    insert(HashSlot::make(extension, slot.address()), tag);
  });
}

uint32_t HashSegment::count_half(uint32_t bit) const {
  uint32_t count = 0;
  for_each([&](const HashSlot& slot, uint8_t) { count += slot.extension() >> (kExtensionBits - 1) == bit; });
  return count;
}

}  // namespace larder
