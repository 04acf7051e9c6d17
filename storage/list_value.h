// The value of a key that holds a list.
//
//   packed (up to 2 KB): the count of elements (2 bytes) and the elements in the format of listpack.h, in the entry
//   larger:              a ListStructure
//
// What OBJECT ENCODING shows follows Redis 7.2's rule and not what the list really is kept as: a list is a "listpack"
// until a command would make it larger than list-max-listpack-size allows, and a "quicklist" from then on until removals
// bring it down to half of that. Whatever is packed in the entry is called a listpack; a structure remembers its name.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "storage/collection_handle.h"
#include "storage/list_structure.h"
#include "storage/listpack.h"

namespace larder {

// list-max-listpack-size: a positive number is a count of elements, -1 to -5 are 4 to 64 KB.
struct ListLimits {
  int64_t max_listpack_size = -2;

  size_t bytes_max() const;
  size_t count_max() const;
};

class ListValue : public CollectionHandle {
 public:
  static constexpr ValueType kType = ValueType::kList;
  // What is packed into the entry: beyond this a push at the front moves too much.
  static constexpr size_t kPackedBytes = 2048;
  // From a structure back into the entry.
  static constexpr size_t kRepackedBytes = 1024;
  // The longest element there can be.
  static constexpr size_t kElementBytesMax = UINT32_MAX - 64;

  using CollectionHandle::CollectionHandle;

  size_t size() const;
  // Null: it is packed, or does not exist.
  ListStructure* nodes() const { return exists() && is_structure() ? list() : nullptr; }

  // ---- Growing
  // A command is about to add elements, or to replace one: `text_bytes` and `count` of them together. Before the first.
  void expect_growth(size_t text_bytes, size_t count, ListLimits limits);
  // Creates the key if there is none. `text` may not lie in this list.
  void push(ListEnd end, Bytes text);
  // At the back, a whole number of well-formed elements: for loading. Requires: count > 0.
  void append_packed(Bytes sequence, size_t count, ListLimits limits);

  // ---- Reading. Requires: exists().
  using Place = ListStructure::Place;
  // Requires: index < size().
  Place place_of(size_t index) const;
  PackedElement element(const Place& place) const { return read_packed(place.at); }
  // The places beside an element's; `at` is null behind either end.
  Place next(const Place& place) const;
  Place previous(const Place& place) const;
  // Calls visit(const PackedElement&) for `count` elements from `index` on. Requires: they exist.
  template <class Visit>
  void visit(size_t index, size_t count, Visit visit) const;
  // Calls visit(Bytes sequence, size_t count) for all elements in pieces, from the front.
  template <class Visit>
  void visit_packed(Visit visit) const;

  // ---- Changes inside. `text` may not lie in this list. Places are void afterwards.
  // Behind the last element: place.at is null.
  void insert_before(const Place& place, Bytes text);
  void replace(const Place& place, Bytes text);

  // ---- Removals. With its last element the key is removed: exists() tells. `limits` decide what the list is called then.
  // Calls visit(const PackedElement&) for the `count` elements at the end, outermost first, and removes them. Requires:
  // count <= size().
  template <class Visit>
  void take(ListEnd end, size_t count, ListLimits limits, Visit visit);
  void erase(size_t index, size_t count, ListLimits limits);
  // Removes the first (or, from the back, the last) elements equal to `text`, `count_max` at most; returns how many.
  size_t remove_equal(Bytes text, size_t count_max, ListEnd from, ListLimits limits);
  // After a replacement, which may have made the list small.
  void settle(ListLimits limits);

 private:
  static constexpr size_t kCountBytes = 2;

  ListStructure* list() const { return static_cast<ListStructure*>(structure()); }
  Bytes sequence() const { return packed().substr(kCountBytes); }
  size_t packed_count() const;
  void set_packed_count(size_t count);
  // Bytes of the elements, in either form.
  size_t element_bytes() const { return is_structure() ? list()->packed_bytes() : sequence().size(); }
  ListStructure* become_structure(bool named_listpack);
  void erase_packed(const char* begin, const char* end, size_t count);
  size_t remove_equal_packed(Bytes text, size_t count_max, ListEnd from);
};

template <class Visit>
void ListValue::visit(size_t index, size_t count, Visit visit) const {
  if (is_structure()) return list()->visit(index, count, visit);
  if (count == 0) return;
  for (const char* at = place_of(index).at; count > 0; count--) {
    const PackedElement element = read_packed(at);
    visit(element);
    at = element.end();
  }
}

template <class Visit>
void ListValue::visit_packed(Visit visit) const {
  if (is_structure()) return list()->visit_nodes(visit);
  visit(sequence(), packed_count());
}

template <class Visit>
void ListValue::take(ListEnd end, size_t count, ListLimits limits, Visit visit) {
  if (count == 0) return;
  if (is_structure()) {
    for (size_t i = 0; i < count; i++) {
      visit(list()->end_element(end));
      list()->pop(end);
    }
  } else {
    const Bytes all = sequence();
    const char* const first = all.data();
    const char* const last_end = first + all.size();
    const char* at = end == ListEnd::kFront ? first : last_end;
    for (size_t i = 0; i < count; i++) {
      const PackedElement element = end == ListEnd::kFront ? read_packed(at) : read_packed_before(at);
      visit(element);
      at = end == ListEnd::kFront ? element.end() : element.at;
    }
    if (end == ListEnd::kFront) {
      erase_packed(first, at, count);
    } else {
      erase_packed(at, last_end, count);
    }
  }
  settle(limits);
}

}  // namespace larder
