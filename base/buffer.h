// A growable run of contiguous bytes: the arenas that replies are written into and the tails that requests wait in.
//
//   storage_        begin_              end_               limit_
//      | consumed ... |  bytes() ......... | free ........... |
//
// The two-step write (reserve, then commit) lets an emitter write with plain stores after one bound check. Memory is
// never zero-filled. Growth at least doubles, so appending is amortised O(1); consume_front is O(1), and the consumed
// space is reused when room is needed. Allocation failure stops the process, as everywhere in the server. Rejected:
// std::string and std::vector (both zero-fill on resize, and that is most of the cost of a 16-byte reply).
#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"

namespace larder {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t capacity_bytes) { grow(capacity_bytes); }
  ~Buffer() { release(); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      swap(other);
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Returns the write position with at least `n` bytes free behind it. Valid until the next call that may grow or move.
  char* reserve(size_t n) {
    if (static_cast<size_t>(limit_ - end_) < n) [[unlikely]]
      grow(n);
    return end_;
  }
  // Makes `n` bytes written at the position of reserve() part of the content. Requires: they fit in what was reserved.
  void commit(size_t n) {
    LARDER_ASSERT(n <= static_cast<size_t>(limit_ - end_));
    end_ += n;
  }
  // The same for an emitter that kept a running pointer: content ends at `position`.
  void commit_to(char* position) {
    LARDER_ASSERT(position >= end_ && position <= limit_);
    end_ = position;
  }

  void append(Bytes bytes) {
    if (bytes.empty()) return;
    char* out = reserve(bytes.size());
    std::memcpy(out, bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  void append(char c) {
    *reserve(1) = c;
    end_++;
  }

  // The content. Valid until the next call that may grow, move or clear.
  Bytes bytes() const { return {begin_, size()}; }
  const char* data() const { return begin_; }
  char* mutable_data() { return begin_; }
  size_t size() const { return static_cast<size_t>(end_ - begin_); }
  bool empty() const { return end_ == begin_; }
  // Where its memory begins: at or in front of data().
  const char* storage() const { return storage_; }
  size_t capacity() const { return static_cast<size_t>(limit_ - storage_); }
  size_t free_bytes() const { return static_cast<size_t>(limit_ - end_); }

  // Drops the content, keeps the memory.
  void clear() { begin_ = end_ = storage_; }
  // Keeps the first `size_bytes` bytes. Requires: size_bytes <= size().
  void truncate(size_t size_bytes) {
    LARDER_ASSERT(size_bytes <= size());
    end_ = begin_ + size_bytes;
  }
  // Drops the first `n` bytes. Requires: n <= size(). O(1).
  void consume_front(size_t n) {
    LARDER_ASSERT(n <= size());
    begin_ += n;
    if (begin_ == end_) clear();
  }
  // Replaces `old_size` bytes at `offset` by room for `new_size` (uninitialised where it grew), moving what follows,
  // and returns the start of that room. Requires: offset + old_size <= size().
  char* resize_gap(size_t offset, size_t old_size, size_t new_size);

  // Makes room for `n` bytes behind the content, with no more memory than that takes: for content whose end is known.
  void reserve_exactly(size_t n);

  // After a burst: gives memory back when the buffer holds more than `capacity_bytes_max` and its content fits in that.
  void shrink(size_t capacity_bytes_max);
  // Drops content and memory.
  void release();
  // The same without freeing the memory: it is the caller's, who frees it with std::free. Null if there is none.
  char* give_away();
  void swap(Buffer& other) noexcept {
    std::swap(storage_, other.storage_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(limit_, other.limit_);
  }

 private:
  void grow(size_t free_bytes_min);
  void reallocate(size_t capacity_bytes);

  char* storage_ = nullptr;
  char* begin_ = nullptr;
  char* end_ = nullptr;
  char* limit_ = nullptr;
};

}  // namespace larder
