#pragma once

// When the store is compacted, and how fast: `activedefrag` and its options, with Redis's meaning.
//
// A pass begins when moving blocks would empty pages of more than active-defrag-ignore-bytes and
// active-defrag-threshold-lower percent of what is in use. Between both thresholds it takes from active-defrag-cycle-min to active-defrag-cycle-max percent of the processor, in
// slices of at most kSliceUs, so that no request waits longer for it.

#include <cstdint>

#include "base/clock.h"
#include "server/config/settings.h"
#include "server/core/server_stats.h"
#include "storage/compaction.h"

namespace larder {

class Defragmentation {
 public:
  static constexpr int64_t kSliceUs = 300;

  Defragmentation(Clock& clock, Store& store, const Settings& settings, ServerStats& stats)
      : clock_(clock), store_(store), settings_(settings), stats_(stats), compactor_(store) {}

  // Gives idle memory back and judges the waste: every tenth of a second.
  void cron();
  bool is_running() const { return percent_ > 0; }
  // Works as long as it may. True: it could go on at once.
  bool work(int64_t deadline_us);

 private:
  void stop();

  Clock& clock_;
  Store& store_;
  const Settings& settings_;
  ServerStats& stats_;
  Compactor compactor_;
  int64_t percent_ = 0;  // of the processor; 0: no pass is under way
  int64_t credit_us_ = 0;
  int64_t credited_us_ = 0;  // when credit was given last
  // What could be won when the pass began and when the last one was over; after one that gained little, when it may be
  // tried again.
  uint64_t winnable_at_start_ = 0;
  uint64_t not_won_ = 0;
  int64_t next_pass_us_ = 0;
};

}  // namespace larder
