// Sets of integers in ascending order, all of the same width: the value bytes of Encoding::kPackedIntegers.
//
//   width, one byte: 2, 4 or 8 │ numbers, little endian
//
// The widths are those of an intset in an RDB file, so that the numbers can be copied from and to one. The functions
// here read; who writes makes room first (CollectionHandle::splice).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"

namespace larder {

inline constexpr size_t kSetIntegersHeadBytes = 1;

class SetIntegers {
 public:
  // A view of the value bytes. Requires: at least the width.
  explicit SetIntegers(Bytes value) : SetIntegers(static_cast<size_t>(value[0]), value.substr(kSetIntegersHeadBytes)) {}
  SetIntegers(size_t width, Bytes numbers) : width_(width), numbers_(numbers) {
    LARDER_ASSERT(width_ == 2 || width_ == 4 || width_ == 8);
  }

  // The narrowest width that holds the number.
  static size_t width_of(int64_t number) {
    if (number == static_cast<int16_t>(number)) return 2;
    return number == static_cast<int32_t>(number) ? 4 : 8;
  }
  // Requires: the number fits the width.
  static void write(char* out, size_t width, int64_t number) { std::memcpy(out, &number, width); }

  size_t width() const { return width_; }
  Bytes numbers() const { return numbers_; }
  size_t size() const { return numbers_.size() / width_; }
  // Requires: index < size().
  int64_t at(size_t index) const;
  // The index of the first number that is not less; size() if there is none.
  size_t lower_bound(int64_t number) const;
  bool contains(int64_t number) const {
    const size_t index = lower_bound(number);
    return index < size() && at(index) == number;
  }
  // Ascending, without repetition. For bytes from outside.
  bool is_sorted() const;

 private:
  size_t width_;
  Bytes numbers_;
};

}  // namespace larder
