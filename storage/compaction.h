// Moves blocks out of pages that are hardly used, so that the pages become empty and go back to the system: what a store needs
// after most of its keys were deleted at random.
//
// A pass plans for each size of block which pages are to be emptied. Then it visits every entry once, in the order of the hash,
// and the members of each large collection. What lies in a sparse page is allocated anew, which fills the fuller pages, and
// the slot of the table learns the new address. Nothing else knows an address, but for the tree of a sorted set, which is
// told too.
//
// Not moved: values and nodes beyond kBlockBytesMax, which are malloc's, and the nodes of sorted sets and streams. While a
// snapshot walks the store (it remembers entries) no step is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "storage/block_allocator.h"

namespace larder {

class Store;

struct CompactionCounts {
  uint64_t moved = 0;  // blocks
  uint64_t left = 0;   // blocks that were well where they are
};

// What one step works with.
class BlockMover {
 public:
  BlockMover(BlockAllocator& blocks, CompactionCounts& counts) : blocks_(blocks), counts_(counts) {}

  // Moves `item`, a block of content_bytes() bytes, if that helps: calls moved(Item* copy) while both are there, then
  // frees the old one. Requires: the bytes alone are the item.
  template <class Item, class Moved>
  void consider(Item* item, Moved moved) {
    const size_t bytes = item->content_bytes();
    if (!blocks_.is_sparse(item, bytes)) {
      counts_.left++;
      return;
    }
    auto* copy = static_cast<Item*>(blocks_.allocate(bytes));
    std::memcpy(static_cast<void*>(copy), static_cast<const void*>(item), bytes);
    moved(copy);
    blocks_.free(item, bytes);
    counts_.moved++;
  }

  // The items of one home bucket of a table: see HashTable::scan. moved(Item* old, Item* copy) before the old one goes.
  template <class Table, class Moved>
  uint64_t compact_bucket(const Table& table, uint64_t position, Moved moved) {
    using Slot = typename Table::Slot;
    table.scan_slots(position, [&](const Slot& slot) { table.policy().prefetch(slot.item()); });
    return table.scan_slots(position, [&](Slot& slot) {
      consider(slot.item(), [&](typename Table::Item* copy) {
        moved(slot.item(), copy);
        slot.replace(copy);
      });
    });
  }

 private:
  BlockAllocator& blocks_;
  CompactionCounts& counts_;
};

class Compactor {
 public:
  explicit Compactor(Store& store) : store_(store) {}

  // Begins a pass, or begins it anew.
  void restart();
  // Looks at a few blocks (about six). False: the pass is over.
  bool step();
  // Whether the next step plans, which takes longer: it looks at thousands of pages.
  bool is_planning() const { return planned_classes_ < BlockAllocator::class_count(); }
  const CompactionCounts& counts() const { return counts_; }

 private:
  bool compact_members(int db);

  Store& store_;
  uint32_t planned_classes_ = 0;
  int db_ = 0;
  uint64_t position_ = 0;
  // Hashes of the large collections that were met in the last bucket, and how far the work on the last of them is.
  std::vector<uint64_t> large_;
  uint64_t member_position_ = 0;
  CompactionCounts counts_;
};

}  // namespace larder
