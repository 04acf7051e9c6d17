#include "storage/blob.h"

#include <cstdlib>
#include <new>
#include <utility>

#include "base/assert.h"

namespace larder {
namespace {

// Below this a free costs about as much as handing the block over would.
constexpr size_t kDisposeBytesMin = 64 * 1024;

}  // namespace

Blob* Blob::create(size_t capacity) {
  void* memory = std::malloc(sizeof(Blob) + capacity);
  LARDER_ASSERT(memory != nullptr);
  Blob* blob = new (memory) Blob();
  blob->capacity_ = capacity;
  return blob;
}

void Blob::set_size(size_t size) {
  LARDER_ASSERT(size <= capacity_);
  size_ = size;
}

void Blob::release(Blob* blob, Disposal& disposal) {
  LARDER_ASSERT(blob->references_ > 0);
  if (--blob->references_ > 0) return;
  if (blob->memory_bytes() >= kDisposeBytesMin) {
    disposal.dispose(blob, blob->memory_bytes(), [](void* memory) { std::free(memory); });
  } else {
    std::free(blob);
  }
}

BlobPin& BlobPin::operator=(BlobPin&& other) noexcept {
  std::swap(blob_, other.blob_);
  std::swap(disposal_, other.disposal_);
  return *this;
}

}  // namespace larder
