#pragma once

// Databases that were flushed and whose memory is still to be given back: freed in pieces by the background work, so that
// FLUSHALL of any size answers at once.

#include <deque>
#include <utility>

#include "storage/keyspace.h"

namespace larder {

class FlushQueue {
 public:
  void add(FlushedKeyspace flushed) {
    if (flushed.size() > 0) waiting_.push_back(std::move(flushed));
  }
  bool empty() const { return waiting_.empty(); }
  // Entries that are still to be freed (INFO's lazyfree_pending_objects).
  size_t pending_entries() const {
    size_t count = 0;
    for (const FlushedKeyspace& flushed : waiting_) count += flushed.size();
    return count;
  }
  // Frees about `entries_max` entries. True when more are waiting.
  bool free_some(size_t entries_max) {
    if (waiting_.empty()) return false;
    if (!waiting_.front().free_some(entries_max)) waiting_.pop_front();
    return !waiting_.empty();
  }

 private:
  std::deque<FlushedKeyspace> waiting_;
};

}  // namespace larder
