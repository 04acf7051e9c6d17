#include "storage/list_value.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/assert.h"

namespace larder {
namespace {

// The sizes that list-max-listpack-size -1 to -5 mean, and what a limit by count allows besides.
constexpr size_t kBytesOfLevel[] = {4096, 8192, 16384, 32768, 65536};
constexpr size_t kBytesWithCount = 8192;

// A structure below this many elements is looked at by settle(): the limits are never higher.
constexpr size_t kNamedBytesMax = 65536;

}  // namespace

size_t ListLimits::bytes_max() const {
  if (max_listpack_size >= 0) return kBytesWithCount;
  const auto level = static_cast<size_t>(std::min<int64_t>(-(max_listpack_size + 1), 4));
  return kBytesOfLevel[level];
}

size_t ListLimits::count_max() const {
  if (max_listpack_size < 0) return SIZE_MAX;
  return static_cast<size_t>(std::max<int64_t>(max_listpack_size, 1));
}

size_t ListValue::packed_count() const {
  uint16_t count;
  std::memcpy(&count, packed().data(), sizeof(count));
  return count;
}

void ListValue::set_packed_count(size_t count) {
  const auto stored = static_cast<uint16_t>(count);
  std::memcpy(mutable_packed(), &stored, sizeof(stored));
}

size_t ListValue::size() const {
  if (!exists()) return 0;
  return is_structure() ? list()->size() : packed_count();
}

ListStructure* ListValue::become_structure(bool named_listpack) {
  auto* structure = create_structure<ListStructure>(resources());
  structure->set_named_listpack(named_listpack);
  if (!exists()) {
    create_structure_entry(kType, structure);
    return structure;
  }
  if (packed_count() > 0) structure->append_packed(sequence(), packed_count());
  become(structure);
  return structure;
}

void ListValue::expect_growth(size_t text_bytes, size_t count, ListLimits limits) {
  if (is_structure() && !list()->is_named_listpack()) [[likely]]
    return;
  const size_t bytes = (exists() ? element_bytes() : 0) + text_bytes;
  const bool exceeds = bytes + kListpackFrameBytes > limits.bytes_max() || size() + count > limits.count_max();
  if (is_structure()) {
    list()->set_named_listpack(!exceeds);
  } else if (exceeds || bytes > kPackedBytes) {
    become_structure(!exceeds);
  }
}

void ListValue::push(ListEnd end, Bytes text) {
  LARDER_ASSERT(text.size() <= kElementBytesMax);
  const PackedText packed_text(text);
  if (is_structure()) [[likely]]
    return list()->push(end, packed_text);
  const size_t bytes = packed_text.total_bytes();
  const size_t old_bytes = exists() ? packed().size() : kCountBytes;
  if (old_bytes + bytes > kPackedBytes) return become_structure(true)->push(end, packed_text);
  if (!exists()) {
    packed_text.write(create_packed(kType, Encoding::kPacked, kCountBytes + bytes) + kCountBytes);
    return set_packed_count(1);
  }
  packed_text.write(splice(end == ListEnd::kFront ? kCountBytes : old_bytes, 0, bytes));
  set_packed_count(packed_count() + 1);
}

void ListValue::append_packed(Bytes sequence, size_t count, ListLimits limits) {
  expect_growth(sequence.size(), count, limits);
  if (is_structure()) return list()->append_packed(sequence, count);
  if (!exists()) {
    std::memcpy(create_packed(kType, Encoding::kPacked, kCountBytes + sequence.size()) + kCountBytes, sequence.data(),
                sequence.size());
    return set_packed_count(count);
  }
  std::memcpy(splice(packed().size(), 0, sequence.size()), sequence.data(), sequence.size());
  set_packed_count(packed_count() + count);
}

// ---- Reading

ListValue::Place ListValue::place_of(size_t index) const {
  if (is_structure()) return list()->place_of(index);
  const size_t count = packed_count();
  LARDER_ASSERT(index < count);
  const auto position = static_cast<int64_t>(index);
  return {0, 0, packed_at(sequence(), index < count / 2 ? position : position - static_cast<int64_t>(count)).at};
}

ListValue::Place ListValue::next(const Place& place) const {
  if (is_structure()) return list()->next(place);
  const Bytes all = sequence();
  const char* behind = read_packed(place.at).end();
  return {0, 0, behind == all.data() + all.size() ? nullptr : behind};
}

ListValue::Place ListValue::previous(const Place& place) const {
  if (is_structure()) return list()->previous(place);
  return {0, 0, place.at == sequence().data() ? nullptr : read_packed_before(place.at).at};
}

// ---- Changes inside

void ListValue::insert_before(const Place& place, Bytes text) {
  LARDER_ASSERT(text.size() <= kElementBytesMax);
  if (place.at == nullptr) return push(ListEnd::kBack, text);
  const PackedText packed_text(text);
  if (is_structure()) return list()->insert_before(place, packed_text);
  const auto offset = static_cast<size_t>(place.at - packed().data());
  const size_t bytes = packed_text.total_bytes();
  if (packed().size() + bytes > kPackedBytes) {
    const size_t index = count_packed(sequence().substr(0, offset - kCountBytes));
    ListStructure* structure = become_structure(true);
    return structure->insert_before(structure->place_of(index), packed_text);
  }
  packed_text.write(splice(offset, 0, bytes));
  set_packed_count(packed_count() + 1);
}

void ListValue::replace(const Place& place, Bytes text) {
  LARDER_ASSERT(text.size() <= kElementBytesMax);
  const PackedText packed_text(text);
  if (is_structure()) return list()->replace(place, packed_text);
  const auto offset = static_cast<size_t>(place.at - packed().data());
  const size_t bytes = packed_text.total_bytes();
  const size_t old_bytes = read_packed(place.at).total_bytes;
  if (packed().size() - old_bytes + bytes > kPackedBytes) {
    const size_t index = count_packed(sequence().substr(0, offset - kCountBytes));
    ListStructure* structure = become_structure(true);
    return structure->replace(structure->place_of(index), packed_text);
  }
  packed_text.write(splice(offset, old_bytes, bytes));
}

// ---- Removals

// The `count` elements between two positions of the packed bytes.
void ListValue::erase_packed(const char* begin, const char* end, size_t count) {
  const size_t left = packed_count() - count;
  if (left == 0) return remove_key();
  splice(static_cast<size_t>(begin - packed().data()), static_cast<size_t>(end - begin), 0);
  set_packed_count(left);
}

void ListValue::erase(size_t index, size_t count, ListLimits limits) {
  if (count == 0) return;
  if (count == size()) return remove_key();
  if (is_structure()) {
    list()->erase(index, count);
    return settle(limits);
  }
  const char* begin = place_of(index).at;
  const Bytes all = sequence();
  const char* end = index + count == packed_count() ? all.data() + all.size() : place_of(index + count).at;
  erase_packed(begin, end, count);
}

size_t ListValue::remove_equal(Bytes text, size_t count_max, ListEnd from, ListLimits limits) {
  const size_t removed =
      is_structure() ? list()->remove_equal(text, count_max, from) : remove_equal_packed(text, count_max, from);
  if (removed > 0) settle(limits);
  return removed;
}

size_t ListValue::remove_equal_packed(Bytes text, size_t count_max, ListEnd from) {
  const PackedText wanted(text);
  size_t removed = 0;
  Place place = place_of(from == ListEnd::kFront ? 0 : packed_count() - 1);
  while (place.at != nullptr && removed < count_max) {
    const PackedElement found = element(place);
    if (!is_same_packed(found, wanted, text)) {
      place = from == ListEnd::kFront ? next(place) : previous(place);
      continue;
    }
    // The bytes move: the position is kept as an offset.
    const auto offset = static_cast<size_t>(place.at - sequence().data());
    erase_packed(found.at, found.end(), 1);
    removed++;
    if (!exists()) break;
    const Bytes all = sequence();
    if (from == ListEnd::kFront) {
      place.at = offset < all.size() ? all.data() + offset : nullptr;
    } else {
      place.at = offset > 0 ? read_packed_before(all.data() + offset).at : nullptr;
    }
  }
  return removed;
}

void ListValue::settle(ListLimits limits) {
  if (!is_structure()) return;
  ListStructure* structure = list();
  if (structure->size() == 0) return remove_key();
  const size_t bytes = structure->packed_bytes();
  if (bytes > kNamedBytesMax) [[likely]]
    return;
  if (!structure->is_named_listpack()) {
    const size_t bytes_max = limits.max_listpack_size < 0 ? limits.bytes_max() / 2 : SIZE_MAX;
    if (bytes + kListpackFrameBytes > bytes_max || structure->size() > limits.count_max() / 2) return;
    structure->set_named_listpack(true);
  }
  if (bytes > kRepackedBytes) return;
  char sequence[kRepackedBytes];
  size_t copied = 0;
  structure->visit_nodes([&](Bytes piece, size_t) {
    std::memcpy(sequence + copied, piece.data(), piece.size());
    copied += piece.size();
  });
  const size_t count = structure->size();
  std::memcpy(become_packed(Encoding::kPacked, kCountBytes + bytes) + kCountBytes, sequence, bytes);
  set_packed_count(count);
}

}  // namespace larder
