// Reading a structure that lies in a hash table (hash_table.h) in pieces, as it was when the walk was made.
//
// The walk is a position in the order of the hashes, so "was this item read" is a comparison. An item that is about to change or
// go and was not read is to be read at once; its name, and that of an item that comes where the walk has not been, is
// remembered so that the walk leaves it out. So a change costs a look-up, and the memory is in proportion to the changes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/hash.h"
#include "storage/keyspace.h"
#include "storage/set_structure.h"
#include "storage/structure.h"

namespace larder {

class TableWalk {
 public:
  // Only what all structures of a store share is referred to, so a walk may outlive its structure.
  explicit TableWalk(const Structure& structure) : resources_(structure.resources()), count_(structure.size()) {}
  TableWalk(const TableWalk&) = delete;
  TableWalk& operator=(const TableWalk&) = delete;
  // Requires: let_go() was called.
  ~TableWalk() { LARDER_ASSERT(names_ == nullptr); }

  // What one piece of work looks at when it leaves nearly all of it out: some 100 us.
  static constexpr uint64_t kLeftOutMax = 512;

  bool is_over() const { return is_over_; }
  uint64_t count() const { return count_; }  // of the items at the beginning
  uint64_t position() const { return position_; }
  // Items met so far that were left out.
  uint64_t left_out() const { return left_out_; }
  // The items up to `position` were met; 0: all.
  void advance(uint64_t position) {
    position_ = position;
    is_over_ = position == 0;
  }

  // The structure may have changed.
  void changing() { changed_ = true; }
  // An item is about to change or go: whether it is to be read now.
  bool reads_early(uint64_t hash, Bytes name) {
    changed_ = true;
    if (is_passed(hash) || !remember(name)) return false;
    read_++;
    return true;
  }
  void item_coming(uint64_t hash, Bytes name) {
    changed_ = true;
    if (!is_passed(hash)) remember(name);
  }
  // The walk has met an item: whether it is to be read. `name()` is asked for only if it matters.
  template <class Name>
  bool reads(Name name) {
    if (changed_) [[unlikely]] {
      const Bytes text = name();
      const uint64_t hash = hash_bytes(text, resources_.hash_seed);
      // Met before the position: a merge of segments shows an item a second time.
      if (hash < position_ || (names_ != nullptr && names_->contains_hashed(hash, text))) {
        left_out_++;
        return false;
      }
    }
    read_++;
    return true;
  }

  // Requires: is_over(). Every item was read once.
  void check_complete() const { LARDER_ASSERT(is_over_ && read_ == count_); }
  size_t held_bytes() const { return names_ != nullptr ? names_->memory_bytes() : 0; }
  void let_go(Store& store) {
    if (names_ != nullptr) store.dispose(names_);
    names_ = nullptr;
  }

 private:
  bool is_passed(uint64_t hash) const { return is_over_ || hash < position_; }
  // False: it is remembered already.
  bool remember(Bytes name) {
    if (names_ == nullptr) names_ = create_structure<SetStructure>(resources_, SetForm::kHashtable);
    return names_->add(name);
  }

  StructureResources& resources_;
  const uint64_t count_;
  uint64_t read_ = 0;
  uint64_t left_out_ = 0;
  uint64_t position_ = 0;  // items with a smaller hash are read
  bool is_over_ = false;
  bool changed_ = false;
  SetStructure* names_ = nullptr;  // that the walk leaves out
};

}  // namespace larder
