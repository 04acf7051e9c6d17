// Where the pieces of one stream get their memory: the store's allocator, with a running sum of what this stream has.
#pragma once

#include <cstddef>

#include "storage/block_allocator.h"

namespace larder {

class StreamMemory {
 public:
  explicit StreamMemory(BlockAllocator& blocks) : blocks_(blocks) {}
  StreamMemory(const StreamMemory&) = delete;
  StreamMemory& operator=(const StreamMemory&) = delete;

  void* allocate(size_t bytes) {
    bytes_ += block_bytes(bytes);
    return blocks_.allocate(bytes);
  }
  // Requires: `bytes` as it was asked for.
  void free(void* block, size_t bytes) {
    bytes_ -= block_bytes(bytes);
    blocks_.free(block, bytes);
  }
  // Of all blocks in use, as large as they are in the allocator.
  size_t bytes() const { return bytes_; }

 private:
  BlockAllocator& blocks_;
  size_t bytes_ = 0;
};

}  // namespace larder
