#include "server/core/defragmentation.h"

#include <algorithm>
#include <utility>

#include "storage/keyspace.h"

namespace larder {
namespace {

// Steps between two looks at the clock: some 20 us.
constexpr int kStepsPerLook = 16;
// A pass after which more than half is still to be won met blocks that cannot be moved, or a load that undoes its work. The
// next one waits until a quarter more is lost, or for ten seconds.
constexpr uint64_t kFutileShare = 2;
constexpr uint64_t kGrowthShare = 4;
constexpr int64_t kPauseUs = 10'000'000;

}  // namespace

void Defragmentation::cron() {
  store_.trim_memory();
  if (!settings_.active_defrag) return stop();
  const uint64_t used = std::max<uint64_t>(store_.blocks().used_bytes(), 1);
  const uint64_t winnable = store_.blocks().winnable_bytes();
  const auto percent = static_cast<int64_t>(winnable * 100 / used);
  const int64_t lower = settings_.active_defrag_threshold_lower_percent;
  const int64_t upper = std::max(settings_.active_defrag_threshold_upper_percent, lower + 1);
  if (!is_running()) {
    const int64_t now_us = clock_.mono_us();
    if (percent < lower || static_cast<int64_t>(winnable) < settings_.active_defrag_ignore_bytes) return;
    if (now_us < next_pass_us_ && winnable < not_won_ + not_won_ / kGrowthShare) return;
    compactor_.restart();
    winnable_at_start_ = winnable;
    credit_us_ = 0;
    credited_us_ = now_us;
    stats_.defrag_since_us = std::max<int64_t>(now_us, 1);
  }
  const int64_t least = settings_.active_defrag_cycle_min_percent;
  const int64_t most = std::max(settings_.active_defrag_cycle_max_percent, least);
  percent_ = std::clamp(least + (percent - lower) * (most - least) / (upper - lower), least, most);
  stats_.defrag_running_percent = static_cast<uint64_t>(percent_);
}

bool Defragmentation::work(int64_t deadline_us) {
  if (!is_running() || store_.has_guard()) return false;
  const int64_t begin_us = clock_.mono_us();
  credit_us_ = std::min(credit_us_ + (begin_us - credited_us_) * percent_ / 100, kSliceUs);
  credited_us_ = begin_us;
  if (credit_us_ <= 0) return false;
  const int64_t end_us = std::min(deadline_us, begin_us + credit_us_);
  const CompactionCounts before = compactor_.counts();
  int64_t now_us = begin_us;
  bool more = true;
  while (more && now_us < end_us) {
    bool planned = false;  // a step that looked at many pages
    for (int i = 0; i < kStepsPerLook && more && !planned; ++i) {
      planned = compactor_.is_planning();
      more = compactor_.step();
    }
    now_us = clock_.mono_us();
  }
  credit_us_ -= now_us - begin_us;
  stats_.defrag_moved += compactor_.counts().moved - before.moved;
  stats_.defrag_left += compactor_.counts().left - before.left;
  if (more) return credit_us_ > 0;
  not_won_ = store_.blocks().winnable_bytes();
  if (not_won_ * kFutileShare > winnable_at_start_) next_pass_us_ = now_us + kPauseUs;
  stop();
  return false;
}

void Defragmentation::stop() {
  percent_ = 0;
  stats_.defrag_running_percent = 0;
  // CONFIG RESETSTAT may have come in between.
  if (const int64_t since_us = std::exchange(stats_.defrag_since_us, 0); since_us != 0) {
    stats_.defrag_us += clock_.mono_us() - since_us;
  }
}

}  // namespace larder
