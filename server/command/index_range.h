#pragma once

// A stretch of a sequence as commands name it: by the first and the last index, negative ones counted from the end.

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace larder {

struct IndexRange {
  size_t first = 0;
  size_t count = 0;  // 0: there is nothing between the two
};

// What `start` and `stop` (both inclusive) mean for a sequence of `size` elements.
inline IndexRange resolve_index_range(int64_t start, int64_t stop, size_t size) {
  const auto length = static_cast<int64_t>(size);
  if (start < 0) start = std::max<int64_t>(start + length, 0);
  if (stop < 0) stop += length;
  stop = std::min(stop, length - 1);
  if (start > stop || start >= length) return {};
  return {static_cast<size_t>(start), static_cast<size_t>(stop - start + 1)};
}

}  // namespace larder
