#pragma once

// maxmemory: how much the server uses, how much it may use, and what is done when that is too much.
//
// Before each request, while a limit is set, keys are evicted until the server is under it again. One request waits for
// that no longer than kRoomBudgetUs; what is left is done before the next ones and in the background, so the limit is passed by a
// few values at the most. Memory that is about to be given back anyway (flushed databases, large collections that were
// deleted) is freed before any key goes. A request that needs memory is refused only when there is nothing left that the
// policy lets go.

#include <cstdint>

#include "server/core/services.h"
#include "storage/evictor.h"

namespace larder {

class MemoryLimit {
 public:
  // What making room may take of one request.
  static constexpr int64_t kRoomBudgetUs = 500;

  explicit MemoryLimit(Services& services) : services_(services) {}

  // maxmemory, maxmemory-policy or their like have changed.
  void apply_settings();
  bool is_set() const { return limit_bytes_ > 0; }
  // Of the configuration; a percentage is that of the machine or of the container. 0: no limit.
  uint64_t limit_bytes() const { return limit_bytes_; }
  // Data, the buffers of the tick, and the buffers of clients and the sources of scripts as they were at the last cron().
  uint64_t used_bytes() const;
  bool exceeded() const { return is_set() && used_bytes() > limit_bytes_; }

  // Evicts until the limit holds or the time is over. False: it does not hold, and nothing may go.
  bool make_room(int64_t now_ms);

 private:
  Eviction free_one(int64_t now_ms);

  Services& services_;
  uint64_t limit_bytes_ = 0;
};

}  // namespace larder
