// A string too large to live in its entry: one block of its own, counted, so that a reply can send the bytes from where
// they lie while the key is already overwritten or gone, and so that COPY shares until one side is written to. Not
// thread-safe: counts change on the loop's thread only; what happens elsewhere is the freeing of a blob that nobody
// refers to any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "storage/disposal.h"

namespace larder {

class Blob {
 public:
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  Bytes bytes() const { return {data(), size_}; }
  // Requires: size <= capacity(). Bytes that come in view are the caller's to fill.
  void set_size(size_t size);

  // Whether a new string of `size` bytes may take its place: nobody else reads it, and not too much room would be lost.
  bool suits(size_t size) const { return !is_shared() && size <= capacity_ && size >= capacity_ / 2; }
  // Whether it has more than one reference: then the bytes must not change.
  bool is_shared() const { return references_ > 1; }
  void retain() { references_++; }
  // Bytes of memory it occupies.
  size_t memory_bytes() const { return sizeof(Blob) + capacity_; }

 private:
  friend class BlobHeap;
  Blob() = default;
  uint32_t references_ = 1;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Creates blobs, frees them and counts their bytes.
class BlobHeap {
 public:
  // `disposal` outlives the heap.
  explicit BlobHeap(Disposal& disposal) : disposal_(&disposal) {}
  ~BlobHeap();  // Requires: every blob was released.
  BlobHeap(const BlobHeap&) = delete;
  BlobHeap& operator=(const BlobHeap&) = delete;

  // With one reference, size 0 and room for at least `capacity` bytes.
  Blob* create(size_t capacity);
  // The same holding a copy of `bytes`.
  Blob* create_from(Bytes bytes);
  // Gives one reference back; the last one frees the blob.
  void release(Blob* blob);
  // The same for one of very many that go together. They are freed by the Disposal whatever their size: malloc merges the
  // neighbours of freed blocks under a lock that the next free() waits for, milliseconds at a time.
  void release_of_many(Blob* blob);
  // Of the blobs with references.
  uint64_t used_bytes() const { return used_bytes_; }

 private:
  // Returns whether it was the last reference.
  bool drop_reference(Blob* blob);
  void dispose(Blob* blob);

  Disposal* disposal_;
  uint64_t used_bytes_ = 0;
};

// A reference of one's own to a blob, given back on destruction. Empty when default-constructed.
class BlobPin {
 public:
  BlobPin() = default;
  // Takes a reference. `heap` outlives the pin.
  BlobPin(Blob* blob, BlobHeap& heap) : blob_(blob), heap_(&heap) { blob_->retain(); }
  BlobPin(BlobPin&& other) noexcept : blob_(std::exchange(other.blob_, nullptr)), heap_(other.heap_) {}
  BlobPin& operator=(BlobPin&& other) noexcept {
    std::swap(blob_, other.blob_);
    std::swap(heap_, other.heap_);
    return *this;
  }
  ~BlobPin() {
    if (blob_ != nullptr) heap_->release(blob_);
  }

  explicit operator bool() const { return blob_ != nullptr; }
  // Valid and unchanging while the pin lives. Requires: not empty.
  Bytes bytes() const { return blob_->bytes(); }

 private:
  Blob* blob_ = nullptr;
  BlobHeap* heap_ = nullptr;
};

}  // namespace larder
