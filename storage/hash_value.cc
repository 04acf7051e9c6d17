#include "storage/hash_value.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "storage/packed_names.h"

namespace larder {
namespace {

// How a deadline is written in the packed form, where 0 stands for none. A deadline at or before 1970 counts as the
// first millisecond after it: both are over.
PackedText packed_deadline(int64_t deadline_ms) {
  return PackedText(deadline_ms == kNoDeadline ? int64_t{0} : std::max<int64_t>(deadline_ms, 1));
}

bool is_long(const HashFieldView& field, const HashLimits& limits) {
  return field.name.size() > limits.listpack_value_bytes || field.value.size() > limits.listpack_value_bytes;
}

DeadlineRule rule_of(int64_t deadline_ms) {
  return deadline_ms == kNoDeadline ? DeadlineRule::none() : DeadlineRule::at(deadline_ms);
}

// A name, a value and, if it is asked for, a deadline: measured, then written.
class PackedFieldText {
 public:
  PackedFieldText(const HashFieldView& field, bool with_deadline)
      : name_(field.name),
        value_(field.value),
        deadline_(packed_deadline(field.deadline_ms)),
        with_deadline_(with_deadline) {}
  size_t total_bytes() const {
    return name_.total_bytes() + value_.total_bytes() + (with_deadline_ ? deadline_.total_bytes() : 0);
  }
  char* write(char* out) const {
    out = value_.write(name_.write(out));
    return with_deadline_ ? deadline_.write(out) : out;
  }

 private:
  PackedText name_;
  PackedText value_;
  PackedText deadline_;
  bool with_deadline_;
};

}  // namespace

int64_t hash_due_ms(const Entry& entry) {
  LARDER_ASSERT(entry.type() == ValueType::kHash);
  if (entry.encoding() == Encoding::kStructure) return static_cast<HashStructure*>(entry.structure())->due_ms();
  const Bytes value = entry.value();
  if (!PackedHead(value).has_deadlines()) return kNoDeadline;
  int64_t due_ms;
  std::memcpy(&due_ms, value.data() + kPackedHeadBytes, sizeof(due_ms));
  return due_ms;
}

// ---- Reading

HashValue::PackedField HashValue::read_field(const PackedElement& field, PackedHead head) {
  PackedField found{field, read_packed(field.end()), kNoDeadline, nullptr};
  found.end = found.value.end();
  if (!head.has_deadlines()) return found;
  const PackedElement deadline = read_packed(found.end);
  if (deadline.number != 0) found.deadline_ms = deadline.number;
  found.end = deadline.end();
  return found;
}

HashValue::PackedField HashValue::find_field(Bytes field) const {
  const PackedHead packed_head = head();
  const PackedElement element = find_packed(sequence(), field, stride(packed_head));
  if (element.at == nullptr) return {};
  return read_field(element, packed_head);
}

size_t HashValue::size() const {
  if (!exists()) return 0;
  if (has_due()) [[unlikely]] {
    size_t count = 0;
    for_each([&](const HashFieldView&) { count++; });
    return count;
  }
  return is_structure() ? hash_structure()->size() : head().count();
}

bool HashValue::has_live() const {
  bool found = false;
  uint64_t cursor = 0;
  do {
    cursor = scan(cursor, [&](const HashFieldView&) { found = true; });
  } while (cursor != 0 && !found);
  return found;
}

bool HashValue::contains(Bytes field) const {
  HashText value;
  return get(field, &value);
}

bool HashValue::get(Bytes field, HashText* value) const {
  if (!exists()) return false;
  if (is_structure()) {
    const HashStructure::Table::Slot* slot = hash_structure()->find(field);
    if (slot == nullptr) return false;
    const HashFieldView view = slot->item()->view();
    value->bytes_ = view.value;
    return is_live(view);
  }
  const PackedField found = find_field(field);
  if (found.field.at == nullptr || is_over(found.deadline_ms)) return false;
  value->bytes_ = found.value.text(value->digits_);
  return true;
}

std::optional<int64_t> HashValue::field_deadline_ms(Bytes field) const {
  if (!exists()) return {};
  int64_t deadline_ms = kNoDeadline;
  if (is_structure()) {
    const HashStructure::Table::Slot* slot = hash_structure()->find(field);
    if (slot == nullptr) return {};
    deadline_ms = slot->item()->view().deadline_ms;
  } else {
    const PackedField found = find_field(field);
    if (found.field.at == nullptr) return {};
    deadline_ms = found.deadline_ms;
  }
  if (is_over(deadline_ms)) return {};
  return deadline_ms;
}

// ---- Writing

void HashValue::tell_due(int64_t due_before_ms) { note_field_deadlines(due_before_ms, due_ms()); }

void HashValue::write_due_ms(int64_t due_ms) {
  std::memcpy(mutable_packed() + kPackedHeadBytes, &due_ms, sizeof(due_ms));
}

size_t HashValue::set_all(std::span<const Bytes> pairs, const HashLimits& limits, DeadlineRule deadline) {
  size_t added = 0;
  if (!exists() && !pairs.empty()) {
    const int64_t deadline_ms = deadline.applied_to(kNoDeadline);
    create({pairs[0], pairs[1], deadline_ms}, pairs.size() / 2, limits);
    pairs = pairs.subspan(2);
    added = 1;
  } else if (pairs.size() / 2 > limits.listpack_entries) {
    show_as_table();
  }
  for (size_t i = 0; i < pairs.size(); i += 2) added += set(pairs[i], pairs[i + 1], limits, deadline);
  return added;
}

bool HashValue::set(Bytes field, Bytes value, const HashLimits& limits, DeadlineRule deadline) {
  const HashFieldView view{field, value, deadline.applied_to(kNoDeadline)};
  if (!exists()) {
    create(view, 1, limits);
    return true;
  }
  if (is_structure()) return set_in_structure(view, limits, deadline);
  return set_packed(view, limits, deadline);
}

void HashValue::create(const HashFieldView& field, size_t count_expected, const HashLimits& limits) {
  const bool table = count_expected > limits.listpack_entries || is_long(field, limits);
  const bool with_deadline = field.deadline_ms != kNoDeadline;
  const PackedFieldText text(field, with_deadline);
  const PackedHead new_head = PackedHead().with_count(1).with_table_shown(table).with_deadlines(with_deadline);
  const size_t bytes = sequence_offset(new_head) + text.total_bytes();
  if (count_expected > kPackedCountMax || bytes > kPackedCollectionBytesMax) {
    auto* structure = create_structure<HashStructure>(resources(), table);
    structure->set(field, now_ms());
    create_structure_entry(kType, structure);
  } else {
    char* value = create_packed(kType, Encoding::kPacked, bytes);
    new_head.write(value);
    text.write(value + sequence_offset(new_head));
    if (with_deadline) write_due_ms(field.deadline_ms);
  }
  tell_due(kNoDeadline);
}

bool HashValue::set_in_structure(const HashFieldView& field, const HashLimits& limits, DeadlineRule deadline) {
  HashStructure* hash = hash_structure();
  const int64_t due_before_ms = hash->due_ms();
  bool added = true;
  if (HashStructure::Table::Slot* slot = hash->find(field.name)) {
    const HashFieldView old = slot->item()->view();
    added = !is_live(old);
    const int64_t old_deadline_ms = added ? kNoDeadline : old.deadline_ms;
    hash->replace(slot, {field.name, field.value, deadline.applied_to(old_deadline_ms)}, now_ms());
  } else {
    hash->set(field, now_ms());
  }
  if (!hash->shown_as_table() && (is_long(field, limits) || hash->size() > limits.listpack_entries)) {
    hash->show_as_table();
  }
  tell_due(due_before_ms);
  return added;
}

bool HashValue::set_packed(const HashFieldView& field, const HashLimits& limits, DeadlineRule deadline) {
  const PackedField old = find_field(field.name);
  const bool is_new = old.field.at == nullptr || is_over(old.deadline_ms);
  HashFieldView view = field;
  view.deadline_ms = deadline.applied_to(is_new ? kNoDeadline : old.deadline_ms);
  if (view.deadline_ms != kNoDeadline && !head().has_deadlines()) {
    widen_packed();
    return set_packed(field, limits, deadline);
  }
  if (old.field.at == nullptr) {
    append_packed(view, limits);
  } else {
    replace_packed(old, view, limits);
  }
  return is_new;
}

void HashValue::append_packed(const HashFieldView& field, const HashLimits& limits) {
  const PackedHead old_head = head();
  const PackedFieldText text(field, old_head.has_deadlines());
  if (old_head.count() == kPackedCountMax || packed().size() + text.total_bytes() > kPackedCollectionBytesMax) {
    convert_to_structure();
    set_in_structure(field, limits, rule_of(field.deadline_ms));
    return;
  }
  const int64_t due_before_ms = due_ms();
  text.write(splice(packed().size(), 0, text.total_bytes()));
  const bool table = old_head.shown_as_table() || is_long(field, limits) || old_head.count() >= limits.listpack_entries;
  old_head.with_count(old_head.count() + 1).with_table_shown(table).write(mutable_packed());
  if (field.deadline_ms < due_before_ms) write_due_ms(field.deadline_ms);
  tell_due(due_before_ms);
}

void HashValue::replace_packed(const PackedField& old, const HashFieldView& field, const HashLimits& limits) {
  const PackedHead old_head = head();
  const PackedFieldText text(field, old_head.has_deadlines());
  const auto offset = static_cast<size_t>(old.field.at - packed().data());
  const auto old_bytes = static_cast<size_t>(old.end - old.field.at);
  if (packed().size() - old_bytes + text.total_bytes() > kPackedCollectionBytesMax) {
    convert_to_structure();
    set_in_structure(field, limits, rule_of(field.deadline_ms));
    return;
  }
  const int64_t due_before_ms = due_ms();
  text.write(splice(offset, old_bytes, text.total_bytes()));
  if (is_long(field, limits)) old_head.with_table_shown(true).write(mutable_packed());
  if (field.deadline_ms < due_before_ms) write_due_ms(field.deadline_ms);
  tell_due(due_before_ms);
}

bool HashValue::load_packed(Bytes sequence, size_t element_count, const HashLimits& limits) {
  LARDER_ASSERT(!exists());
  const size_t count = element_count / 2;
  const size_t bytes = kPackedHeadBytes + sequence.size();
  if (count == 0 || element_count % 2 != 0 || count > kPackedCountMax || bytes > kPackedCollectionBytesMax)
    return false;
  bool table = count > limits.listpack_entries;
  PackedNames names(count);
  for (const char* at = sequence.data(); at != sequence.data() + sequence.size();) {
    const PackedElement name = read_packed(at);
    const PackedElement value = read_packed(name.end());
    if (!names.add(name)) return false;
    table = table || std::max(name.text_bytes(), value.text_bytes()) > limits.listpack_value_bytes;
    at = value.end();
  }
  char* value = create_packed(kType, Encoding::kPacked, bytes);
  PackedHead().with_count(count).with_table_shown(table).write(value);
  std::memcpy(value + kPackedHeadBytes, sequence.data(), sequence.size());
  return true;
}

void HashValue::begin_large(uint64_t count) {
  LARDER_ASSERT(!exists());
  auto* hash = create_structure<HashStructure>(resources(), true);
  hash->expect(count);
  create_structure_entry(kType, hash);
}

void HashValue::end_large() {
  LARDER_ASSERT(hash_structure()->size() > 0);
  hash_structure()->settle();
}

bool HashValue::set_field_deadline(Bytes field, int64_t deadline_ms) {
  if (!field_deadline_ms(field)) return false;
  if (is_structure()) {
    const int64_t due_before_ms = due_ms();
    HashStructure::Table::Slot* slot = hash_structure()->find(field);
    HashFieldView view = slot->item()->view();
    view.deadline_ms = deadline_ms;
    hash_structure()->replace(slot, view, now_ms());
    tell_due(due_before_ms);
    return true;
  }
  if (!head().has_deadlines()) {
    if (deadline_ms == kNoDeadline) return true;
    widen_packed();
    return set_field_deadline(field, deadline_ms);
  }
  const PackedField found = find_field(field);
  const PackedText text = packed_deadline(deadline_ms);
  const auto offset = static_cast<size_t>(found.value.end() - packed().data());
  const auto old_bytes = static_cast<size_t>(found.end - found.value.end());
  if (packed().size() - old_bytes + text.total_bytes() > kPackedCollectionBytesMax) {
    convert_to_structure();
    return set_field_deadline(field, deadline_ms);
  }
  const int64_t due_before_ms = due_ms();
  text.write(splice(offset, old_bytes, text.total_bytes()));
  if (deadline_ms < due_before_ms) write_due_ms(deadline_ms);
  tell_due(due_before_ms);
  return true;
}

bool HashValue::remove(Bytes field) {
  if (!field_deadline_ms(field)) return false;
  if (!is_structure()) {
    remove_packed(find_field(field));
    return true;
  }
  hash_structure()->remove_slot(hash_structure()->find(field));
  if (hash_structure()->size() == 0) remove_key();
  return true;
}

void HashValue::remove_packed(const PackedField& field) {
  const PackedHead old_head = head();
  if (old_head.count() == 1) return remove_key();
  splice(static_cast<size_t>(field.field.at - packed().data()), static_cast<size_t>(field.end - field.field.at), 0);
  old_head.with_count(old_head.count() - 1).write(mutable_packed());
}

void HashValue::show_as_table() {
  if (is_structure()) return hash_structure()->show_as_table();
  head().with_table_shown(true).write(mutable_packed());
}

void HashValue::widen_packed() {
  const PackedHead new_head = head().with_deadlines(true);
  std::string value(sequence_offset(new_head), '\0');
  std::memcpy(value.data() + kPackedHeadBytes, &kNoDeadline, sizeof(kNoDeadline));
  new_head.write(value.data());
  for_each_packed([&](const HashFieldView& field) {
    const PackedFieldText text(field, true);
    const size_t offset = value.size();
    value.resize(offset + text.total_bytes());
    text.write(value.data() + offset);
  });
  std::memcpy(become_packed(Encoding::kPacked, value.size()), value.data(), value.size());
}

void HashValue::convert_to_structure() {
  const int64_t due_before_ms = due_ms();
  auto* hash = create_structure<HashStructure>(resources(), head().shown_as_table());
  for_each_packed([&](const HashFieldView& field) { hash->set(field, now_ms()); });
  become(hash);
  tell_due(due_before_ms);
}

void HashValue::check_integrity() const {
  if (!exists()) return;
  LARDER_ASSERT(entry().type() == kType);
  if (is_structure()) {
    LARDER_ASSERT(hash_structure()->size() > 0);
    return hash_structure()->check_integrity();
  }
  LARDER_ASSERT(entry().encoding() == Encoding::kPacked);
  size_t elements = 0;
  size_t fields = 0;
  LARDER_ASSERT(validate_packed(sequence(), &elements));
  LARDER_ASSERT(head().count() > 0 && elements == head().count() * stride(head()));
  for_each_packed([&](const HashFieldView& field) {
    LARDER_ASSERT(field.deadline_ms >= due_ms());
    LARDER_ASSERT(find_field(field.name).field.at != nullptr);
    fields++;
  });
  LARDER_ASSERT(fields == head().count());
}

}  // namespace larder
