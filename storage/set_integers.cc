#include "storage/set_integers.h"

namespace larder {

int64_t SetIntegers::at(size_t index) const {
  const char* from = numbers_.data() + index * width_;
  const auto load = [from]<class T>(T number) {
    std::memcpy(&number, from, sizeof(number));
    return static_cast<int64_t>(number);
  };
  if (width_ == 2) return load(int16_t{});
  return width_ == 4 ? load(int32_t{}) : load(int64_t{});
}

size_t SetIntegers::lower_bound(int64_t number) const {
  size_t begin = 0;
  size_t end = size();
  while (begin < end) {
    const size_t middle = (begin + end) / 2;
    if (at(middle) < number) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

bool SetIntegers::is_sorted() const {
  for (size_t i = 1; i < size(); i++) {
    if (at(i - 1) >= at(i)) return false;
  }
  return true;
}

}  // namespace larder
