#include "server/core/memory_limit.h"

#include "base/clock.h"
#include "base/os_process.h"
#include "server/config/settings.h"
#include "server/core/flush_queue.h"
#include "server/core/server_stats.h"
#include "storage/keyspace.h"

namespace larder {
namespace {

constexpr uint32_t kStepsPerLook = 16;
constexpr size_t kFreedElementsPerStep = 64;

EvictionPolicy policy_of(const Settings& settings) {
  EvictionPolicy policy;
  policy.samples = static_cast<uint32_t>(settings.maxmemory_samples);
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
}

uint64_t MemoryLimit::used_bytes() const {
  const ServerStats& stats = services_.stats;
  return services_.store.memory_bytes() + stats.buffer_bytes + stats.client_bytes + stats.script_bytes;
}

bool MemoryLimit::make_room(int64_t now_ms) {
  if (!exceeded()) return true;
  const int64_t deadline_us = services_.clock.mono_us() + kRoomBudgetUs;
  for (uint32_t step = 1; exceeded(); ++step) {
    const Eviction result = free_one(now_ms);
    if (result == Eviction::kNothing) return false;
    const bool look = step % kStepsPerLook == 0 || result == Eviction::kNotYet;
    if (look && services_.clock.mono_us() >= deadline_us) break;
  }
  return true;
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
