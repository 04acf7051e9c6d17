// Bytes that several holders keep alive together, for one thread: a message that waits in the queues of many clients is
// there once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace larder {

// A handle; copies share the bytes, the last one frees them. Not thread-safe.
class SharedBytes {
 public:
  SharedBytes() = default;
  // Copies `content`, and `tail` behind it.
  SharedBytes(Bytes content, Bytes tail);
  ~SharedBytes() { drop(block_); }
  SharedBytes(const SharedBytes& other) : block_(other.block_) { hold(block_); }
  SharedBytes& operator=(const SharedBytes& other) {
    hold(other.block_);
    drop(block_);
    block_ = other.block_;
    return *this;
  }

  bool empty() const { return block_ == nullptr; }
  Bytes bytes() const { return block_ == nullptr ? Bytes() : Bytes(text_of(block_), block_->size); }

  // One more reference without a handle, for holders that only know an address: give it back with release().
  void* retain() const {
    hold(block_);
    return block_;
  }
  static void release(void* retained) { drop(static_cast<Block*>(retained)); }

 private:
  struct Block {
    uint64_t references;
    size_t size;
  };
  static char* text_of(Block* block) { return reinterpret_cast<char*>(block + 1); }
  static void hold(Block* block) {
    if (block != nullptr) ++block->references;
  }
  static void drop(Block* block);

  Block* block_ = nullptr;
};

}  // namespace larder
