// A collection that is too large for its entry: what an entry of Encoding::kStructure points to.
//
// One class per type derives from this (ListStructure, SetStructure ...). The base is what the keyspace needs to know of all of
// them: how large, how to copy, how to free without ever stopping the loop for long.
//
// All memory of a structure comes from the store's allocators, so that it is accounted: nodes from StructureResources::blocks
// (any size; beyond kBlockBytesMax it is malloc behind the same counters), hash tables with StructureResources::tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/random.h"
#include "storage/block_allocator.h"
#include "storage/compaction.h"
#include "storage/hash_table_core.h"

namespace larder {

// What structures are made from. Owned by the store, outlives all of them.
struct StructureResources {
  BlockAllocator& blocks;
  HashTableAccount& tables;
  uint64_t hash_seed;
};

// Who has yet to read what a structure holds now, and so wants to see it before it changes: a snapshot, or a reply that is sent
// while it is written. A structure may have several, at most one of them a snapshot's; without any a change costs a look at a
// null pointer. A guard that is told of a change neither takes itself away nor adds another.
class StructureGuard {
 public:
  virtual ~StructureGuard() = default;
  virtual bool is_snapshot() const = 0;
  // A command is going to change the structure, or may: it is still what it was. Comes before everything else. A snapshot is
  // told by the keyspace, of all types; others by the lists alone.
  virtual void changing() = 0;
  // Hash, set and sorted set: an item is about to change or to go, or is about to come. Streams: a node is about to change
  // or to go; the hash is nothing then.
  virtual void item_changing(uint64_t hash, const void* item) = 0;
  virtual void item_coming(uint64_t hash, Bytes name) = 0;

 private:
  friend class Structure;
  StructureGuard* next_guard_ = nullptr;
};

class Structure {
 public:
  explicit Structure(StructureResources& resources) : resources_(resources) {}
  virtual ~Structure() = default;
  Structure(const Structure&) = delete;
  Structure& operator=(const Structure&) = delete;

  // Elements: of a hash its fields, of a stream its entries.
  virtual size_t size() const = 0;
  // Bytes of memory, this object included (MEMORY USAGE). Constant time: kept as a running sum.
  virtual size_t memory_bytes() const = 0;
  // What OBJECT ENCODING shows.
  virtual Bytes encoding_name() const = 0;
  // COPY: an equal structure of its own.
  virtual Structure* clone() const = 0;
  // Frees about `elements_max` elements; true when some are left. After the first call the structure serves nothing else.
  virtual bool free_some(size_t elements_max) = 0;
  // Moves some of the elements' blocks if they lie in sparse pages: from `position` on (0: the beginning); returns the next
  // position, 0 at the end. What is not kept in blocks of its own stays where it is.
  virtual uint64_t compact_some([[maybe_unused]] uint64_t position, [[maybe_unused]] BlockMover& mover) { return 0; }
  // The staged look-up of an item by the hash of its name, as the keyspace's of a key; each stage wants some time between
  // itself and the next: its bucket, the item, and what leads to its place in the order. Nothing where items have no names.
  virtual void prefetch_bucket([[maybe_unused]] uint64_t hash) const {}
  virtual void prefetch_item([[maybe_unused]] uint64_t hash) const {}
  virtual void prefetch_place([[maybe_unused]] uint64_t hash) const {}
  // Checks every invariant; stops the process when one is broken.
  virtual void check_integrity() const = 0;

  StructureResources& resources() const { return resources_; }

  // ---- Guards. They outlive the structure or take themselves away.
  bool is_guarded() const { return guards_ != nullptr; }
  size_t guard_count() const {
    size_t count = 0;
    for (const StructureGuard* guard = guards_; guard != nullptr; guard = guard->next_guard_) count++;
    return count;
  }
  // Null: no snapshot holds it.
  StructureGuard* snapshot_guard() const {
    StructureGuard* guard = guards_;
    while (guard != nullptr && !guard->is_snapshot()) guard = guard->next_guard_;
    return guard;
  }
  // Of those that are no snapshot's.
  bool is_first_reader(const StructureGuard& guard) const {
    const StructureGuard* first = guards_;
    while (first != nullptr && first->is_snapshot()) first = first->next_guard_;
    return first == &guard;
  }
  void add_guard(StructureGuard& guard) {
    LARDER_ASSERT(!guard.is_snapshot() || snapshot_guard() == nullptr);
    guard.next_guard_ = guards_;
    guards_ = &guard;
  }
  // True: nobody needs the structure any more, and it is to be disposed of. Requires: the guard was added.
  [[nodiscard]] bool remove_guard(StructureGuard& guard) {
    StructureGuard** link = &guards_;
    while (*link != &guard) {
      LARDER_ASSERT(*link != nullptr);
      link = &(*link)->next_guard_;
    }
    *link = guard.next_guard_;
    return is_left_over_ && guards_ == nullptr;
  }
  // Only its guards still need the structure, or nobody.
  void leave_over() { is_left_over_ = true; }
  bool is_left_over() const { return is_left_over_; }

 protected:
  // Before a change; see StructureGuard. Each begins with a look whether there is a guard.
  void tell_changing() {
    for (StructureGuard* guard = guards_; guard != nullptr; guard = guard->next_guard_) guard->changing();
  }
  void tell_item_changing(uint64_t hash, const void* item) {
    for (StructureGuard* guard = guards_; guard != nullptr; guard = guard->next_guard_) {
      guard->item_changing(hash, item);
    }
  }
  void tell_item_coming(uint64_t hash, Bytes name) {
    for (StructureGuard* guard = guards_; guard != nullptr; guard = guard->next_guard_) guard->item_coming(hash, name);
  }

 private:
  friend void destroy_structure(Structure* structure);
  // sizeof the whole object.
  virtual size_t object_bytes() const = 0;

  StructureResources& resources_;
  StructureGuard* guards_ = nullptr;
  bool is_left_over_ = false;
};

// An object of class T, which takes the resources first.
template <class T, class... Arguments>
T* create_structure(StructureResources& resources, Arguments&&... arguments) {
  return new (resources.blocks.allocate(sizeof(T))) T(resources, std::forward<Arguments>(arguments)...);
}

// Frees it with all that is in it, in time proportional to its size. Commands never call this: they go through
// Store::dispose(), which leaves large ones to the background.
inline void destroy_structure(Structure* structure) {
  StructureResources& resources = structure->resources();
  const size_t bytes = structure->object_bytes();
  structure->~Structure();
  resources.blocks.free(structure, bytes);
}

}  // namespace larder
