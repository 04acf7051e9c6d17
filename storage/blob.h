// A string too large to live in its entry: one block of its own, counted, so that a reply can send the bytes from where
// they lie while the key is already overwritten or gone, and so that COPY shares until one side is written to. The bytes
// lie behind the header, or in memory that was taken over from whoever received them. Not
// thread-safe: counts change on the loop's thread only; what happens elsewhere is the freeing of a blob that nobody
// refers to any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/buffer.h"
#include "base/bytes.h"
#include "storage/disposal.h"

namespace larder {

class Blob {
 public:
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  char* data() { return is_elsewhere_ ? elsewhere()->memory + elsewhere()->offset : reinterpret_cast<char*>(this + 1); }
  const char* data() const { return const_cast<Blob*>(this)->data(); }
  Bytes bytes() const { return {data(), size_}; }
  // Requires: size <= capacity(). Bytes that come in view are the caller's to fill.
  void set_size(size_t size);

  // Whether a new string of `size` bytes may take its place: nobody else reads it, and not too much room would be lost.
  bool suits(size_t size) const { return !is_shared() && size <= capacity_ && size >= capacity_ / 2; }
  // Whether it has more than one reference: then the bytes must not change.
  bool is_shared() const { return references_ > 1; }
  void retain() { references_++; }
  // Bytes of memory it occupies.
  size_t memory_bytes() const {
    return sizeof(Blob) + capacity_ + (is_elsewhere_ ? sizeof(Elsewhere) + elsewhere()->offset : 0);
  }

 private:
  friend class BlobHeap;
  // Stands behind the header when the bytes do not.
  struct Elsewhere {
    char* memory;   // from malloc
    size_t offset;  // where the bytes begin
  };
  explicit Blob(size_t capacity) : capacity_(capacity) {}
  Elsewhere* elsewhere() { return reinterpret_cast<Elsewhere*>(this + 1); }
  const Elsewhere* elsewhere() const { return reinterpret_cast<const Elsewhere*>(this + 1); }
  static void free(void* blob);

  uint32_t references_ = 1;
  bool is_elsewhere_ = false;
  size_t size_ = 0;
  size_t capacity_;
};

class BlobHeap;

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
  ~BlobPin();

  explicit operator bool() const { return blob_ != nullptr; }
  // Valid and unchanging while the pin lives. Requires: not empty.
  Bytes bytes() const { return blob_->bytes(); }

 private:
  Blob* blob_ = nullptr;
  BlobHeap* heap_ = nullptr;
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
  // The same holding `bytes`: a copy, or the memory where they lie if that is on offer.
  Blob* create_from(Bytes bytes);
  // Until end_offer(), the first string that is created from most of what `memory` holds takes that over, and leaves it
  // empty: what a client has sent need not be copied once more. `memory` outlives the offer.
  void offer(Buffer& memory) { offered_ = &memory; }
  // Returns what took the memory over, so that its bytes stay where they are; empty if nothing did.
  BlobPin end_offer();
  // Whether create_from(bytes) would take over memory.
  bool is_on_offer(Bytes bytes) const { return offered_ != nullptr && offer_suits(bytes); }
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
  bool offer_suits(Bytes bytes) const;
  Blob* take_over(Bytes bytes);

  Disposal* disposal_;
  Buffer* offered_ = nullptr;
  BlobPin taken_over_;  // since offer()
  uint64_t used_bytes_ = 0;
};

inline BlobPin::~BlobPin() {
  if (blob_ != nullptr) heap_->release(blob_);
}

}  // namespace larder
