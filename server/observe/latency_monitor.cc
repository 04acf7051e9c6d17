#include "server/observe/latency_monitor.h"

#include <algorithm>

namespace larder {

void LatencyMonitor::record(Bytes event, int64_t latency_ms, int64_t wall_s) {
  auto found = events_.find(event);
  if (found == events_.end()) found = events_.emplace(std::string(event), Event{}).first;
  Event& entry = found->second;
  entry.max_ms = std::max(entry.max_ms, latency_ms);
  if (!entry.samples.empty() && entry.samples.back().wall_s == wall_s) {
    entry.samples.back().latency_ms = std::max(entry.samples.back().latency_ms, latency_ms);
    return;
  }
  entry.samples.push_back({wall_s, latency_ms});
  if (entry.samples.size() > kSamplesMax) entry.samples.pop_front();
}

const LatencyMonitor::Event* LatencyMonitor::find(Bytes event) const {
  const auto found = events_.find(event);
  return found == events_.end() ? nullptr : &found->second;
}

bool LatencyMonitor::reset(Bytes event) {
  const auto found = events_.find(event);
  if (found == events_.end()) return false;
  events_.erase(found);
  return true;
}

size_t LatencyMonitor::reset_all() {
  const size_t count = events_.size();
  events_.clear();
  return count;
}

}  // namespace larder
