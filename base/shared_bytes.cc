#include "base/shared_bytes.h"

#include <cstdlib>
#include <cstring>

#include "base/assert.h"

namespace larder {

SharedBytes::SharedBytes(Bytes content, Bytes tail) {
  const size_t size = content.size() + tail.size();
  block_ = static_cast<Block*>(std::malloc(sizeof(Block) + size));
  LARDER_ASSERT(block_ != nullptr);
  *block_ = {1, size};
  if (!content.empty()) std::memcpy(text_of(block_), content.data(), content.size());
  if (!tail.empty()) std::memcpy(text_of(block_) + content.size(), tail.data(), tail.size());
}

void SharedBytes::drop(Block* block) {
  if (block == nullptr || --block->references > 0) return;
  std::free(block);
}

}  // namespace larder
