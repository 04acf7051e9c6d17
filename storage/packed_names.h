// Whether a packed sequence from outside (listpack.h) can be kept as it lies: its names (the members of a set, the fields of a
// hash) are written as PackedText would write them, and none is there twice.
//
//   PackedNames names(count);
//   for (each element that is a name) if (!names.add(element)) -> put them in one by one, or refuse them
//
// As each text has only one such form, equal names are equal bytes. The names are found through a small table of addresses by
// hash, on the stack: a chosen collision costs comparisons, at most kCountMax for each name.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "storage/hash.h"
#include "storage/listpack.h"

namespace larder {

class PackedNames {
 public:
  static constexpr size_t kCountMax = 128;

  // For so many, kCountMax at most.
  explicit PackedNames(size_t count_max = kCountMax)
      : count_max_(std::min(count_max, kCountMax)), slots_(std::bit_ceil(2 * count_max_)) {
    std::fill_n(names_, slots_, nullptr);
  }

  // False: there are too many, it is kept in another form than here, or it was there already. Requires: the element is
  // well-formed (validate_packed), and stays where it is.
  [[nodiscard]] bool add(const PackedElement& name) {
    if (count_ == count_max_ || !is_canonical(name)) return false;
    const Bytes bytes(name.at, name.total_bytes);
    size_t slot = static_cast<size_t>(hash_bytes(bytes, 0)) & (slots_ - 1);
    for (; names_[slot] != nullptr; slot = (slot + 1) & (slots_ - 1)) {
      // The first bytes tell how long the element is: no more is compared than lies there.
      if (*names_[slot] == *name.at && read_packed(names_[slot]).total_bytes == name.total_bytes &&
          std::memcmp(names_[slot], name.at, name.total_bytes) == 0) {
        return false;
      }
    }
    names_[slot] = name.at;
    count_++;
    return true;
  }

  // Whether the element is what PackedText writes for its text.
  static bool is_canonical(const PackedElement& element) {
    const PackedText text = element.is_integer ? PackedText(element.number) : PackedText(element.bytes);
    return text.is_integer() == element.is_integer && text.total_bytes() == element.total_bytes;
  }

 private:
  const size_t count_max_;
  const size_t slots_;  // a power of two, at least twice as many
  size_t count_ = 0;
  const char* names_[std::bit_ceil(2 * kCountMax)];  // of which the first slots_ are used
};

}  // namespace larder
