// A large set: a hash table whose items are the members, one block each.
//
//   member block: length (length_prefix_bytes) │ bytes
//
// A 16-byte member is a block of 20 bytes and a slot of 10 to 12. There is no object per member.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/random.h"
#include "storage/collection_sizes.h"
#include "storage/hash.h"
#include "storage/hash_table.h"
#include "storage/structure.h"

namespace larder {

// What OBJECT ENCODING shows of a set: which of Redis's forms its history would have led to.
enum class SetForm : uint8_t { kIntset, kListpack, kHashtable };

Bytes set_form_name(SetForm form);

// A block seen as a member. Never constructed.
class SetMember {
 public:
  static SetMember* create(BlockAllocator& blocks, Bytes text);
  static void destroy(BlockAllocator& blocks, SetMember* member);

  Bytes text() const {
    const char* at = reinterpret_cast<const char*>(this);
    const size_t length = read_length_prefix(&at);
    return {at, length};
  }
  size_t content_bytes() const {
    const size_t length = text().size();
    return length_prefix_bytes(length) + length;
  }
};

struct SetMemberPolicy {
  using Item = SetMember;
  using Key = Bytes;
  uint64_t seed = 0;

  static bool equal(const SetMember& member, Bytes text) { return same_bytes(member.text(), text); }
  uint64_t hash(const SetMember& member) const { return hash_bytes(member.text(), seed); }
  // Both lines that a member of usual size may lie in.
  static void prefetch(const SetMember* member) {
    prefetch_line(member);
    prefetch_line(reinterpret_cast<const char*>(member) + 20);
  }
};

class SetStructure final : public Structure {
 public:
  using Table = HashTable<SetMemberPolicy>;

  SetStructure(StructureResources& resources, SetForm form);
  ~SetStructure() override;

  SetForm form() const { return form_; }
  void set_form(SetForm form) { form_ = form; }

  // Around many additions to an empty one: see HashTableCore.
  void expect(uint64_t count) { table_.expect(count); }
  void settle() { table_.settle(); }

  bool contains(Bytes member) const { return table_.find(hash(member), member) != nullptr; }
  // Return whether there was something to do.
  bool add(Bytes member);
  bool remove(Bytes member);
  // Drawn about uniformly. Requires: size() > 0. Valid until the next change.
  Table::Slot* random_slot(Random& random) const { return table_.random_slot(random); }
  void remove_slot(Table::Slot* slot) { remove_slot(table_.policy().hash(*slot->item()), slot); }

  // The staged look-up: hash, prefetch_bucket, prefetch_item, contains_hashed.
  uint64_t hash(Bytes member) const { return hash_bytes(member, resources().hash_seed); }
  void prefetch_bucket(uint64_t hash) const override { table_.prefetch_bucket(hash); }
  void prefetch_item(uint64_t hash) const override { table_.prefetch_entry_or_place(hash); }
  bool contains_hashed(uint64_t hash, Bytes member) const { return table_.find(hash, member) != nullptr; }

  // Calls visit(Bytes) for every member. `visit` must not change the set.
  template <class Visit>
  void for_each(Visit visit) const {
    table_.for_each([&](const SetMember& member) { visit(member.text()); });
  }
  // The same until visit(Bytes) returns false; returns whether it never did.
  template <class Visit>
  bool for_each_until(Visit visit) const {
    bool goes_on = true;
    uint64_t position = 0;
    do {
      position = table_.scan(position, [&](const SetMember& member) { goes_on = goes_on && visit(member.text()); });
    } while (position != 0 && goes_on);
    return goes_on;
  }
  template <class Visit>
  void for_each_item(Visit visit) const {
    table_.for_each(visit);
  }
  // One step of a walk over the items: see HashTable::scan.
  template <class Visit>
  uint64_t scan_items(uint64_t position, Visit visit) const {
    return table_.scan(position, visit);
  }
  // One step of SSCAN; see Keyspace::scan.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const {
    const auto visit_text = [&](const SetMember& member) { visit(member.text()); };
    return table_.scan(cursor << kScanCursorShift, visit_text) >> kScanCursorShift;
  }

  size_t size() const override { return table_.size(); }
  size_t memory_bytes() const override;
  Bytes encoding_name() const override { return set_form_name(form_); }
  Structure* clone() const override;
  bool free_some(size_t elements_max) override;
  uint64_t compact_some(uint64_t position, BlockMover& mover) override;
  void check_integrity() const override;

 private:
  size_t object_bytes() const override { return sizeof(*this); }
  void remove_slot(uint64_t member_hash, Table::Slot* slot);

  Table table_;
  size_t member_bytes_ = 0;  // of the members' blocks
  uint64_t drain_position_ = 0;
  SetForm form_;
};

}  // namespace larder
