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

// Below this a copy costs less than memory that goes from hand to hand.
constexpr size_t kTakeOverBytesMin = 32 * 1024;

}  // namespace

void Blob::set_size(size_t size) {
  LARDER_ASSERT(size <= capacity_);
  size_ = size;
}

void Blob::free(void* memory) {
  Blob* blob = static_cast<Blob*>(memory);
  if (blob->is_elsewhere_) std::free(blob->elsewhere()->memory);
  std::free(blob);
}

BlobHeap::~BlobHeap() { LARDER_ASSERT(used_bytes_ == 0); }

Blob* BlobHeap::create(size_t capacity) {
  // The allocator would round up anyway; what it adds is room to grow.
  const size_t bytes = block_bytes(sizeof(Blob) + capacity);
  void* memory = std::malloc(bytes);
  LARDER_ASSERT(memory != nullptr);
  used_bytes_ += bytes;
  return new (memory) Blob(bytes - sizeof(Blob));
}

Blob* BlobHeap::create_from(Bytes bytes) {
  if (is_on_offer(bytes)) return take_over(bytes);
  Blob* blob = create(bytes.size());
  std::memcpy(blob->data(), bytes.data(), bytes.size());
  blob->set_size(bytes.size());
  return blob;
}

// No more of the memory may be lost than the allocator's classes would lose of a copy's.
bool BlobHeap::offer_suits(Bytes bytes) const {
  const char* begin = offered_->data();
  return bytes.size() >= kTakeOverBytesMin && bytes.size() >= offered_->capacity() / 4 * 3 && bytes.data() >= begin &&
         bytes.data() + bytes.size() <= begin + offered_->size();
}

Blob* BlobHeap::take_over(Bytes bytes) {
  const auto offset = static_cast<size_t>(bytes.data() - offered_->storage());
  void* header = std::malloc(sizeof(Blob) + sizeof(Blob::Elsewhere));
  LARDER_ASSERT(header != nullptr);
  Blob* blob = new (header) Blob(offered_->capacity() - offset);
  blob->is_elsewhere_ = true;
  new (blob->elsewhere()) Blob::Elsewhere{offered_->give_away(), offset};
  blob->set_size(bytes.size());
  used_bytes_ += blob->memory_bytes();
  offered_ = nullptr;
  taken_over_ = BlobPin(blob, *this);
  return blob;
}

BlobPin BlobHeap::end_offer() {
  offered_ = nullptr;
  return std::exchange(taken_over_, BlobPin());
}

bool BlobHeap::drop_reference(Blob* blob) {
  LARDER_ASSERT(blob->references_ > 0);
  if (--blob->references_ > 0) return false;
  used_bytes_ -= blob->memory_bytes();
  return true;
}

void BlobHeap::dispose(Blob* blob) { disposal_->dispose(blob, blob->memory_bytes(), Blob::free); }

void BlobHeap::release(Blob* blob) {
  if (!drop_reference(blob)) return;
  if (blob->memory_bytes() >= kDisposeBytesMin) {
    dispose(blob);
  } else {
    Blob::free(blob);
  }
}

void BlobHeap::release_of_many(Blob* blob) {
  if (drop_reference(blob)) dispose(blob);
}

}  // namespace larder
