// A bump allocator for what lives exactly as long as one tick (or one request): allocation is a pointer increment, and
// everything is given back at once. Blocks never move, so views into the arena stay valid until reset().
//
// After reset() one chunk is kept, of at most the size given to reset(), so that a quiet server returns the memory of
// its busiest tick. Nothing is destroyed: only trivially destructible things may live here.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace larder {

class Arena {
 public:
  static constexpr size_t kChunkBytesMin = 16 * 1024;
  static constexpr size_t kKeptBytesMax = 1024 * 1024;

  Arena() = default;
  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;

  // Uninitialised memory, valid until reset(). Requires: alignment is a power of two, at most 16.
  char* allocate(size_t n, size_t alignment = 1) {
    const size_t padding = (alignment - reinterpret_cast<uintptr_t>(next_)) & (alignment - 1);
    if (n + padding > static_cast<size_t>(limit_ - next_)) [[unlikely]]
      return allocate_chunk(n);
    char* result = next_ + padding;
    next_ = result + n;
    return result;
  }

  // A copy that lives in the arena.
  Bytes copy(Bytes bytes) {
    if (bytes.empty()) return {};
    char* out = allocate(bytes.size());
    std::memcpy(out, bytes.data(), bytes.size());
    return {out, bytes.size()};
  }

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 16);
    return ::new (allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }

  template <class T>
  T* make_array(size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && std::is_trivially_default_constructible_v<T> &&
                  alignof(T) <= 16);
    return reinterpret_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }

  // Takes back the unused tail of the latest allocation: `end` lies in that allocation and becomes its end.
  void trim_to(char* end) { next_ = end; }

  // Forgets everything allocated.
  void reset(size_t kept_bytes_max = kKeptBytesMax);

  // Memory held, used or not.
  size_t capacity() const { return capacity_bytes_; }

 private:
  struct Chunk {
    std::unique_ptr<char[]> memory;
    size_t size_bytes;
  };
  char* allocate_chunk(size_t n);

  char* next_ = nullptr;
  char* limit_ = nullptr;
  size_t capacity_bytes_ = 0;
  std::vector<Chunk> chunks_;  // the last one is being filled
};

}  // namespace larder
