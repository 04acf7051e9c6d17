// The queues of S3-FIFO eviction for one database ("FIFO queues are all you need for cache eviction", SOSP 2023).
//
//   insert ──▶ small (a seventh) ──▶ used since? ─────────▶ main ──▶ used since? ──▶ around again
//                       │ no                                   │ no
//                       ▼                                      ▼
//                evicted, remembered in the ghosts          evicted
//
//   insert of a key that is among the ghosts ──▶ main
//
// Most keys of a cache are asked for once; they pass through the small queue and are gone before they displace anything. A
// hit moves nothing: it counts up two bits in the entry.
//
// An item of a queue is the first 32 bits of the key's hash, as in the expiry index; when it comes to the end, the owner
// looks the key up by them. Items are never taken out of the middle: that of a deleted key is dropped when it arrives.
// When such items are more than the living ones, the queues are turned around once, a few items at a time, and lose
// them: each living key keeps one item, told by a bit in the entry that flips with every turn.
//
// Memory: 4 bytes an item, and 4 bytes for each ghost, of which there are as many as keys. The ghosts are a table of
// fingerprints in groups of 16 that each forget their oldest; nothing of them is exact.
//
// Rejected: links through the entries (16 bytes, and a cache miss on two neighbours at every move), a queue of entry
// addresses (entries move), an exact queue of ghosts (an index beside it doubles the bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "storage/block_allocator.h"
#include "storage/entry.h"

namespace larder {

// First in, first out, of 32-bit items in chunks.
class ItemQueue {
 public:
  // `blocks` outlives the queue.
  explicit ItemQueue(BlockAllocator& blocks) : blocks_(&blocks) {}
  ~ItemQueue();
  ItemQueue(const ItemQueue&) = delete;
  ItemQueue& operator=(const ItemQueue&) = delete;

  size_t size() const { return size_; }
  void push(uint32_t item);
  // Requires: size() > 0.
  uint32_t pop();
  // The one that pop() takes after `ahead` others, or 0: for prefetching.
  uint32_t peek(size_t ahead) const;

 private:
  static constexpr uint32_t kChunkItems = 254;
  struct Chunk {
    Chunk* next;
    uint32_t items[kChunkItems];
  };
  BlockAllocator* blocks_;
  Chunk* oldest_ = nullptr;
  Chunk* newest_ = nullptr;
  uint32_t begin_ = 0;  // in *oldest_
  uint32_t end_ = 0;    // in *newest_
  size_t size_ = 0;
};

// Fingerprints of keys that were evicted lately.
class GhostTable {
 public:
  // Makes room for about `keys` fingerprints. What an earlier, much smaller or larger table remembers is still found until
  // as many new ones came.
  void resize(size_t keys);
  size_t capacity() const { return current_.groups * kGroupSlots; }
  void insert(uint32_t item);
  bool contains(uint32_t item) const { return current_.contains(item) || previous_.contains(item); }
  size_t bytes_allocated() const { return current_.bytes() + previous_.bytes(); }

 private:
  static constexpr size_t kGroupSlots = 15;
  struct Group {
    uint32_t next = 0;  // the slot that is overwritten next
    uint32_t items[kGroupSlots] = {};
  };
  struct Free {
    void operator()(Group* groups) const;
  };
  struct Table {
    bool contains(uint32_t item) const;
    Group& group_of(uint32_t item) const { return memory.get()[(uint64_t{item} * groups) >> 32]; }
    size_t bytes() const { return groups * sizeof(Group); }
    std::unique_ptr<Group, Free> memory;
    size_t groups = 0;
  };
  Table current_;
  Table previous_;
  size_t inserted_ = 0;  // into current_
};

class S3Fifo {
 public:
  explicit S3Fifo(BlockAllocator& blocks) : small_(blocks), main_(blocks) {}

  // A key came (or got a deadline, under a volatile policy). Writes the entry's queue.
  void insert(uint32_t hash_prefix, Entry* entry);
  // A key that was there before the policy was.
  void adopt(uint32_t hash_prefix, Entry* entry);

  // What is to be done with the key at the end of a queue.
  enum class Verdict : uint8_t {
    kKeep,   // it stays; take() goes on to the next
    kEvict,  // it goes
  };
  // The item that is due, and the queue it came from. `living` is the number of keys that have an item.
  struct Due {
    uint32_t hash_prefix = 0;
    EntryQueue queue = EntryQueue::kNone;
  };
  bool empty() const { return small_.size() + main_.size() == 0; }
  // Requires: !empty().
  Due take();
  // Decides about a living key of that item, and files it anew if it stays.
  Verdict judge(const Due& due, Entry* entry);
  // The item that comes up after `ahead` others, for prefetching.
  uint32_t peek(size_t ahead) const;

  // ---- Getting rid of items whose keys are gone
  bool wants_turn(size_t living) const { return turn_left() > 0 || items() > 2 * living + kStaleItemsMin; }
  // One item of the turn; the owner looks its key up and calls keep() if it lives. Requires: wants_turn().
  Due take_turn_item();
  // Requires: `entry` is in due.queue. Drops the item if the key has another one.
  void keep(const Due& due, Entry* entry);

  // `keys`: of the database. Call it now and then.
  void size_ghosts(size_t keys);
  size_t items() const { return small_.size() + main_.size(); }
  size_t ghost_bytes() const { return ghosts_.bytes_allocated(); }

 private:
  static constexpr size_t kStaleItemsMin = 16384;
  static constexpr uint32_t kUsesToStay = 1;
  ItemQueue& queue(EntryQueue which) { return which == EntryQueue::kSmall ? small_ : main_; }
  size_t turn_left() const { return turn_small_ + turn_main_; }
  void file(uint32_t hash_prefix, Entry* entry, EntryQueue which);

  ItemQueue small_;
  ItemQueue main_;
  GhostTable ghosts_;
  size_t turn_small_ = 0;  // items of each queue that the running turn has not seen
  size_t turn_main_ = 0;
  bool turn_bit_ = false;
};

}  // namespace larder
