// The index of deadlines: which keys are due, in 4 to 5 bytes a key.
//
// A hierarchical timing wheel whose items are nothing but the first 32 bits of a key's hash. When an item's time comes,
// the owner looks the key up by these bits (HashTable::for_each_hash_prefix) and reads the real deadline from the entry.
//
//   level 0   512 slots of     2 ms   the next second
//   level 1   512 slots of   512 ms   4 minutes            slot ──▶ chunk ──▶ chunk ──▶ chunk
//   level 2   512 slots of   131 s    18 hours                     (30 items of 4 bytes and a pointer, 128 bytes)
//   level 3   512 slots of   9.3 h    199 days
//   level 4   512 slots of    99 d    139 years; later deadlines wait in its last slot and are filed again
//
// One level's slot is 256 of the level below, which holds 512: the period that runs and the one after it. When a period
// begins, the slot of the period after it is cut off as a list and its items are filed anew, a few at a time, by their
// real deadlines. They have a whole period for that, so that even 10 million items per slot cause no stall.
//
// An item is never taken back. A key that is deleted, or loses its deadline, or gets a later one, leaves its item where
// it is; when the time comes the item is dropped or filed again. So a session whose deadline slides on every request costs
// nothing here at all: the contract is only that a key has *an* item at or before its deadline, and add() is called when
// a key gets a deadline earlier than it had (or had none). What piles up this way is known: items() minus the keys with
// a deadline. When that is more than the keys themselves, the owner rebuilds: it starts a new index, adds all keys to
// it in a walk, and drops the old index, which goes on firing during the walk.
//
// Eviction by deadline wants the items of the first slot in their order long before it is cut off, and that slot may be 9
// hours wide. It is spread then: its items are filed, a few at a time, into the 256 slots of the level below that cover it,
// the first of these is spread in its turn, and so on until a slot is 2 ms wide or holds a handful of items. add() goes the
// same way down. Only what comes first is ever spread, so an item is filed three or four times before it goes.
//
//   slot of level 2 ──▶ spread ─┬─ items not filed yet
//                               └─ 256 slots of level 1, the first of them ──▶ spread ─┬─ ...
//
// Precision: an item fires at the end of its 2 ms slot. Memory: 4.3 bytes an item, half a chunk for every slot in use,
// 20 KB for the slots once there is an item; of spreads (2.5 KB) no more than one for 1,024 items and a few.
//
// Rejected: a heap or a tree of deadlines (16 to 24 bytes a key, and every new deadline moves in it), links through
// the entries (16 bytes a key, and a touch of the neighbours' cache lines), sampling (keys stay beyond their deadline,
// and the time spent finding them grows as fewer are due), 8-byte items with the deadline (twice the memory; filing anew
// looks at the key anyway, to drop what has changed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/random.h"
#include "storage/block_allocator.h"

namespace larder {

class ExpiryIndex {
 public:
  static constexpr uint32_t kLevels = 5;

  // Items are handed out in batches, so that the owner can overlap the cache misses of looking them up.
  static constexpr size_t kBatchItemsMax = 30;
  struct Batch {
    uint32_t hash_prefixes[kBatchItemsMax];
    size_t count = 0;
  };

  // `blocks` outlives the index.
  explicit ExpiryIndex(BlockAllocator& blocks) : blocks_(&blocks) {}
  ExpiryIndex(ExpiryIndex&& other) noexcept { *this = std::move(other); }
  ExpiryIndex& operator=(ExpiryIndex&& other) noexcept;
  ~ExpiryIndex() { free_some(SIZE_MAX); }

  // A key whose hash starts with `hash_prefix` is to be looked at when `deadline_ms` has passed.
  void add(uint32_t hash_prefix, int64_t deadline_ms, int64_t now_ms);
  // Takes items out whose time has come, or, when there are none, some that have to be filed anew. The owner looks their
  // keys up, expires those that are due and calls add() for the others. Empty: nothing to do until time goes on.
  // Time does not go back here: a `now_ms` before the latest one counts as that one.
  void take(int64_t now_ms, Batch* batch);
  // Whether items wait that are due, or such as must be filed anew soon, as of the latest take().
  bool is_behind() const;
  // When the next item fires or has to be filed anew, for a loop that sleeps; INT64_MAX if there is none.
  int64_t next_due_ms() const;

  // Items filed, those included that no key needs any more.
  uint64_t items() const { return items_; }
  // The latest time it was told.
  int64_t now_ms() const { return now_ms_; }
  size_t bytes_allocated() const {
    return chunk_count_ * sizeof(Chunk) + spread_count_ * block_bytes(sizeof(Spread)) + (wheel_ ? sizeof(Wheel) : 0);
  }

  // For eviction: the items of a chunk, which stay. Slots are drawn at random, and a list is gone through from its newest
  // chunk to its oldest in strides of random length, call after call. drop_sampled() forgets the chunk again, when none of
  // its items has a key; nothing else may happen to the index between the two.
  void sample(Random& random, Batch* batch);
  void drop_sampled();

  // For eviction by deadline, in two steps. First take_coarse(), until it returns false: items on the way to those that are due
  // first which are to be filed more exactly, taken out; the owner calls add() for those whose keys live. Only slots of a level
  // below `*level` are looked at, which becomes that of the slot they were in: so it is called kLevels times at the most.
  bool take_coarse(uint32_t* level, Batch* batch);
  // Then: the items that are due first, taken out, so that the owner files all of them anew but the one that goes. One
  // of a slot of 2 ms, or `items_max` of them; all of a wider slot. `next` gets some of those that will come then, for prefetching.
  // Returns the time when their slot is over; without items INT64_MAX. Empty, too, when they could not be ordered.
  int64_t take_soonest(size_t items_max, Batch* batch, Batch* next);
  // No item that is filed exactly is due before; INT64_MAX without items.
  int64_t soonest_ms() const;

  // Forgets items, at most `chunks_max` chunks of up to 30. Returns false when nothing is left. For an index that is not
  // used any more: between calls only items() and this may be called.
  bool free_some(size_t chunks_max);

  void check_integrity() const;

 private:
  static constexpr uint32_t kTickBits = 1;  // a tick is 2 ms
  static constexpr uint32_t kRatioBits = 8;
  static constexpr uint32_t kRatio = 1 << kRatioBits;
  static constexpr uint32_t kSlots = 512;
  static constexpr uint32_t kChunkItems = 30;

  struct Chunk {
    Chunk* next;
    uint32_t items[kChunkItems];
  };
  static_assert(sizeof(Chunk) == 128);

  struct Spread;

  // A list of chunks, all full but the first. One word: the count of the first chunk's items, and its address. Or a spread.
  class Slot {
   public:
    // Requires: !is_spread(), for both.
    Chunk* first() const { return reinterpret_cast<Chunk*>(word_ & kAddressMask); }
    uint32_t count() const { return static_cast<uint32_t>(word_ >> kAddressBits); }
    bool empty() const { return word_ == 0; }
    bool is_spread() const { return word_ >> kAddressBits == kSpreadMark; }
    // Requires: is_spread().
    Spread* spread() const { return reinterpret_cast<Spread*>(word_ & kAddressMask); }
    void set(Chunk* first, uint32_t count) { set_word(first, count); }
    void set(Spread* spread) { set_word(spread, kSpreadMark); }
    void clear() { word_ = 0; }

   private:
    static constexpr uint32_t kAddressBits = 48;
    static constexpr uint64_t kAddressMask = (uint64_t{1} << kAddressBits) - 1;
    static constexpr uint64_t kSpreadMark = UINT16_MAX;
    void set_word(const void* address, uint64_t mark) {
      word_ = reinterpret_cast<uintptr_t>(address) | (mark << kAddressBits);
    }

    uint64_t word_ = 0;
  };
  // A slot in parts. It goes when it holds nothing any more.
  struct Spread {
    bool empty() const { return (in_use[0] | in_use[1] | in_use[2] | in_use[3]) == 0 && unfiled.empty(); }
    Slot slots[kRatio];
    uint64_t in_use[kRatio / 64] = {};
    Slot unfiled;              // a list: what has not been filed into the slots yet
    Slot* slot = nullptr;      // the one that is spread
    Spread* parent = nullptr;  // which that slot belongs to; null: to a level
    uint32_t level = 0;        // of that slot
  };
  struct Level {
    Slot slots[kSlots];
    uint64_t in_use[kSlots / 64] = {};  // a bit per slot with items
    Slot taken;                         // what is left of the slot that was cut off last
    int64_t next_cut = 0;               // index (time / width) of the next slot to be cut off
  };
  struct Wheel {
    Level levels[kLevels];
  };
  // A chunk by its predecessor in the list; null: the first one of `slot`, which belongs to a spread (null: to a level).
  struct Place {
    Spread* spread = nullptr;
    Slot* slot = nullptr;
    Chunk* before = nullptr;
    Chunk* chunk() const { return before != nullptr ? before->next : slot->first(); }
  };
  // The list whose items are due first, and the time of its slot: `index` in widths of a slot of `level`.
  struct Soonest {
    int64_t begin_ms() const { return index << shift_of(level); }
    int64_t end_ms() const { return (index + 1) << shift_of(level); }
    Place place;
    uint32_t level = 0;
    int64_t index = 0;
  };

  static constexpr uint32_t shift_of(uint32_t level) { return kTickBits + kRatioBits * level; }
  // The slots up to here, exclusive, are to be cut off at level `level` by now.
  int64_t cut_end(uint32_t level) const {
    const int64_t index = now_ms_ >> shift_of(level);
    return level == 0 ? index : index + 2;
  }
  void start(int64_t now_ms);
  void free_wheel();
  bool refill_taken(uint32_t level);
  static int64_t next_in_use(const Level& level, int64_t begin, int64_t end);
  void push(Slot* slot, uint32_t hash_prefix);
  void free_chunk(const Place& place);
  void unlink_chunk(const Place& place);
  void forget_empty(Spread* spread, const Slot* slot);
  void forget_empty(Spread* spread);
  static Place first_list(Slot* slot);
  Slot* slot_with_index(uint64_t index);
  static Place draw_list(Random& random, Slot* slot);
  Place draw_chunk(Random& random, const Place& list);
  static void copy_chunk(const Place& place, Batch* batch);
  static Soonest soonest_within(Slot* slot, uint32_t level, int64_t index);
  Soonest find_soonest() const;
  static bool is_ordered(const Soonest& list);
  bool may_spread(const Soonest& list) const;
  void spread_list(const Place& place, uint32_t level);
  struct Counts {
    uint64_t items = 0;
    uint64_t chunks = 0;
    uint64_t spreads = 0;
  };
  static void count_slot(const Slot& slot, const Spread* parent, Counts* counts);

  BlockAllocator* blocks_;
  Wheel* wheel_ = nullptr;  // null until there is an item; from blocks_, as the chunks
  int64_t now_ms_ = 0;
  uint64_t items_ = 0;
  uint64_t chunk_count_ = 0;
  uint64_t spread_count_ = 0;
  Spread* filed_ = nullptr;  // what take_coarse() took out last was in there, and comes back to it
  // Where the next draw goes on: behind this chunk of its list; null: in a list that is drawn.
  Chunk* drawn_up_to_ = nullptr;
  Place sampled_;
};

}  // namespace larder
