#include "base/arena.h"

#include <algorithm>

#include "base/assert.h"

namespace larder {

char* Arena::allocate_chunk(size_t n) {
  LARDER_ASSERT(n <= SIZE_MAX / 4);
  // Doubling keeps the number of chunks logarithmic. new[] of char is aligned for every fundamental type: 16 bytes.
  const size_t size_bytes = std::max({n, kChunkBytesMin, std::min(capacity_bytes_, kKeptBytesMax)});
  chunks_.push_back({std::unique_ptr<char[]>(new char[size_bytes]), size_bytes});
  capacity_bytes_ += size_bytes;
  char* memory = chunks_.back().memory.get();
  next_ = memory + n;
  limit_ = memory + size_bytes;
  return memory;
}

void Arena::reset(size_t kept_bytes_max) {
  size_t kept = chunks_.size();
  for (size_t i = 0; i < chunks_.size(); i++) {
    if (chunks_[i].size_bytes > kept_bytes_max) continue;
    if (kept == chunks_.size() || chunks_[i].size_bytes > chunks_[kept].size_bytes) kept = i;
  }
  if (kept == chunks_.size()) {
    chunks_.clear();
    capacity_bytes_ = 0;
    next_ = limit_ = nullptr;
    return;
  }
  if (kept != 0) std::swap(chunks_[0], chunks_[kept]);
  chunks_.erase(chunks_.begin() + 1, chunks_.end());
  capacity_bytes_ = chunks_[0].size_bytes;
  next_ = chunks_[0].memory.get();
  limit_ = next_ + capacity_bytes_;
}

}  // namespace larder
