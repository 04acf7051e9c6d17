#pragma once

// Memory that the groups of the append-only log are gathered in, written from, kept in until they are synced, and that is
// then used for others: at 100 MB/s of log new memory each time is 25,000 page faults a second. All buffers have one
// size and do not grow, and their content begins where a block may be written from around the system's cache.
//
// Used by the loop and by the writer.

#include <cstddef>
#include <mutex>
#include <vector>

#include "base/buffer.h"

namespace larder {

class AofBuffers {
 public:
  // Room in each, without what aligns it: a group is written once it has 1 MiB, and one more tick is to fit behind.
  static constexpr size_t kRoomBytes = 1280 * 1024;
  // How many are kept: those of the bytes that go without a sync, and some that are being filled and written.
  static constexpr size_t kSpareMax = 12;

  // One whose content is `begin_bytes` of anything, at the start of a block.
  Buffer take(size_t begin_bytes);
  // Of whatever was in it nothing is needed any more. A buffer of another size is freed.
  void give_back(Buffer buffer);
  // Frees those that nobody uses.
  void release();
  size_t spare_count() const;

  static bool is_one(const Buffer& buffer);

 private:
  mutable std::mutex mutex_;
  std::vector<Buffer> spare_;
};

}  // namespace larder
