// The hash table: keys of a database, and fields, members and indexes of large collections.
//
// The idea. Extendible hashing over segments of independent size, all of it in the order of the hash:
//
//   directory, by the top bits       segments, one block each           bucket: one cache line
//   ┌────────────────────┐          ┌────────────────────────┐        ┌──────────────────────────────┐
//   │ count|address|depth│ ───────▶ │ header: counts, depth  │   ┌──▶ │ 7 tags of 1 byte │ overflow   │
//   ├────────────────────┤          ├────────────────────────┤   │    │ slot 0: 16 bits │ 48-bit addr │
//   │ count|address|depth│ ──┐      │ bucket 0               │ ──┘    │ ...                          │
//   ├────────────────────┤   │      │ bucket 1 .. up to 126  │        │ slot 6: 16 bits │ 48-bit addr │
//   │ ...                │ ──┴────▶ └────────────────────────┘        └──────────────────────────────┘
//
// The 64 bits of a hash, for an item in a segment of local depth l:
//
//   │ l bits: which segment │ 12 bits: order │ 4 more bits │ ............ │ 8 bits: tag │
//                           └ the slot's extension (16) ───┘
//
// Its home bucket is order * buckets / 4096: a monotone function, so buckets are in hash order too, for any number of
// buckets. What does not fit goes to the next bucket (and around at the end of the segment); every full bucket that it
// passes counts it, so that a search that meets a count of 0 ends there. A search compares the seven tags at once and
// dereferences an item only where tag and order both agree: a miss reads one line, 1.3 on average at the fullest, and
// touches a wrong item once in 1,000 times; a hit reads the bucket and the item.
//
// Growth. A segment that is 94 % full moves to a block larger by a quarter (hash_segment.h has the steps); at 8 KB it
// splits into two by the next bit of the hash. So the table is 75 to 94 % full at any number of items, 9.8 to 12.2
// bytes an item, and no step moves more than 840 items or allocates more than 20 KB. Steps need no hashes: the extension has
// the bits. Each split consumes one of them, so that after four splits the fifth computes the hashes of the segment's
// items anew (it prefetches them); that is the only time an item is touched.
// Shrinking. Below half full a segment moves to a smaller block; two halves with 440 items together become one.
// Merging needs no hashes at all. Blocks are as large as the allocator's classes, so what one segment gives back
// another one takes.
//
// The order is what makes the walks simple. A position is a 64-bit hash: scan() visits the items whose known bits lie in
// [position, next), and returns next. As order is by hash and not by place, an item that stays is met exactly once
// however often its segment moves, splits or merges between the steps (twice only if a merge blurs the position). And
// "has the walk passed this key" is hash < position.
//
// Items with equal hashes are kept, and found, at a cost in proportion to their number. A split that cannot separate
// anything is not made more than a few times: when segments of that depth hold fewer than 64 items on average, the
// segment grows instead, beyond its usual largest size (up to 458,000 items, then the process stops: with a seeded
// 64-bit hash this is a broken policy and not bad luck).
//
// A table of up to 7 items is one block of 128 bytes and has no directory; an empty one owns nothing.
//
// Rejected. Linear hashing and two tables side by side with incremental rehash (Redis): twice the table during growth, and
// half full after it. Segments of one fixed size that split (Dragonfly's dash table): fill swings between 50 and 100 % in
// step for all segments, since a good hash fills them alike. Chained buckets (Valkey): a pointer per bucket, and fill
// depends on the count as well. Cuckoo: twice the lines for a miss.
//
// Cost, with 10 million keys and nothing cached: 180 ns a staged hit (docs/design/hash_table.md). Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/prefetch.h"
#include "base/random.h"
#include "storage/hash_table_core.h"

namespace larder {

// Positions of scan() are multiples of 2^kScanCursorShift, so a cursor fits a double and a signed integer.
inline constexpr uint32_t kScanCursorShift = 12;

// What the second stage of a look-up has found: something that looks like the item; that there is no such item; that it lies behind its
// home bucket if there is one, and prefetch_beyond() goes on.
enum class Prefetched : uint8_t { kItem, kNothing, kBeyond };

// Policy:
//   using Item = ...; using Key = ...;
//   static bool equal(const Item&, const Key&);
//   uint64_t hash(const Item&) const;        // the same for equal items, for as long as they are in the table
//   static void prefetch(const Item*);       // what equal() is going to read
// The table refers to items by address and owns none of them.
template <class Policy>
class HashTable {
 public:
  using Item = typename Policy::Item;
  using Key = typename Policy::Key;

  // Where the table keeps the address of one item. Valid until the next insert or erase.
  class Slot : public HashSlot {
   public:
    Item* item() const { return reinterpret_cast<Item*>(address()); }
    // The item has moved. Requires: it still has the same key.
    void replace(Item* item) { set_address(reinterpret_cast<uintptr_t>(item)); }
  };
  static_assert(sizeof(Slot) == sizeof(HashSlot));

  // `account` outlives the table.
  HashTable(Policy policy, HashTableAccount& account) : core_(account), policy_(std::move(policy)) {}
  HashTable(HashTable&&) noexcept = default;
  HashTable& operator=(HashTable&&) noexcept = default;

  size_t size() const { return core_.size(); }
  bool empty() const { return size() == 0; }
  // Of segments and directory; not of this object.
  size_t bytes_allocated() const { return core_.bytes(); }

  // ---- Look-up. The first two stages bring the cache lines in that the next one needs.
  void prefetch_bucket(uint64_t hash) const {
    const SegmentWord word = core_.directory().find(hash);
    prefetch_line(word.buckets() + word.home_of(hash));
  }
  // For an item that is going to be inserted: the segment's counts, too.
  void prefetch_place(uint64_t hash) const {
    prefetch_line(core_.directory().find(hash).segment());
    prefetch_bucket(hash);
  }
  Prefetched prefetch_entry(uint64_t hash) const {
    return prefetch_entry(hash, [](const Item* item) { Policy::prefetch(item); });
  }
  // The same; if there is none it is expected to be inserted.
  void prefetch_entry_or_place(uint64_t hash) const {
    if (prefetch_entry(hash) == Prefetched::kNothing) prefetch_line(core_.directory().find(hash).segment());
  }
  // The same with prefetch(const Item*) in place of the policy's.
  template <class Prefetch>
  Prefetched prefetch_entry(uint64_t hash, Prefetch prefetch) const {
    const Probe probe(core_.directory().find(hash), hash);
    if (prefetch_match(probe, prefetch)) return Prefetched::kItem;
    if (probe.bucket()->overflow == 0) return Prefetched::kNothing;
    prefetch_line(probe.bucket() + 1);
    return Prefetched::kBeyond;
  }
  // The third stage, for items that are not in their home bucket: one in ten where segments are full.
  template <class Prefetch>
  void prefetch_beyond(uint64_t hash, Prefetch prefetch) const {
    Probe probe(core_.directory().find(hash), hash);
    for (uint32_t probed = 0; probed < kBucketsBeyondMax && probe.bucket()->overflow != 0; probed++) {
      probe.advance();
      if (prefetch_match(probe, prefetch)) return;
    }
  }

  // The item's slot, or null.
  Slot* find(uint64_t hash, const Key& key) const {
    return find_if(hash, [&key](const Item& item) { return Policy::equal(item, key); });
  }
  // The slot of the first item of this hash, or one that cannot be told from it without a look at the item, for which
  // is_wanted(const Item&) is true; or null.
  template <class IsWanted>
  Slot* find_if(uint64_t hash, IsWanted is_wanted) const {
    Probe probe(core_.directory().find(hash), hash);
    for (uint32_t probed = 0; probed < probe.bucket_count; probed++) {
      HashBucket* bucket = probe.bucket();
      for (SlotMask match = bucket->match(probe.tag); match; match.drop_first()) {
        Slot& slot = slot_of(bucket->slots[match.first()]);
        if (slot.order() == probe.order && is_wanted(static_cast<const Item&>(*slot.item()))) [[likely]]
          return &slot;
      }
      if (bucket->overflow == 0) [[likely]]
        return nullptr;
      probe.advance();
    }
    return nullptr;
  }

  // ---- Changes
  // Requires: no equal item is in the table.
  Slot* insert_new(uint64_t hash, Item* item) {
    return &slot_of(*core_.insert(hash, reinterpret_cast<uintptr_t>(item), hash_of, &policy_));
  }
  // Requires: `slot` is in the table and its item has this hash. The item may be gone already.
  void erase(uint64_t hash, const Slot* slot) { core_.erase(hash, slot); }
  // Forgets all items.
  void clear() { core_.clear(); }
  // Around the insertion of very many items: see HashTableCore.
  void expect(uint64_t count) { core_.expect(count); }
  void settle() { core_.settle(); }

  // ---- Walks. `visit` must not insert or erase.
  // Calls visit(Slot&) for the items of one home bucket, those before `position` left out: about six. Returns the next
  // position; 0 is the start and the end.
  template <class Visit>
  uint64_t scan_slots(uint64_t position, Visit visit) const {
    const SegmentWord word = core_.directory().find(position);
    const uint32_t order = word.order_of(position);
    const uint32_t home = HashSegment::home_of(order, word.bucket_count());
    visit_home(word, home, order, kOrderLast, visit);
    if (home + 1 == word.bucket_count()) return word.range_end(position);
    const uint64_t next_order = HashSegment::first_order_of(home + 1, word.bucket_count());
    return word.range_begin(position) + (next_order << (64 - kOrderBits - word.local_depth()));
  }
  // Calls visit(const Slot&) for the items of the home bucket that this hash belongs to: about six. A hash at random gives a sample
  // in which all items are equally likely.
  template <class Visit>
  void visit_neighbours(uint64_t hash, Visit visit) const {
    const SegmentWord word = core_.directory().find(hash);
    const uint32_t home = HashSegment::home_of(word.order_of(hash), word.bucket_count());
    visit_home(word, home, 0, kOrderLast, visit);
  }
  // The same with visit(const Item&).
  template <class Visit>
  uint64_t scan(uint64_t position, Visit visit) const {
    return scan_slots(position, [&](const Slot& slot) { visit(static_cast<const Item&>(*slot.item())); });
  }
  // Whether a walk that is at `position` is done with the items of this hash. Requires: it is neither at its start nor
  // at its end, both of which are position 0.
  static bool is_passed(uint64_t position, uint64_t hash) { return hash < position; }

  // Calls visit(Slot&) for every item whose hash starts with the 32 bits of `prefix`, and perhaps for a few others.
  template <class Visit>
  void for_each_hash_prefix(uint32_t prefix, Visit visit) const {
    const uint64_t begin = static_cast<uint64_t>(prefix) << 32;
    const uint64_t last = begin | UINT32_MAX;
    uint64_t position = begin;
    do {
      const SegmentWord word = core_.directory().find(position);
      const uint64_t end = word.range_end(position);
      const bool ends_here = end == 0 || end > last;
      const uint32_t first_order = word.order_of(position);
      const uint32_t last_order = ends_here ? word.order_of(last) : kOrderLast;
      const uint32_t last_home = HashSegment::home_of(last_order, word.bucket_count());
      for (uint32_t home = HashSegment::home_of(first_order, word.bucket_count()); home <= last_home; home++) {
        visit_home(word, home, first_order, last_order, visit);
      }
      position = ends_here ? 0 : end;
    } while (position != 0);
  }
  // Every item, in the order of the segments: visit(const Item&).
  template <class Visit>
  void for_each(Visit visit) const {
    uint64_t position = 0;
    do {
      const SegmentWord word = core_.directory().find(position);
      const HashSegment& segment = *word.segment();
      segment.for_each([&](const HashSlot& slot, uint8_t) { visit(static_cast<const Item&>(*slot_of(slot).item())); });
      position = word.range_end(position);
    } while (position != 0);
  }
  // An item drawn about uniformly (segments differ in fill by a factor of two at most), or null for an empty table.
  Slot* random_slot(Random& random) const {
    if (empty()) return nullptr;
    // Half of the tries hit in a table of ordinary shape; the walk at the end is for one that a weak hash has bent.
    // Each is drawn, and its line under way, while the one before is looked at.
    const auto draw = [&] {
      const SegmentWord word = core_.directory().find(random.next());
      HashBucket* bucket = word.buckets() + random.uniform(word.bucket_count());
      prefetch_line(bucket);
      return bucket;
    };
    HashBucket* bucket = draw();
    for (uint32_t tries = 0; tries < kRandomTriesMax; tries++) {
      HashBucket* next = draw();
      const uint64_t i = random.uniform(kSlotsPerBucket);
      if (bucket->tags[i] != HashBucket::kFree) return &slot_of(bucket->slots[i]);
      bucket = next;
    }
    Slot* found = nullptr;
    uint64_t position = (random.next() >> kScanCursorShift) << kScanCursorShift;
    while (found == nullptr) position = scan_slots(position, [&](Slot& slot) { found = &slot; });
    return found;
  }

  // Frees the table piece by piece: calls release(Item*) for all items of one segment (about 600) and forgets them.
  // Start at position 0; the result is the next position, 0 when the table is empty. Between the pieces the table may
  // not be used for anything else.
  template <class Release>
  uint64_t drain(uint64_t position, Release release) {
    const SegmentWord word = core_.directory().find(position);
    const uint64_t next = word.range_end(position);
    // The items lie anywhere in memory: all of the segment's are under way before the first is looked at.
    word.segment()->for_each([&](const HashSlot& slot, uint8_t) { Policy::prefetch(slot_of(slot).item()); });
    word.segment()->for_each([&](const HashSlot& slot, uint8_t) { release(slot_of(slot).item()); });
    core_.drop_segment(position);
    if (next == 0) core_.clear();
    return next;
  }

  const Policy& policy() const { return policy_; }
  // Checks every invariant; stops the process when one is broken. Looks at every item.
  void check_integrity() const { core_.check_integrity(hash_of, &policy_); }

 private:
  static constexpr uint32_t kOrderLast = (1u << kOrderBits) - 1;
  static constexpr uint32_t kRandomTriesMax = 128;
  // What lies further away is not waited for: it is rare, and the buckets on the way are not in the cache.
  static constexpr uint32_t kBucketsBeyondMax = 2;

  // A search on its way through the buckets of a segment.
  struct Probe {
    Probe(SegmentWord word, uint64_t hash)
        : buckets(word.buckets()),
          bucket_count(word.bucket_count()),
          order(word.order_of(hash)),
          index(HashSegment::home_of(order, bucket_count)),
          tag(HashBucket::tag_of(hash)) {}
    HashBucket* bucket() const { return buckets + index; }
    void advance() { index = HashSegment::next_bucket(index, bucket_count); }

    HashBucket* buckets;
    uint32_t bucket_count;
    uint32_t order;
    uint32_t index;
    uint8_t tag;
  };

  // Whether a slot of the probe's bucket looks like the item's: its item is prefetched.
  template <class Prefetch>
  static bool prefetch_match(const Probe& probe, Prefetch& prefetch) {
    const HashBucket* bucket = probe.bucket();
    for (SlotMask match = bucket->match(probe.tag); match; match.drop_first()) {
      const Slot& slot = slot_of(bucket->slots[match.first()]);
      if (slot.order() != probe.order) continue;
      prefetch(slot.item());
      return true;
    }
    return false;
  }

  // A Slot adds nothing to a HashSlot but what its address means.
  static Slot& slot_of(HashSlot& slot) { return static_cast<Slot&>(slot); }
  static const Slot& slot_of(const HashSlot& slot) { return static_cast<const Slot&>(slot); }
  static uint64_t hash_of(const void* policy, uint64_t address) {
    return static_cast<const Policy*>(policy)->hash(*reinterpret_cast<const Item*>(address));
  }

  // The items whose home is `home` and whose order is in [first_order, last_order], wherever they ended up.
  template <class Visit>
  static void visit_home(SegmentWord word, uint32_t home, uint32_t first_order, uint32_t last_order, Visit& visit) {
    const uint32_t bucket_count = word.bucket_count();
    uint32_t b = home;
    for (uint32_t probed = 0; probed < bucket_count; probed++) {
      HashBucket& bucket = word.buckets()[b];
      // All seven are judged without a branch: which of them belong there is as good as random.
      uint32_t wanted = 0;
      for (uint32_t i = 0; i < kSlotsPerBucket; i++) {
        const uint32_t order = bucket.slots[i].order();
        const bool in_range = order - first_order <= last_order - first_order;
        const bool at_home = HashSegment::home_of(order, bucket_count) == home;
        wanted |= static_cast<uint32_t>(in_range & at_home & (bucket.tags[i] != HashBucket::kFree)) << i;
      }
      for (SlotMask left(wanted); left; left.drop_first()) visit(slot_of(bucket.slots[left.first()]));
      if (bucket.overflow == 0) return;
      b = HashSegment::next_bucket(b, bucket_count);
    }
  }

  HashTableCore core_;
  [[no_unique_address]] Policy policy_;
};

}  // namespace larder
