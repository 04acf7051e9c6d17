// A large hash: a hash table whose items are the fields, one block each.
//
//   field block: name length * 2 + has a deadline │ value length │ [deadline, 8 bytes] │ name │ value
//                (lengths as in collection_sizes.h)
//
// A field of 15 bytes with a value of 16 is a block of 36 bytes and a slot of 10 to 12.
//
// Deadlines of fields. due_ms() is never later than the earliest of them; who owns the hash calls remove_due() then. A
// table of up to kScannedMax fields is scanned for what is due. A larger one has an index of deadlines of its own
// (expiry_index.h: 20 KB and 4.3 bytes a field), whose items are found by the front of their hash like those of the
// keyspace; it is made when the first field of a large table gets a deadline, or when a table with deadlines grows
// beyond the limit, and is then filled by a walk over no more than that many fields. When many of its items are stale it is
// built anew by a walk, a few fields with each deadline that is given, and the old one fires until that is done.
//
// The index fires at the end of a slot of 2 ms. So that what is due now is found now (HLEN must not count it), the index
// is asked for what fires within kIndexSlotMs; what comes out too early waits in soon_.
//
// Rejected: a heap of deadlines (12 to 16 bytes a field, and doubling it stops the loop), a scan of tables of any size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "storage/collection_sizes.h"
#include "storage/entry.h"
#include "storage/expiry_index.h"
#include "storage/hash.h"
#include "storage/hash_table.h"
#include "storage/structure.h"

namespace larder {

// One field, where it lies. Valid until the hash changes.
struct HashFieldView {
  Bytes name;
  Bytes value;
  int64_t deadline_ms = kNoDeadline;
};

// A block seen as a field. Never constructed.
class HashField {
 public:
  static HashField* create(BlockAllocator& blocks, const HashFieldView& field);
  static void destroy(BlockAllocator& blocks, HashField* field) { blocks.free(field, field->content_bytes()); }
  static size_t content_bytes_of(size_t name_bytes, size_t value_bytes, bool has_deadline) {
    return length_prefix_bytes(name_bytes << 1) + length_prefix_bytes(value_bytes) +
           (has_deadline ? sizeof(int64_t) : 0) + name_bytes + value_bytes;
  }

  HashFieldView view() const {
    const char* at = reinterpret_cast<const char*>(this);
    const size_t name_and_flag = read_length_prefix(&at);
    const size_t value_bytes = read_length_prefix(&at);
    HashFieldView view;
    if (name_and_flag & 1) {
      std::memcpy(&view.deadline_ms, at, sizeof(int64_t));
      at += sizeof(int64_t);
    }
    view.name = {at, name_and_flag >> 1};
    view.value = {at + view.name.size(), value_bytes};
    return view;
  }
  Bytes name() const { return view().name; }
  size_t content_bytes() const {
    const HashFieldView field = view();
    return content_bytes_of(field.name.size(), field.value.size(), field.deadline_ms != kNoDeadline);
  }
  // Requires: the new value and deadline need the block and the layout that are there.
  void overwrite(Bytes value, int64_t deadline_ms);
};

struct HashFieldPolicy {
  using Item = HashField;
  using Key = Bytes;
  uint64_t seed = 0;

  static bool equal(const HashField& field, Bytes name) { return same_bytes(field.name(), name); }
  uint64_t hash(const HashField& field) const { return hash_bytes(field.name(), seed); }
  // Of the second line so much that a field of usual size is there, wherever it begins in the first.
  static void prefetch(const HashField* field) {
    prefetch_line(field);
    prefetch_line(reinterpret_cast<const char*>(field) + 40);
  }
};

class HashStructure final : public Structure {
 public:
  using Table = HashTable<HashFieldPolicy>;

  // `shown_as_table`: what OBJECT ENCODING calls it.
  HashStructure(StructureResources& resources, bool shown_as_table);
  ~HashStructure() override;

  bool shown_as_table() const { return shown_as_table_; }
  void show_as_table() { shown_as_table_ = true; }

  // Around many additions to an empty one: see HashTableCore.
  void expect(uint64_t count) { table_.expect(count); }
  void settle() { table_.settle(); }
  void prefetch_bucket(uint64_t hash) const override { table_.prefetch_bucket(hash); }
  void prefetch_item(uint64_t hash) const override { table_.prefetch_entry_or_place(hash); }
  // Null if there is no such field; one past its deadline is there until remove_due() takes it out.
  Table::Slot* find(Bytes name) const { return table_.find(hash(name), name); }
  // Adds the field or replaces it, deadline included. Returns whether it is new. `now_ms` is for the index.
  bool set(const HashFieldView& field, int64_t now_ms);
  // Replaces the field of the slot: value and deadline. Requires: the name is the same.
  void replace(Table::Slot* slot, const HashFieldView& field, int64_t now_ms);
  void remove_slot(Table::Slot* slot);
  // Drawn about uniformly. Requires: size() > 0. Valid until the next change.
  Table::Slot* random_slot(Random& random) const { return table_.random_slot(random); }

  // Whether any field has ever had a deadline, or has one now.
  bool had_deadlines() const { return had_deadlines_; }
  size_t volatile_count() const { return volatile_count_; }
  // No deadline of a field is before this; kNoDeadline without any. Constant time.
  int64_t due_ms() const { return due_ms_; }
  // Takes out up to `fields_max` fields whose time is over, with visit(const HashFieldView&) before each, and looks at a
  // number of others in proportion. due_ms() moves to what is left.
  template <class Visit>
  void remove_due(int64_t now_ms, size_t fields_max, Visit visit);

  template <class Visit>
  void for_each_item(Visit visit) const {
    table_.for_each(visit);
  }
  // One step of a walk over the items: see HashTable::scan.
  template <class Visit>
  uint64_t scan_items(uint64_t position, Visit visit) const {
    return table_.scan(position, visit);
  }
  // One step of HSCAN, visit(const HashFieldView&); see Keyspace::scan.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const {
    const auto visit_view = [&](const HashField& field) { visit(field.view()); };
    return table_.scan(cursor << kScanCursorShift, visit_view) >> kScanCursorShift;
  }

  size_t size() const override { return table_.size(); }
  size_t memory_bytes() const override;
  Bytes encoding_name() const override;
  Structure* clone() const override;
  bool free_some(size_t elements_max) override;
  uint64_t compact_some(uint64_t position, BlockMover& mover) override;
  void check_integrity() const override;

 private:
  static constexpr size_t kScannedMax = 512;
  static constexpr int64_t kIndexSlotMs = 2;
  // Items of the index that no field needs any more: as many as fields that have a deadline, a sixteenth of all, and this many.
  static constexpr uint64_t kStaleItemsMin = 16384;
  static constexpr uint64_t kFieldsPerStaleItem = 16;
  // Each deadline that is given meanwhile takes building anew on by so many fields, and the freeing of the old index by so
  // many chunks.
  static constexpr size_t kWalkedPerDeadline = 64;
  static constexpr size_t kFreedPerDeadline = 8;

  size_t object_bytes() const override { return sizeof(*this); }
  uint64_t hash(Bytes name) const { return hash_bytes(name, resources().hash_seed); }
  void note_deadline(uint64_t hash, int64_t old_deadline_ms, int64_t new_deadline_ms, int64_t now_ms);
  void build_index(int64_t now_ms);
  bool is_index_stale() const;
  // A few fields further with the index that takes the place of old_index_.
  void continue_rebuild(int64_t now_ms);
  // A field with this front of its hash is to be looked at in time. Requires: index_.
  void file_deadline(uint32_t hash_prefix, int64_t deadline_ms, int64_t now_ms);
  // The fields of the next home bucket: *due is one whose time is over, *earliest_ms the first deadline of the others.
  uint64_t scan_for_due(uint64_t position, int64_t now_ms, Table::Slot** due, int64_t* earliest_ms);
  // A field with this front of its hash whose time is over; null: none, and `files_others`: the others are filed anew.
  Table::Slot* find_due(uint32_t hash_prefix, int64_t now_ms, bool files_others);
  template <class Remove>
  void remove_due_by_scan(int64_t now_ms, Remove remove);
  template <class Remove>
  void remove_due_by_index(int64_t now_ms, size_t steps_max, Remove remove);
  // What can be said of the earliest deadline when everything that is due has been removed.
  int64_t indexed_due_ms() const;

  Table table_;
  size_t field_bytes_ = 0;  // of the fields' blocks
  uint64_t drain_position_ = 0;
  size_t volatile_count_ = 0;
  int64_t due_ms_ = kNoDeadline;
  std::unique_ptr<ExpiryIndex> index_;
  // While the index is built anew: the one before, which fires until the walk over the fields is done and is freed then.
  std::unique_ptr<ExpiryIndex> old_index_;
  uint64_t rebuild_position_ = 0;
  bool rebuild_walked_ = false;
  std::vector<uint32_t> soon_;  // items that came out of the index before their time
  bool shown_as_table_;
  bool had_deadlines_ = false;
};

template <class Visit>
void HashStructure::remove_due(int64_t now_ms, size_t fields_max, Visit visit) {
  size_t removed = 0;
  // False: enough for now.
  const auto remove = [&](Table::Slot* slot) {
    if (removed == fields_max) return false;
    visit(slot->item()->view());
    remove_slot(slot);
    removed++;
    return true;
  };
  if (index_) return remove_due_by_index(now_ms, 4 * fields_max, remove);
  remove_due_by_scan(now_ms, remove);
}

template <class Remove>
void HashStructure::remove_due_by_scan(int64_t now_ms, Remove remove) {
  int64_t earliest_ms = kNoDeadline;
  uint64_t position = 0;
  for (bool at_end = false; !at_end;) {
    Table::Slot* due = nullptr;
    int64_t others_ms = kNoDeadline;
    const uint64_t next = scan_for_due(position, now_ms, &due, &others_ms);
    if (due == nullptr) {
      earliest_ms = std::min(earliest_ms, others_ms);
      position = next;
      at_end = next == 0;
    } else {
      if (!remove(due)) return;
      at_end = table_.empty();
    }
  }
  due_ms_ = earliest_ms;
}

template <class Remove>
void HashStructure::remove_due_by_index(int64_t now_ms, size_t steps_max, Remove remove) {
  // False: the field stays, and so does its item.
  const auto settle = [&](uint32_t hash_prefix) {
    bool files_others = true;
    while (Table::Slot* due = find_due(hash_prefix, now_ms, files_others)) {
      if (!remove(due)) return false;
      files_others = false;
    }
    return true;
  };
  std::vector<uint32_t> items;
  items.swap(soon_);
  for (ExpiryIndex::Batch batch; items.size() < steps_max;) {
    batch.count = 0;
    if (old_index_ && !rebuild_walked_) old_index_->take(now_ms + kIndexSlotMs, &batch);
    if (batch.count == 0) index_->take(now_ms + kIndexSlotMs, &batch);
    if (batch.count == 0) break;
    items.insert(items.end(), batch.hash_prefixes, batch.hash_prefixes + batch.count);
  }
  size_t done = 0;
  while (done < items.size() && settle(items[done])) done++;
  const bool all_done = done == items.size() && items.size() < steps_max;
  soon_.insert(soon_.end(), items.begin() + static_cast<ptrdiff_t>(done), items.end());
  if (volatile_count_ == 0) {
    index_.reset();
    old_index_.reset();
    soon_.clear();
    due_ms_ = kNoDeadline;
  } else if (all_done) {
    due_ms_ = indexed_due_ms();
  }
}

}  // namespace larder
