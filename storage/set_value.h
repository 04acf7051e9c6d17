// The handle on a set: what the set commands work with.
//
//   auto set = ctx.keys().edit_or_create<SetValue>(key);
//   if (set.wrong_type()) ...
//   set->add(member, limits);
//
// Three forms, by size; none goes back to a smaller one:
//
//   kPackedIntegers   integers in order, in the entry (set_integers.h)
//   kPacked           a head byte (collection_sizes.h) and a packed sequence (listpack.h) of the members, in the entry
//   kStructure        SetStructure
//
// What OBJECT ENCODING shows is kept apart from that: form() goes through intset, listpack and hashtable by the
// thresholds and rules of Redis 7.2, while the bytes go from the entry to a structure when an edit there gets slow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/number_text.h"
#include "base/random.h"
#include "storage/collection_handle.h"
#include "storage/listpack.h"
#include "storage/set_integers.h"
#include "storage/set_structure.h"

namespace larder {

// set-max-intset-entries and its siblings: what decides about the form that is shown.
struct SetLimits {
  size_t intset_entries = 512;
  size_t listpack_entries = 128;
  size_t listpack_value_bytes = 64;
};

class SetValue : public CollectionHandle {
 public:
  static constexpr ValueType kType = ValueType::kSet;
  using CollectionHandle::CollectionHandle;

  // ---- Reading. A key that does not exist yet reads as the empty set.
  size_t size() const;
  bool contains(Bytes member) const;
  // Requires: exists().
  SetForm form() const;
  // The structure, for staged look-ups; null for a set that is packed.
  SetStructure* table() const { return is_structure() ? set_structure() : nullptr; }
  // Calls visit(Bytes member) for every member, valid during the call. `visit` must not change the set.
  template <class Visit>
  void for_each(Visit visit) const;
  // The same until visit(Bytes) returns false; returns whether it never did.
  template <class Visit>
  bool for_each_until(Visit visit) const;
  // One step of SSCAN: the next cursor, 0 at the end. A packed set is visited in one step.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const;
  // Calls visit(Bytes) with a member drawn at random. Requires: exists().
  template <class Visit>
  void visit_random(Random& random, Visit visit) const;

  // ---- Writing. The first member creates the key, taking the last one out removes it.
  // Returns whether it was not in the set yet.
  bool add(Bytes member, const SetLimits& limits);
  // Returns how many were not. The form shown follows from the number given, repeated ones included, as in Redis.
  size_t add_all(std::span<const Bytes> members, const SetLimits& limits);
  // The set from a packed sequence, or from numbers, that come from outside, as they lie. False, and nothing done: they cannot
  // be kept like that, or a member is there twice; add() them one by one. Requires: !exists(); well-formed
  // (validate_packed), or sorted (SetIntegers::is_sorted).
  [[nodiscard]] bool load_packed(Bytes sequence, size_t count, const SetLimits& limits);
  [[nodiscard]] bool load_integers(const SetIntegers& numbers, const SetLimits& limits);
  // A large set without members yet, shown as a table, for about `count` that come from outside: the caller adds them at once, and
  // says when they are there. Requires: !exists(), and at the end that one came.
  void begin_large(uint64_t count);
  void end_large();
  // About so many members at most are going to be added, in the order of another set: a table, if it comes to one, has room for
  // them from the start. settle() when they are there.
  void expect(uint64_t count) { expected_ = count; }
  void settle() {
    if (is_structure()) set_structure()->settle();
  }
  bool remove(Bytes member);
  // These and no others are the members from now on, in a table of their own; the one before is disposed of. What is shown follows the
  // rules for a set that they were added to. Requires: table(); members, each once, that do not lie in it.
  void replace_table(std::span<const Bytes> members, const SetLimits& limits);
  // The same as visit_random, and takes the member out.
  template <class Visit>
  void pop(Random& random, Visit visit);

  // Checks every invariant; stops the process when one is broken.
  void check_integrity() const;

 private:
  SetStructure* set_structure() const { return static_cast<SetStructure*>(structure()); }
  bool is_integers() const { return entry().encoding() == Encoding::kPackedIntegers; }
  PackedHead head() const { return PackedHead(packed()); }
  // The members of the kPacked form.
  Bytes sequence() const { return packed().substr(kPackedHeadBytes); }
  SetIntegers integers() const { return SetIntegers(packed()); }

  void create(Bytes first_member, size_t count_expected, const SetLimits& limits);
  bool add_to_integers(Bytes member, const SetLimits& limits);
  bool insert_integer(int64_t number);
  bool add_to_packed(Bytes member, const SetLimits& limits);
  bool add_to_structure(Bytes member, const SetLimits& limits);
  // Integers become text: packed if they still fit with another `room_bytes`, else a structure.
  void convert_integers(SetForm form, size_t room_bytes);
  // All members move to a structure.
  void convert_to_structure(SetForm form);
  // Requires: not to kIntset.
  void show_as(SetForm form);
  void remove_integer_at(size_t index);
  void remove_packed(const PackedElement& element);

  uint64_t expected_ = 0;
};

template <class Visit>
void SetValue::for_each(Visit visit) const {
  if (is_structure()) return set_structure()->for_each(visit);
  for_each_until([&](Bytes member) {
    visit(member);
    return true;
  });
}

template <class Visit>
bool SetValue::for_each_until(Visit visit) const {
  if (!exists()) return true;
  if (is_structure()) return set_structure()->for_each_until(visit);
  char scratch[kInt64TextBytesMax];
  if (is_integers()) {
    const SetIntegers numbers = integers();
    for (size_t i = 0; i < numbers.size(); i++) {
      if (!visit(Bytes(scratch, write_int64(scratch, numbers.at(i))))) return false;
    }
    return true;
  }
  for (const PackedElement& element : PackedRange(sequence())) {
    if (!visit(element.text(scratch))) return false;
  }
  return true;
}

template <class Visit>
uint64_t SetValue::scan(uint64_t cursor, Visit visit) const {
  if (is_structure()) return set_structure()->scan(cursor, visit);
  for_each(visit);
  return 0;
}

template <class Visit>
void SetValue::visit_random(Random& random, Visit visit) const {
  if (is_structure()) return visit(set_structure()->random_slot(random)->item()->text());
  char scratch[kInt64TextBytesMax];
  const uint64_t index = random.uniform(size());
  if (is_integers()) return visit(Bytes(scratch, write_int64(scratch, integers().at(index))));
  visit(packed_at(sequence(), static_cast<int64_t>(index)).text(scratch));
}

template <class Visit>
void SetValue::pop(Random& random, Visit visit) {
  if (is_structure()) {
    SetStructure::Table::Slot* slot = set_structure()->random_slot(random);
    visit(slot->item()->text());
    set_structure()->remove_slot(slot);
    if (set_structure()->size() == 0) remove_key();
    return;
  }
  char scratch[kInt64TextBytesMax];
  const uint64_t index = random.uniform(size());
  if (is_integers()) {
    visit(Bytes(scratch, write_int64(scratch, integers().at(index))));
    return remove_integer_at(index);
  }
  const PackedElement element = packed_at(sequence(), static_cast<int64_t>(index));
  visit(element.text(scratch));
  remove_packed(element);
}

}  // namespace larder
