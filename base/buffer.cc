#include "base/buffer.h"

#include <algorithm>
#include <cstdlib>

namespace larder {

namespace {
constexpr size_t kCapacityBytesMin = 64;
}

void Buffer::grow(size_t free_bytes_min) {
  const size_t used = size();
  LARDER_ASSERT(free_bytes_min <= SIZE_MAX / 4 - used);
  const size_t needed = used + free_bytes_min;
  // Consumed space in front is reused only when it is at least half of the memory: then the move is paid for by the
  // bytes consumed since the last one, and appending stays O(1) amortised.
  if (needed <= capacity() && used <= capacity() / 2) {
    if (used > 0) std::memmove(storage_, begin_, used);
    begin_ = storage_;
    end_ = storage_ + used;
    return;
  }
  reallocate(std::max({needed, capacity() * 2, kCapacityBytesMin}));
}

void Buffer::reallocate(size_t capacity_bytes) {
  const size_t used = size();
  LARDER_ASSERT(capacity_bytes >= used);
  char* memory = nullptr;
  if (begin_ == storage_) {
    memory = static_cast<char*>(std::realloc(storage_, capacity_bytes));  // may grow in place
    LARDER_ASSERT(memory != nullptr);
  } else {
    memory = static_cast<char*>(std::malloc(capacity_bytes));
    LARDER_ASSERT(memory != nullptr);
    if (used > 0) std::memcpy(memory, begin_, used);
    std::free(storage_);
  }
  storage_ = begin_ = memory;
  end_ = memory + used;
  limit_ = memory + capacity_bytes;
}

char* Buffer::resize_gap(size_t offset, size_t old_size, size_t new_size) {
  LARDER_ASSERT(offset <= size() && old_size <= size() - offset);
  if (new_size > old_size) reserve(new_size - old_size);
  char* gap = begin_ + offset;
  const size_t tail = size() - offset - old_size;
  if (tail > 0 && new_size != old_size) std::memmove(gap + new_size, gap + old_size, tail);
  end_ = gap + new_size + tail;
  return gap;
}

void Buffer::shrink(size_t capacity_bytes_max) {
  if (capacity() <= capacity_bytes_max || size() > capacity_bytes_max) return;
  if (capacity_bytes_max == 0) {
    release();
    return;
  }
  reallocate(capacity_bytes_max);
}

void Buffer::reserve_exactly(size_t n) {
  if (free_bytes() < n) reallocate(size() + n);
}

char* Buffer::give_away() {
  begin_ = end_ = limit_ = nullptr;
  return std::exchange(storage_, nullptr);
}

void Buffer::release() {
  std::free(storage_);
  storage_ = begin_ = end_ = limit_ = nullptr;
}

}  // namespace larder
