#pragma once

// The latency monitor: per event ("command", "expire-cycle", "fork" ...) the latest spikes above a threshold, at most
// one sample a second, as LATENCY LATEST and LATENCY HISTORY show them.

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "base/bytes.h"

namespace larder {

class LatencyMonitor {
 public:
  static constexpr size_t kSamplesMax = 160;

  struct Sample {
    int64_t wall_s = 0;
    int64_t latency_ms = 0;
  };
  struct Event {
    std::deque<Sample> samples;  // oldest first, at most kSamplesMax
    int64_t max_ms = 0;          // of all time since the last reset
  };

  // Two spikes in the same second are one sample: the larger.
  void record(Bytes event, int64_t latency_ms, int64_t wall_s);
  const std::map<std::string, Event, std::less<>>& events() const { return events_; }
  // Null when there is no such event.
  const Event* find(Bytes event) const;
  // Forgets one event; false when there is none of that name.
  bool reset(Bytes event);
  // Forgets all; returns how many there were.
  size_t reset_all();

 private:
  std::map<std::string, Event, std::less<>> events_;
};

}  // namespace larder
