#pragma once

// maxmemory: how much the server uses, how much it may use, and what is done when that is too much.
//
// Before each request, while a limit is set, keys are evicted until the server is under it again. The requests of one
// millisecond wait for that no longer than kRoomBudgetUs; the rest is done before later ones and in the background. Once the budget is
// used, a request only makes up for what came since, so the limit is passed by a few values at the most. Memory that is about to be given back anyway (flushed databases, large collections that were
// deleted) is freed before any key goes. A request that needs memory is refused only when there is nothing left that the
// policy lets go.

#include <cstdint>

#include "server/core/services.h"
#include "storage/evictor.h"

namespace larder {

class MemoryLimit {
 public:
  // What making room may take of the requests of one millisecond together.
  static constexpr int64_t kRoomBudgetUs = 500;

  explicit MemoryLimit(Services& services) : services_(services) {}

  // maxmemory, maxmemory-policy or their like have changed.
  void apply_settings();
  bool is_set() const { return limit_bytes_ > 0; }
  // Of the configuration; a percentage is that of the machine or of the container. 0: no limit.
  uint64_t limit_bytes() const { return limit_bytes_; }
  // Data; clients, as ClientMemory knows them; and, as they were when last counted, the tables beside the data, the buffers of the tick and the sources of
  // scripts.
  uint64_t used_bytes() const;
  // Of them, all that is neither a key nor a value.
  uint64_t overhead_bytes() const;
  // What clients make the server remember (watched and tracked keys, channels, the slow log): O(1), behind each tick while
  // a limit is set.
  void count_tables();
  // All but the clients.
  void count_shared();
  // All that used_bytes() is made of: O(clients). Returns the clients' part.
  uint64_t count_all();
  bool exceeded() const { return is_set() && used_bytes() > limit_bytes_; }

  // Whether keys may go now: not while data is loaded (what the log says next counts on them), nor while clients are paused or
  // under a script that is running.
  bool may_evict() const;
  // Evicts, if keys may go now, until the limit holds or the time is over. False: it does not hold, and nothing may go.
  bool make_room(int64_t now_ms);
  // Whether the last make_room() was over because of the time: there is more that may go.
  bool is_behind() const { return is_behind_; }

 private:
  Eviction free_one(int64_t now_ms);
  void note_exceeded();

  Services& services_;
  uint64_t limit_bytes_ = 0;
  uint64_t table_bytes_ = 0;
  uint64_t buffer_bytes_ = 0;  // of the tick
  uint64_t script_bytes_ = 0;
  int64_t budget_ms_ = 0;  // the millisecond that budget_used_us_ counts for
  int64_t budget_used_us_ = 0;
  uint64_t settled_bytes_ = 0;  // in use when that budget was found used up
  bool is_behind_ = false;
};

}  // namespace larder
