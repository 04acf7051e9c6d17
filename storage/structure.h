// A collection that is too large for its entry: what an entry of Encoding::kStructure points to.
//
// One class per type derives from this (ListStructure, SetStructure ...). The base is what the keyspace needs to know of all of
// them: how large, how to copy, how to free without ever stopping the loop for long.
//
// All memory of a structure comes from the store's allocators, so that it is accounted: nodes from StructureResources::blocks
// (any size; beyond 512 bytes it is malloc behind the same counters), hash tables with StructureResources::tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

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
// while it is written. A structure has at most one; without one a change costs a look at a null pointer.
class StructureGuard {
 public:
  virtual ~StructureGuard() = default;
  // A snapshot's comes before any other: the others are asked to stand_aside(), and have taken themselves away afterwards.
  virtual bool is_snapshot() const { return true; }
  virtual void stand_aside() {}
  // A command is going to change the structure, or may: it is still what it was. Comes before everything else.
  virtual void changing() = 0;
  // Hash, set and sorted set: an item is about to change or to go, or is about to come. Streams: a node is about to change
  // or to go; the hash is nothing then.
  virtual void item_changing(uint64_t hash, const void* item) = 0;
  virtual void item_coming(uint64_t hash, Bytes name) = 0;
  // Nobody else needs the structure any more. It is the guard's to dispose of, when it has been read.
  virtual void left_over() = 0;
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
  // Checks every invariant; stops the process when one is broken.
  virtual void check_integrity() const = 0;

  StructureResources& resources() const { return resources_; }
  // Null: nobody. The guard outlives the structure or takes itself away.
  StructureGuard* guard() const { return guard_; }
  void set_guard(StructureGuard* guard) { guard_ = guard; }

 private:
  friend void destroy_structure(Structure* structure);
  // sizeof the whole object.
  virtual size_t object_bytes() const = 0;

  StructureResources& resources_;
  StructureGuard* guard_ = nullptr;
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
