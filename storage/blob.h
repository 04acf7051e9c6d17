// A string too large to live in its entry: one block of its own, counted, so that a reply can send the bytes from where
// they lie while the key is already overwritten or gone. Not thread-safe: counts change on the loop's thread only; what
// happens elsewhere is the freeing of a blob that nobody refers to any more.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "storage/disposal.h"

namespace larder {

class Blob {
 public:
  // With one reference, size 0 and room for `capacity` bytes.
  static Blob* create(size_t capacity);

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  Bytes bytes() const { return {data(), size_}; }
  // Requires: size <= capacity(). Bytes that come in view are the caller's to fill.
  void set_size(size_t size);

  // Whether somebody beside the entry holds it: then the bytes must not change.
  bool is_shared() const { return references_ > 1; }
  void retain() { references_++; }
  // Gives one reference back; the last one frees it, through `disposal` if it is large.
  static void release(Blob* blob, Disposal& disposal);

  // Bytes of memory it occupies.
  size_t memory_bytes() const { return sizeof(Blob) + capacity_; }

 private:
  Blob() = default;
  uint32_t references_ = 1;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// A reference of one's own to a blob, given back on destruction. Empty when default-constructed.
class BlobPin {
 public:
  BlobPin() = default;
  // Takes a reference. `disposal` outlives the pin.
  BlobPin(Blob* blob, Disposal& disposal) : blob_(blob), disposal_(&disposal) { blob_->retain(); }
  BlobPin(BlobPin&& other) noexcept : blob_(other.blob_), disposal_(other.disposal_) { other.blob_ = nullptr; }
  BlobPin& operator=(BlobPin&& other) noexcept;
  ~BlobPin() {
    if (blob_) Blob::release(blob_, *disposal_);
  }

  explicit operator bool() const { return blob_ != nullptr; }
  // Valid and unchanging while the pin lives. Requires: not empty.
  Bytes bytes() const { return blob_->bytes(); }

 private:
  Blob* blob_ = nullptr;
  Disposal* disposal_ = nullptr;
};

}  // namespace larder
