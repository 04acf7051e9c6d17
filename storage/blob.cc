#include "storage/blob.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "storage/block_allocator.h"

namespace larder {
namespace {

// Below this a free costs about as much as handing the block over would.
constexpr size_t kDisposeBytesMin = 64 * 1024;

}  // namespace

void Blob::set_size(size_t size) {
  LARDER_ASSERT(size <= capacity_);
  size_ = size;
}

BlobHeap::~BlobHeap() { LARDER_ASSERT(used_bytes_ == 0); }

Blob* BlobHeap::create(size_t capacity) {
  // The allocator would round up anyway; what it adds is room to grow.
  const size_t bytes = block_bytes(sizeof(Blob) + capacity);
  void* memory = std::malloc(bytes);
  LARDER_ASSERT(memory != nullptr);
  Blob* blob = new (memory) Blob();
  blob->capacity_ = bytes - sizeof(Blob);
  used_bytes_ += bytes;
  return blob;
}

Blob* BlobHeap::create_from(Bytes bytes) {
  Blob* blob = create(bytes.size());
  std::memcpy(blob->data(), bytes.data(), bytes.size());
  blob->set_size(bytes.size());
  return blob;
}

bool BlobHeap::drop_reference(Blob* blob) {
  LARDER_ASSERT(blob->references_ > 0);
  if (--blob->references_ > 0) return false;
  used_bytes_ -= blob->memory_bytes();
  return true;
}

void BlobHeap::dispose(Blob* blob) {
  disposal_->dispose(blob, blob->memory_bytes(), [](void* memory) { std::free(memory); });
}

void BlobHeap::release(Blob* blob) {
  if (!drop_reference(blob)) return;
  if (blob->memory_bytes() >= kDisposeBytesMin) {
    dispose(blob);
  } else {
    std::free(blob);
  }
}

void BlobHeap::release_of_many(Blob* blob) {
  if (drop_reference(blob)) dispose(blob);
}

}  // namespace larder
