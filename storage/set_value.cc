#include "storage/set_value.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "storage/packed_names.h"

namespace larder {
namespace {

// Up to here (4 KB with the widest numbers) an insert into the middle is a short move.
constexpr size_t kIntegersMax = 512;

// The number that a member is the text of, if it is one.
std::optional<int64_t> integer_of(Bytes member) {
  const PackedText text(member);
  return text.is_integer() ? std::optional(text.number()) : std::nullopt;
}

size_t digits_of(int64_t number) {
  char scratch[kInt64TextBytesMax];
  return write_int64(scratch, number);
}

}  // namespace

// ---- Reading

size_t SetValue::size() const {
  if (!exists()) return 0;
  if (is_structure()) return set_structure()->size();
  return is_integers() ? integers().size() : head().count();
}

SetForm SetValue::form() const {
  if (is_structure()) return set_structure()->form();
  if (is_integers()) return SetForm::kIntset;
  return head().shown_as_table() ? SetForm::kHashtable : SetForm::kListpack;
}

bool SetValue::contains(Bytes member) const {
  if (!exists()) return false;
  if (is_structure()) return set_structure()->contains(member);
  if (!is_integers()) return find_packed(sequence(), member).at != nullptr;
  const auto number = integer_of(member);
  return number && integers().contains(*number);
}

// ---- Adding

size_t SetValue::add_all(std::span<const Bytes> members, const SetLimits& limits) {
  if (members.empty()) return 0;
  size_t added = 0;
  if (!exists()) {
    create(members[0], members.size(), limits);
    members = members.subspan(1);
    added = 1;
  } else {
    const SetForm now = form();
    const bool too_many = (now == SetForm::kIntset && members.size() > limits.intset_entries) ||
                          (now == SetForm::kListpack && members.size() > limits.listpack_entries);
    if (too_many) show_as(SetForm::kHashtable);
  }
  for (const Bytes member : members) added += add(member, limits);
  return added;
}

bool SetValue::add(Bytes member, const SetLimits& limits) {
  if (!exists()) {
    create(member, 1, limits);
    return true;
  }
  if (is_structure()) return add_to_structure(member, limits);
  return is_integers() ? add_to_integers(member, limits) : add_to_packed(member, limits);
}

void SetValue::create(Bytes first_member, size_t count_expected, const SetLimits& limits) {
  const PackedText text(first_member);
  if (text.is_integer() && count_expected <= limits.intset_entries) {
    const size_t width = SetIntegers::width_of(text.number());
    char* value = create_packed(kType, Encoding::kPackedIntegers, kSetIntegersHeadBytes + width);
    value[0] = static_cast<char>(width);
    SetIntegers::write(value + kSetIntegersHeadBytes, width, text.number());
    return;
  }
  const bool listpack = count_expected <= limits.listpack_entries && first_member.size() <= limits.listpack_value_bytes;
  const size_t bytes = kPackedHeadBytes + text.total_bytes();
  if (count_expected > kPackedCountMax || bytes > kPackedCollectionBytesMax) {
    auto* structure = create_structure<SetStructure>(resources(), listpack ? SetForm::kListpack : SetForm::kHashtable);
    structure->add(first_member);
    return create_structure_entry(kType, structure);
  }
  char* value = create_packed(kType, Encoding::kPacked, bytes);
  PackedHead().with_count(1).with_table_shown(!listpack).write(value);
  text.write(value + kPackedHeadBytes);
}

bool SetValue::add_to_integers(Bytes member, const SetLimits& limits) {
  const SetIntegers numbers = integers();
  const PackedText text(member);
  if (text.is_integer()) {
    if (numbers.contains(text.number())) return false;
    if (numbers.size() < limits.intset_entries && numbers.size() < kIntegersMax) return insert_integer(text.number());
    // More than fit in the entry, but still an intset for who asks, or a table for everybody.
    convert_to_structure(numbers.size() < limits.intset_entries ? SetForm::kIntset : SetForm::kHashtable);
    return set_structure()->add(member);
  }
  const size_t digits_max = std::max(digits_of(numbers.at(0)), digits_of(numbers.at(numbers.size() - 1)));
  const bool listpack = numbers.size() < limits.listpack_entries && member.size() <= limits.listpack_value_bytes &&
                        digits_max <= limits.listpack_value_bytes;
  convert_integers(listpack ? SetForm::kListpack : SetForm::kHashtable, text.total_bytes());
  return add(member, limits);
}

bool SetValue::insert_integer(int64_t number) {
  const SetIntegers numbers = integers();
  const size_t index = numbers.lower_bound(number);
  const size_t width = numbers.width();
  if (SetIntegers::width_of(number) <= width) {
    SetIntegers::write(splice(kSetIntegersHeadBytes + index * width, 0, width), width, number);
    return true;
  }
  // Too large for the width: all of them get wider, and the new one is the first or the last.
  const size_t new_width = SetIntegers::width_of(number);
  const size_t count = numbers.size();
  std::string wider(1, static_cast<char>(new_width));
  wider.resize(kSetIntegersHeadBytes + (count + 1) * new_width);
  char* out = wider.data() + kSetIntegersHeadBytes;
  for (size_t i = 0; i < count + 1; i++, out += new_width) {
    SetIntegers::write(out, new_width, i == index ? number : numbers.at(i < index ? i : i - 1));
  }
  std::memcpy(become_packed(Encoding::kPackedIntegers, wider.size()), wider.data(), wider.size());
  return true;
}

bool SetValue::add_to_packed(Bytes member, const SetLimits& limits) {
  if (find_packed(sequence(), member).at != nullptr) return false;
  const PackedHead old_head = head();
  const bool table = old_head.shown_as_table() || old_head.count() >= limits.listpack_entries ||
                     member.size() > limits.listpack_value_bytes;
  const PackedText text(member);
  if (old_head.count() == kPackedCountMax || packed().size() + text.total_bytes() > kPackedCollectionBytesMax) {
    convert_to_structure(table ? SetForm::kHashtable : SetForm::kListpack);
    return set_structure()->add(member);
  }
  text.write(splice(packed().size(), 0, text.total_bytes()));
  old_head.with_count(old_head.count() + 1).with_table_shown(table).write(mutable_packed());
  return true;
}

bool SetValue::add_to_structure(Bytes member, const SetLimits& limits) {
  SetStructure* set = set_structure();
  const size_t size_before = set->size();
  if (!set->add(member)) return false;
  if (set->form() == SetForm::kHashtable) [[likely]]
    return true;
  const bool fits_listpack = size_before < limits.listpack_entries && member.size() <= limits.listpack_value_bytes;
  if (set->form() == SetForm::kIntset && integer_of(member)) {
    if (size_before >= limits.intset_entries) set->set_form(SetForm::kHashtable);
    return true;
  }
  set->set_form(fits_listpack ? SetForm::kListpack : SetForm::kHashtable);
  return true;
}

void SetValue::convert_integers(SetForm form, size_t room_bytes) {
  const SetIntegers numbers = integers();
  size_t bytes = kPackedHeadBytes;
  for (size_t i = 0; i < numbers.size(); i++) bytes += PackedText(numbers.at(i)).total_bytes();
  if (numbers.size() >= kPackedCountMax || bytes + room_bytes > kPackedCollectionBytesMax) {
    return convert_to_structure(form);
  }
  std::string value(bytes, '\0');
  PackedHead().with_count(numbers.size()).with_table_shown(form == SetForm::kHashtable).write(value.data());
  char* out = value.data() + kPackedHeadBytes;
  for (size_t i = 0; i < numbers.size(); i++) out = PackedText(numbers.at(i)).write(out);
  std::memcpy(become_packed(Encoding::kPacked, bytes), value.data(), bytes);
}

void SetValue::convert_to_structure(SetForm form) {
  auto* set = create_structure<SetStructure>(resources(), form);
  set->expect(expected_);
  for_each([set](Bytes member) { set->add(member); });
  become(set);
}

void SetValue::show_as(SetForm form) {
  if (is_structure()) return set_structure()->set_form(form);
  if (is_integers()) return convert_integers(form, 0);
  head().with_table_shown(form == SetForm::kHashtable).write(mutable_packed());
}

bool SetValue::load_packed(Bytes sequence, size_t count, const SetLimits& limits) {
  LARDER_ASSERT(!exists());
  const size_t bytes = kPackedHeadBytes + sequence.size();
  if (count == 0 || count > kPackedCountMax || bytes > kPackedCollectionBytesMax) return false;
  bool table = count > limits.listpack_entries;
  bool only_integers = true;
  PackedNames names(count);
  for (const PackedElement& member : PackedRange(sequence)) {
    if (!names.add(member)) return false;
    only_integers = only_integers && member.is_integer;
    table = table || member.text_bytes() > limits.listpack_value_bytes;
  }
  // Numbers alone are an intset.
  if (only_integers) return false;
  char* value = create_packed(kType, Encoding::kPacked, bytes);
  PackedHead().with_count(count).with_table_shown(table).write(value);
  std::memcpy(value + kPackedHeadBytes, sequence.data(), sequence.size());
  return true;
}

bool SetValue::load_integers(const SetIntegers& numbers, const SetLimits& limits) {
  LARDER_ASSERT(!exists());
  const size_t count = numbers.size();
  if (count == 0 || count > limits.intset_entries || count > kIntegersMax) return false;
  char* value = create_packed(kType, Encoding::kPackedIntegers, kSetIntegersHeadBytes + numbers.numbers().size());
  value[0] = static_cast<char>(numbers.width());
  std::memcpy(value + kSetIntegersHeadBytes, numbers.numbers().data(), numbers.numbers().size());
  return true;
}

void SetValue::begin_large(uint64_t count) {
  LARDER_ASSERT(!exists());
  auto* set = create_structure<SetStructure>(resources(), SetForm::kHashtable);
  set->expect(count);
  create_structure_entry(kType, set);
}

void SetValue::end_large() {
  LARDER_ASSERT(set_structure()->size() > 0);
  set_structure()->settle();
}

// ---- Taking out

bool SetValue::remove(Bytes member) {
  if (!exists()) return false;
  if (is_structure()) {
    if (!set_structure()->remove(member)) return false;
    if (set_structure()->size() == 0) remove_key();
    return true;
  }
  if (is_integers()) {
    const auto number = integer_of(member);
    if (!number || !integers().contains(*number)) return false;
    remove_integer_at(integers().lower_bound(*number));
    return true;
  }
  const PackedElement element = find_packed(sequence(), member);
  if (element.at == nullptr) return false;
  remove_packed(element);
  return true;
}

void SetValue::replace_table(std::span<const Bytes> members, const SetLimits& limits) {
  LARDER_ASSERT(table() != nullptr && !members.empty());
  SetForm shown = form();
  if (shown == SetForm::kHashtable && members.size() <= limits.listpack_entries) {
    const auto is_short = [&](Bytes member) { return member.size() <= limits.listpack_value_bytes; };
    if (std::all_of(members.begin(), members.end(), is_short)) shown = SetForm::kListpack;
  }
  auto* structure = create_structure<SetStructure>(resources(), shown);
  for (const Bytes member : members) structure->add(member);
  become(structure);
}

void SetValue::remove_integer_at(size_t index) {
  const SetIntegers numbers = integers();
  if (numbers.size() == 1) return remove_key();
  splice(kSetIntegersHeadBytes + index * numbers.width(), numbers.width(), 0);
}

void SetValue::remove_packed(const PackedElement& element) {
  const PackedHead old_head = head();
  if (old_head.count() == 1) return remove_key();
  splice(static_cast<size_t>(element.at - packed().data()), element.total_bytes, 0);
  old_head.with_count(old_head.count() - 1).write(mutable_packed());
}

void SetValue::check_integrity() const {
  if (!exists()) return;
  LARDER_ASSERT(entry().type() == kType);
  LARDER_ASSERT(size() > 0);
  if (is_structure()) return set_structure()->check_integrity();
  if (is_integers()) {
    LARDER_ASSERT(integers().is_sorted());
    LARDER_ASSERT(integers().numbers().size() % integers().width() == 0);
    return;
  }
  LARDER_ASSERT(entry().encoding() == Encoding::kPacked);
  size_t count = 0;
  LARDER_ASSERT(validate_packed(sequence(), &count) && count == head().count());
  LARDER_ASSERT(!head().has_deadlines());
  for_each([&](Bytes member) { LARDER_ASSERT(find_packed(sequence(), member).at != nullptr); });
}

}  // namespace larder
