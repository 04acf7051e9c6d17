// Where the segments of a large table lie: in slabs of 64 KB, each for segments of one size.
//
// Segments grow from size to size, each at its own time, and every size a table has passed leaves slabs behind of which
// some blocks are still in use. In the general allocator they were a seventh of the table at a million keys. A table knows
// all of its segments and may move them when it changes, so it can empty such slabs: whenever a size has as many free
// blocks as a slab and a 256th of those in use, the segments of one of its emptiest slabs move into the others' free
// blocks. That copies less than 64 KB, once for every slab's worth of blocks that was given back.
//
//   slab: 64 KB, aligned to its size
//   ┌─────────┬─────────┬─────┬─────────┬─────┐
//   │ block 0 │ block 1 │ ... │ block n │     │   8 to 64 blocks, at the end 2 % at most or a whole page that nobody
//   └─────────┴─────────┴─────┴─────────┴─────┘   touches; the record lies elsewhere, a segment's header refers to it
//
// Small tables, and the smallest segments, do without: those come from malloc one by one. Belongs to one table.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"

namespace larder {

class SegmentPool {
 public:
  static constexpr size_t kSlabBytes = 64 * 1024;
  // Sizes in lines of 64 bytes, four to a doubling: 16, 20, 24, 28, 32, 40 ... 128.
  static constexpr uint32_t kLinesMin = 16;
  static constexpr uint32_t kLinesMax = 128;

  struct Slab {
    char* memory;
    Slab* next;  // in the list of those of its size that are about as full; full ones are in none
    Slab* previous;
    uint64_t used;  // a bit for each block
    uint32_t size;  // index of the size
  };
  struct Block {
    void* memory;
    Slab* slab;
  };

  SegmentPool() = default;
  ~SegmentPool();  // Requires: every block was freed.
  SegmentPool(const SegmentPool&) = delete;
  SegmentPool& operator=(const SegmentPool&) = delete;

  static bool has_size(uint32_t lines) {
    return lines >= kLinesMin && lines <= kLinesMax && lines % (std::bit_floor(lines) / 4) == 0;
  }
  // Requires: has_size(lines).
  Block allocate(uint32_t lines);
  // Requires: `memory` is a block of the slab.
  void free(Slab* slab, const void* memory);

  // Empties one slab of this size if too many blocks are free: calls move(void* from, Block to) for its blocks.
  template <class Move>
  void tidy(uint32_t lines, Move move) {
    Slab* slab = take_emptiest(index_of(lines));
    if (slab == nullptr) return;
    for (uint64_t used = slab->used; used != 0; used &= used - 1) {
      move(static_cast<void*>(block_of(*slab, static_cast<uint32_t>(std::countr_zero(used)))), allocate(lines));
    }
    drop(slab);
  }

  uint64_t blocks_in_use() const;
  // Blocks of all sizes that are free, in bytes.
  size_t free_bytes() const;
  void check_integrity() const;

 private:
  static constexpr uint32_t kSizes = 13;
  static constexpr uint32_t kFillGroups = 8;
  struct Size {
    Slab* slabs[kFillGroups] = {};  // lists by fill
    uint64_t blocks = 0;            // in use
    uint64_t holes = 0;             // free, in slabs that are not empty
  };

  static uint32_t index_of(uint32_t lines) {
    LARDER_ASSERT(has_size(lines));
    const uint32_t floor = std::bit_floor(lines);
    return static_cast<uint32_t>(std::countr_zero(floor / kLinesMin)) * 4 + (lines - floor) / (floor / 4);
  }
  static size_t bytes_of(uint32_t size) { return size_t{16} * (kLinesMin << size / 4) * (4 + size % 4); }
  static uint32_t per_slab(uint32_t size) { return static_cast<uint32_t>(kSlabBytes / bytes_of(size)); }
  static char* block_of(const Slab& slab, uint32_t index) { return slab.memory + index * bytes_of(slab.size); }
  static uint32_t count_of(const Slab& slab) { return static_cast<uint32_t>(std::popcount(slab.used)); }
  static uint32_t group_of(const Slab& slab) { return count_of(slab) * kFillGroups / per_slab(slab.size); }

  void list(Slab* slab);
  void unlist(Slab* slab);
  Slab* open_slab(uint32_t size);
  // A slab that is to be emptied, in no list any more and none of its blocks counted; null: there is no need.
  Slab* take_emptiest(uint32_t size);
  void drop(Slab* slab);

  Size sizes_[kSizes];
};

}  // namespace larder
