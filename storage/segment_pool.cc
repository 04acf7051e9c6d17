#include "storage/segment_pool.h"

#include <cstdlib>

namespace larder {
namespace {

// Beside a slab's worth, free blocks may be this part of those in use.
constexpr uint64_t kHolesDivisor = 256;

}  // namespace

SegmentPool::~SegmentPool() { LARDER_ASSERT(blocks_in_use() == 0); }

SegmentPool::Block SegmentPool::allocate(uint32_t lines) {
  const uint32_t size = index_of(lines);
  Size& of = sizes_[size];
  Slab* slab = nullptr;
  for (uint32_t group = kFillGroups; group > 0 && slab == nullptr; --group) slab = of.slabs[group - 1];
  if (slab != nullptr) {
    unlist(slab);
    of.holes--;
  } else {
    slab = open_slab(size);
    of.holes += per_slab(size) - 1;
  }
  const auto index = static_cast<uint32_t>(std::countr_one(slab->used));
  LARDER_ASSERT(index < per_slab(size));
  slab->used = slab->used | uint64_t{1} << index;
  of.blocks++;
  list(slab);
  return {block_of(*slab, index), slab};
}

void SegmentPool::free(Slab* slab, const void* memory) {
  const auto index = static_cast<uint32_t>((static_cast<const char*>(memory) - slab->memory) / bytes_of(slab->size));
  LARDER_ASSERT(index < per_slab(slab->size) && (slab->used >> index & 1) != 0);
  unlist(slab);
  slab->used = slab->used & ~(uint64_t{1} << index);
  Size& of = sizes_[slab->size];
  of.blocks--;
  if (slab->used != 0) {
    of.holes++;
    return list(slab);
  }
  of.holes -= per_slab(slab->size) - 1;
  drop(slab);
}

void SegmentPool::list(Slab* slab) {
  if (count_of(*slab) == per_slab(slab->size)) return;
  Slab*& head = sizes_[slab->size].slabs[group_of(*slab)];
  slab->previous = nullptr;
  slab->next = head;
  if (head != nullptr) head->previous = slab;
  head = slab;
}

void SegmentPool::unlist(Slab* slab) {
  if (count_of(*slab) == per_slab(slab->size)) return;
  if (slab->next != nullptr) slab->next->previous = slab->previous;
  (slab->previous != nullptr ? slab->previous->next : sizes_[slab->size].slabs[group_of(*slab)]) = slab->next;
}

SegmentPool::Slab* SegmentPool::open_slab(uint32_t size) {
  auto* slab = static_cast<Slab*>(std::malloc(sizeof(Slab)));
  LARDER_ASSERT(slab != nullptr);
  *slab = Slab{.memory = static_cast<char*>(std::aligned_alloc(kSlabBytes, kSlabBytes)),
               .next = nullptr,
               .previous = nullptr,
               .used = 0,
               .size = size};
  LARDER_ASSERT(slab->memory != nullptr);
  return slab;
}

SegmentPool::Slab* SegmentPool::take_emptiest(uint32_t size) {
  Size& of = sizes_[size];
  if (of.holes < per_slab(size) + of.blocks / kHolesDivisor) return nullptr;
  // Its blocks have room in the others: a slab's worth is free, its own free blocks among them.
  Slab* slab = nullptr;
  for (uint32_t group = 0; group < kFillGroups && slab == nullptr; ++group) slab = of.slabs[group];
  LARDER_ASSERT(slab != nullptr);
  unlist(slab);
  of.blocks -= count_of(*slab);
  of.holes -= per_slab(size) - count_of(*slab);
  return slab;
}

void SegmentPool::drop(Slab* slab) {
  std::free(slab->memory);
  std::free(slab);
}

uint64_t SegmentPool::blocks_in_use() const {
  uint64_t blocks = 0;
  for (const Size& size : sizes_) blocks += size.blocks;
  return blocks;
}

size_t SegmentPool::free_bytes() const {
  size_t bytes = 0;
  for (uint32_t size = 0; size < kSizes; ++size) bytes += sizes_[size].holes * bytes_of(size);
  return bytes;
}

void SegmentPool::check_integrity() const {
  for (uint32_t size = 0; size < kSizes; ++size) {
    uint64_t holes = 0;
    for (uint32_t group = 0; group < kFillGroups; ++group) {
      const Slab* previous = nullptr;
      for (const Slab* slab = sizes_[size].slabs[group]; slab != nullptr; slab = slab->next) {
        LARDER_ASSERT(slab->used != 0 && group_of(*slab) == group && slab->size == size && slab->previous == previous);
        holes += per_slab(size) - count_of(*slab);
        previous = slab;
      }
    }
    LARDER_ASSERT(holes == sizes_[size].holes);
  }
}

}  // namespace larder
