#include "server/core/memory_limit.h"

#include <algorithm>

#include "base/clock.h"
#include "base/os_process.h"
#include "server/config/settings.h"
#include "server/core/client_memory.h"
#include "server/core/flush_queue.h"
#include "server/core/loading.h"
#include "server/core/pause.h"
#include "server/core/pubsub.h"
#include "server/core/scripting.h"
#include "server/core/server_stats.h"
#include "server/core/tick.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"
#include "server/observe/slowlog.h"
#include "storage/keyspace.h"

namespace larder {
namespace {

constexpr uint32_t kStepsPerLook = 16;
// A larger maxmemory-samples counts as this: the pool of candidates gives the order that more samples would.
constexpr int64_t kSamplesMax = 64;
constexpr size_t kFreedElementsPerStep = 64;

EvictionPolicy policy_of(const Settings& settings) {
  EvictionPolicy policy;
  policy.samples = static_cast<uint32_t>(std::min<int64_t>(settings.maxmemory_samples, kSamplesMax));
  switch (settings.maxmemory_policy) {
    case MaxmemoryPolicy::kNoEviction:
      break;
    case MaxmemoryPolicy::kAllkeysLru:
    case MaxmemoryPolicy::kVolatileLru:
      policy.rule = EvictionRule::kLeastRecent;
      break;
    case MaxmemoryPolicy::kAllkeysLfu:
    case MaxmemoryPolicy::kVolatileLfu:
      policy.rule = EvictionRule::kLeastFrequent;
      break;
    case MaxmemoryPolicy::kAllkeysRandom:
    case MaxmemoryPolicy::kVolatileRandom:
      policy.rule = EvictionRule::kRandom;
      break;
    case MaxmemoryPolicy::kVolatileTtl:
      policy.rule = EvictionRule::kSoonest;
      break;
    case MaxmemoryPolicy::kAllkeysS3Fifo:
    case MaxmemoryPolicy::kVolatileS3Fifo:
      policy.rule = EvictionRule::kS3Fifo;
      break;
  }
  switch (settings.maxmemory_policy) {
    case MaxmemoryPolicy::kVolatileLru:
    case MaxmemoryPolicy::kVolatileLfu:
    case MaxmemoryPolicy::kVolatileRandom:
    case MaxmemoryPolicy::kVolatileTtl:
    case MaxmemoryPolicy::kVolatileS3Fifo:
      policy.volatile_only = true;
      break;
    default:
      break;
  }
  return policy;
}

}  // namespace

void MemoryLimit::apply_settings() {
  const int64_t configured = services_.settings.maxmemory_bytes;
  limit_bytes_ = configured >= 0 ? static_cast<uint64_t>(configured)
                                 : os_memory_limit_bytes() / 100 * static_cast<uint64_t>(-configured);
  services_.store.evictor().set_policy(policy_of(services_.settings));
  is_behind_ = false;
  note_exceeded();
}

uint64_t MemoryLimit::used_bytes() const {
  return services_.store.memory_bytes() + services_.client_memory.counted_bytes() + table_bytes_ + buffer_bytes_ +
         script_bytes_;
}

uint64_t MemoryLimit::overhead_bytes() const {
  return used_bytes() - services_.store.memory_bytes() + services_.store.overhead_bytes();
}

void MemoryLimit::count_tables() {
  table_bytes_ = services_.transactions.memory_bytes() + services_.tracking.memory_bytes() +
                 services_.pubsub.memory_bytes() + services_.slowlog.memory_bytes();
}

void MemoryLimit::count_shared() {
  count_tables();
  buffer_bytes_ = services_.tick.memory_bytes();
  if (services_.scripting != nullptr) script_bytes_ = services_.scripting->usage().source_bytes();
}

uint64_t MemoryLimit::count_all() {
  count_shared();
  return services_.client_memory.count_all();
}

bool MemoryLimit::may_evict() const {
  if (services_.loading.active() || services_.pause.mode != PauseState::Mode::kNone) return false;
  return services_.scripting == nullptr || !services_.scripting->is_busy();
}

// For the fields of INFO that end in eviction_exceeded_time.
void MemoryLimit::note_exceeded() {
  ServerStats& stats = services_.stats;
  const bool is_known = stats.memory_exceeded_since_us != 0;
  if (exceeded() == is_known) [[likely]]
    return;
  const int64_t now_us = services_.clock.mono_us();
  if (is_known) stats.memory_exceeded_us += now_us - stats.memory_exceeded_since_us;
  stats.memory_exceeded_since_us = is_known ? 0 : std::max<int64_t>(now_us, 1);
}

bool MemoryLimit::make_room(int64_t now_ms) {
  is_behind_ = false;
  if (!exceeded() || !may_evict()) {
    note_exceeded();
    return true;
  }
  if (now_ms != budget_ms_) {
    budget_ms_ = now_ms;
    budget_used_us_ = 0;
  }
  const bool is_used_up = budget_used_us_ >= kRoomBudgetUs;
  const uint64_t target_bytes = is_used_up ? std::max(limit_bytes_, settled_bytes_) : limit_bytes_;
  const int64_t started_us = services_.clock.mono_us();
  const int64_t deadline_us = started_us + (is_used_up ? kRoomBudgetUs : kRoomBudgetUs - budget_used_us_);
  int64_t now_us = started_us;
  Eviction result = Eviction::kDone;
  for (uint32_t step = 1; result != Eviction::kNothing && now_us < deadline_us && used_bytes() > target_bytes; ++step) {
    result = free_one(now_ms);
    if (step % kStepsPerLook == 0 || result == Eviction::kNotYet) now_us = services_.clock.mono_us();
  }
  budget_used_us_ += services_.clock.mono_us() - started_us;
  if (!is_used_up) settled_bytes_ = used_bytes();
  is_behind_ = result != Eviction::kNothing && exceeded();
  note_exceeded();
  return result != Eviction::kNothing || !exceeded();
}

Eviction MemoryLimit::free_one(int64_t now_ms) {
  if (services_.store.has_garbage()) {
    services_.store.free_some(kFreedElementsPerStep);
    return Eviction::kDone;
  }
  if (!services_.flushed.empty()) {
    services_.flushed.free_some(kFreedElementsPerStep);
    return Eviction::kDone;
  }
  return services_.store.evictor().evict_one(now_ms);
}

}  // namespace larder
