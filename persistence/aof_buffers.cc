#include "persistence/aof_buffers.h"

#include <cstdint>
#include <utility>

#include "base/assert.h"
#include "base/file_system.h"

namespace larder {
namespace {

constexpr size_t kCapacityBytes = AofBuffers::kRoomBytes + kBlockBytes;

}  // namespace

Buffer AofBuffers::take(size_t begin_bytes) {
  LARDER_ASSERT(begin_bytes > 0 && begin_bytes <= kRoomBytes);
  Buffer buffer;
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      buffer = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  buffer.clear();
  const auto address = reinterpret_cast<uintptr_t>(buffer.reserve(kCapacityBytes));
  const size_t in_front = (kBlockBytes - address % kBlockBytes) % kBlockBytes;
  buffer.commit(in_front + begin_bytes);
  buffer.consume_front(in_front);
  return buffer;
}

bool AofBuffers::is_one(const Buffer& buffer) { return buffer.capacity() == kCapacityBytes; }

void AofBuffers::give_back(Buffer buffer) {
  if (!is_one(buffer)) return;
  const std::lock_guard lock(mutex_);
  if (spare_.size() < kSpareMax) spare_.push_back(std::move(buffer));
}

void AofBuffers::release() {
  std::vector<Buffer> unused;
  const std::lock_guard lock(mutex_);
  unused.swap(spare_);
}

size_t AofBuffers::spare_count() const {
  const std::lock_guard lock(mutex_);
  return spare_.size();
}

}  // namespace larder
