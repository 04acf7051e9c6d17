// Whether a packed sequence from outside (listpack.h) can be kept as it lies: its names (the members of a set, the fields of a
// hash) are written as PackedText would write them, and none is there twice.
//
//   PackedNames names;
//   for (each element that is a name) if (!names.add(element)) -> put them in one by one, or refuse them
//
// As each text has only one such form, equal names are equal bytes. The names are found through a small table of addresses by
// hash, on the stack: a chosen collision costs comparisons, at most kCountMax for each name.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "storage/hash.h"
#include "storage/listpack.h"

namespace larder {

class PackedNames {
 public:
  static constexpr size_t kCountMax = 128;

  // False: there are too many, it is kept in another form than here, or it was there already. Requires: the element is
  // well-formed (validate_packed), and stays where it is.
  [[nodiscard]] bool add(const PackedElement& name) {
    if (count_ == kCountMax || !is_canonical(name)) return false;
    const Bytes bytes(name.at, name.total_bytes);
    size_t slot = static_cast<size_t>(hash_bytes(bytes, 0)) % kSlots;
    for (; names_[slot] != nullptr; slot = (slot + 1) % kSlots) {
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
  static constexpr size_t kSlots = 2 * kCountMax;

  std::array<const char*, kSlots> names_ = {};
  size_t count_ = 0;
};

}  // namespace larder
