// The handle on a hash: what the hash commands work with.
//
//   auto hash = ctx.keys().edit_or_create<HashValue>(key);
//   if (hash.wrong_type()) ...
//   hash->set(field, value, limits);
//
// Two forms, by size; none goes back to the smaller one:
//
//   kPacked      in the entry: a head byte (collection_sizes.h) and a packed sequence (listpack.h) field value field value
//                ...; once a field has a deadline: head byte, lower bound of the deadlines (8 bytes), and
//                field value deadline field value deadline ..., where 0 stands for none
//   kStructure   HashStructure
//
// Fields past their deadline do not exist for whoever reads. A look-up of the key takes them out first (Keyspace does,
// and reports it); what it leaves (it takes out a bounded number, and on a replica none) every function here skips.
// Whether that has to be looked at at all is one comparison with due_ms().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/number_text.h"
#include "base/random.h"
#include "storage/collection_handle.h"
#include "storage/collection_sizes.h"
#include "storage/hash_structure.h"
#include "storage/listpack.h"

namespace larder {

// hash-max-listpack-entries and its sibling: what decides about the form that is shown.
struct HashLimits {
  size_t listpack_entries = 512;
  size_t listpack_value_bytes = 64;
};

// No deadline of a field of this hash is before that; kNoDeadline if no field has one. Requires: the entry is a hash.
int64_t hash_due_ms(const Entry& entry);

// The value of a field: a view of the stored bytes, or the digits of a number kept beside the view. Not copyable,
// because the view may point into the object itself.
class HashText {
 public:
  HashText() = default;
  HashText(const HashText&) = delete;
  HashText& operator=(const HashText&) = delete;

  Bytes bytes() const { return bytes_; }
  operator Bytes() const { return bytes_; }

 private:
  friend class HashValue;
  char digits_[kInt64TextBytesMax];
  Bytes bytes_;
};

class HashValue : public CollectionHandle {
 public:
  static constexpr ValueType kType = ValueType::kHash;
  using CollectionHandle::CollectionHandle;

  // ---- Reading. A key that does not exist yet reads as the empty hash.
  // Fields. Constant time, unless fields are due that nobody has taken out yet.
  size_t size() const;
  bool contains(Bytes field) const;
  // Whether there is any field: size() > 0, found with the first one.
  bool has_live() const;
  // Returns whether the field exists. *value holds until the hash changes.
  bool get(Bytes field, HashText* value) const;
  // kNoDeadline for a field without one, nothing for a field that does not exist.
  std::optional<int64_t> field_deadline_ms(Bytes field) const;
  // No deadline of a field is before that.
  int64_t due_ms() const { return exists() ? hash_due_ms(entry()) : kNoDeadline; }
  // Whether there may be fields that are over and still there.
  bool has_due() const { return is_over(due_ms()); }
  // The structure, for sampling; null for a hash that is packed.
  HashStructure* table() const { return is_structure() ? hash_structure() : nullptr; }
  // Whether the field exists for who reads now.
  bool is_live(const HashFieldView& field) const { return !is_over(field.deadline_ms); }
  // Calls visit(const HashFieldView&) for every field, valid during the call. `visit` must not change the hash.
  template <class Visit>
  void for_each(Visit visit) const;
  // One step of HSCAN: the next cursor, 0 at the end. A packed hash is visited in one step.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const;
  // Calls visit(const HashFieldView&) with a field drawn at random. Requires: size() > 0.
  template <class Visit>
  void visit_random(Random& random, Visit visit) const;

  // ---- Writing. The first field creates the key, taking the last one out removes it.
  // Returns whether the field is new. `deadline` says what becomes of the field's own.
  bool set(Bytes field, Bytes value, const HashLimits& limits, DeadlineRule deadline = DeadlineRule::none());
  // Name, value, name, value ... Returns how many are new. The form shown follows from their number, as in Redis.
  size_t set_all(std::span<const Bytes> pairs, const HashLimits& limits, DeadlineRule deadline = DeadlineRule::none());
  // The hash from a packed sequence of names and values that comes from outside, as it lies. False, and nothing done: it
  // cannot be kept like that, or has a name twice; set() its fields one by one. Requires: !exists(); `element_count` is
  // their number; well-formed (validate_packed).
  [[nodiscard]] bool load_packed(Bytes sequence, size_t element_count, const HashLimits& limits);
  // A large hash without fields yet, shown as a table, for about `count` that come from outside: the caller adds them at once, and
  // says when they are there. Requires: !exists(), and at the end that one came.
  void begin_large(uint64_t count);
  void end_large();
  // kNoDeadline takes it away. Returns whether the field exists. A deadline in the past makes the field invisible, and
  // the next look-up or the background takes it out.
  bool set_field_deadline(Bytes field, int64_t deadline_ms);
  bool remove(Bytes field);
  // Takes out up to `fields_max` fields whose time is over, calling visit(Bytes name) before each. The key may be gone
  // afterwards.
  template <class Visit>
  void remove_due(size_t fields_max, Visit visit);

  // Checks every invariant; stops the process when one is broken.
  void check_integrity() const;

 private:
  friend int64_t hash_due_ms(const Entry& entry);

  HashStructure* hash_structure() const { return static_cast<HashStructure*>(structure()); }
  PackedHead head() const { return PackedHead(packed()); }
  static size_t sequence_offset(PackedHead head) {
    return kPackedHeadBytes + (head.has_deadlines() ? sizeof(int64_t) : 0);
  }
  static size_t stride(PackedHead head) { return head.has_deadlines() ? 3 : 2; }
  Bytes sequence() const { return packed().substr(sequence_offset(head())); }
  // Of a packed hash with deadlines.
  void write_due_ms(int64_t due_ms);
  // Whether a field with this deadline is gone, or only waits to be taken out. Never while a log is loaded.
  bool is_over(int64_t deadline_ms) const {
    return deadline_ms <= now_ms() && keyspace().store().expiry_mode() != ExpiryMode::kKeep;
  }

  // A field where it lies in the packed form; field.at is null if it is not there (or no longer).
  struct PackedField {
    PackedElement field;
    PackedElement value;
    int64_t deadline_ms = kNoDeadline;
    const char* end = nullptr;
  };
  static PackedField read_field(const PackedElement& field, PackedHead head);
  PackedField find_field(Bytes field) const;
  template <class Visit>
  void for_each_packed(Visit visit) const;

  // What is known before a write and must be told to the keyspace after it.
  void tell_due(int64_t due_before_ms);
  void create(const HashFieldView& field, size_t count_expected, const HashLimits& limits);
  bool set_packed(const HashFieldView& field, const HashLimits& limits, DeadlineRule deadline);
  bool set_in_structure(const HashFieldView& field, const HashLimits& limits, DeadlineRule deadline);
  void replace_packed(const PackedField& old, const HashFieldView& field, const HashLimits& limits);
  void append_packed(const HashFieldView& field, const HashLimits& limits);
  void remove_packed(const PackedField& field);
  void show_as_table();
  // The packed form gets deadlines. Requires: it has none.
  void widen_packed();
  void convert_to_structure();
};

template <class Visit>
void HashValue::for_each_packed(Visit visit) const {
  char name_digits[kInt64TextBytesMax];
  char value_digits[kInt64TextBytesMax];
  const PackedHead packed_head = head();
  const Bytes fields = sequence();
  const char* const end = fields.data() + fields.size();
  for (const char* at = fields.data(); at != end;) {
    const PackedField field = read_field(read_packed(at), packed_head);
    visit(HashFieldView{field.field.text(name_digits), field.value.text(value_digits), field.deadline_ms});
    at = field.end;
  }
}

template <class Visit>
void HashValue::for_each(Visit visit) const {
  if (!exists()) return;
  const auto visit_live = [&](const HashFieldView& field) {
    if (is_live(field)) visit(field);
  };
  if (!is_structure()) return for_each_packed(visit_live);
  hash_structure()->for_each_item([&](const HashField& field) { visit_live(field.view()); });
}

template <class Visit>
uint64_t HashValue::scan(uint64_t cursor, Visit visit) const {
  if (is_structure()) {
    return hash_structure()->scan(cursor, [&](const HashFieldView& field) {
      if (is_live(field)) visit(field);
    });
  }
  for_each(visit);
  return 0;
}

template <class Visit>
void HashValue::visit_random(Random& random, Visit visit) const {
  if (is_structure()) {
    // Fields that are due are rare: whoever looked the key up has taken most of them out.
    constexpr int kTriesMax = 100;
    for (int tries = 0; tries < kTriesMax; tries++) {
      const HashFieldView field = hash_structure()->random_slot(random)->item()->view();
      if (is_live(field)) return visit(field);
    }
  }
  uint64_t index = random.uniform(size());
  for_each([&](const HashFieldView& field) {
    if (index-- == 0) visit(field);
  });
}

template <class Visit>
void HashValue::remove_due(size_t fields_max, Visit visit) {
  if (!has_due()) return;
  const int64_t due_before_ms = due_ms();
  if (is_structure()) {
    hash_structure()->remove_due(now_ms(), fields_max, [&](const HashFieldView& field) { visit(field.name); });
    tell_due(due_before_ms);
    if (hash_structure()->size() == 0) remove_key();
    return;
  }
  int64_t earliest_ms = kNoDeadline;
  char digits[kInt64TextBytesMax];
  for (size_t offset = sequence_offset(head()); offset < packed().size();) {
    const PackedField field = read_field(read_packed(packed().data() + offset), head());
    if (field.deadline_ms <= now_ms()) {
      visit(field.field.text(digits));
      remove_packed(field);
      if (!exists()) return;
    } else {
      earliest_ms = std::min(earliest_ms, field.deadline_ms);
      offset = static_cast<size_t>(field.end - packed().data());
    }
  }
  write_due_ms(earliest_ms);
  tell_due(due_before_ms);
}

}  // namespace larder
