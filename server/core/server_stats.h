#pragma once

// Counters of the whole server, as INFO reports them. Plain integers: everything runs on the one thread of the loop.

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "base/bytes.h"

namespace larder {

// A rate over the last sixteen samples of 100 ms, for instantaneous_ops_per_sec and its like.
class RateMeter {
 public:
  static constexpr size_t kSamples = 16;

  // Records the running total at `now_ms`. Called every 100 ms.
  void sample(uint64_t total, int64_t now_ms);
  // Per second, averaged over the samples.
  uint64_t per_second() const;

 private:
  std::array<uint64_t, kSamples> rates_{};
  size_t next_ = 0;
  uint64_t last_total_ = 0;
  int64_t last_ms_ = 0;
};

struct ServerStats {
  uint64_t connections_received = 0;
  uint64_t connections_rejected = 0;
  uint64_t commands_processed = 0;
  uint64_t net_input_bytes = 0;
  uint64_t net_output_bytes = 0;
  uint64_t expired_keys = 0;
  uint64_t expired_fields = 0;  // of hashes
  uint64_t evicted_keys = 0;
  uint64_t evicted_clients = 0;
  int64_t memory_exceeded_us = 0;        // that requests have found more in use than maxmemory, until it was over
  int64_t memory_exceeded_since_us = 0;  // by the monotonic clock; 0: it is not so now
  uint64_t defrag_running_percent = 0;   // of the processor that compaction may take; 0: there is none
  uint64_t defrag_moved = 0;             // blocks
  uint64_t defrag_left = 0;              // blocks that compaction looked at and left where they are
  int64_t defrag_us = 0;                 // that passes have lasted which are over
  int64_t defrag_since_us = 0;           // by the monotonic clock, when the one began that is under way; 0: none is
  uint64_t keyspace_hits = 0;
  uint64_t keyspace_misses = 0;
  uint64_t reads_processed = 0;
  uint64_t writes_processed = 0;
  uint64_t output_limit_disconnections = 0;
  uint64_t input_limit_disconnections = 0;
  uint64_t unexpected_error_replies = 0;
  uint64_t error_replies = 0;
  uint64_t acl_denied_auth = 0;
  uint64_t ticks = 0;
  uint64_t tick_ns = 0;       // that ticks have taken to execute their requests, together
  uint64_t turn_rest_ns = 0;  // the other time of the loop's turns: receiving, sending, the background
  uint64_t tick_requests_max = 0;
  uint64_t memory_peak_bytes = 0;
  // Changes since the last save, and since the start.
  uint64_t dirty = 0;
  RateMeter ops;
  RateMeter input;
  RateMeter output;
  RateMeter tick_rate;
  RateMeter tick_time_us;
  // Error replies by their first word ("ERR", "WRONGTYPE"), at most kErrorKindsMax kinds. A script can raise any line: one
  // without a short first word counts as ERR.
  static constexpr size_t kErrorKindsMax = 128;
  std::map<std::string, uint64_t, std::less<>> errors;

  // What the loop has worked, without its waiting.
  uint64_t turn_us() const { return (tick_ns + turn_rest_ns) / 1000; }

  void count_error(Bytes reply_line);
  // Back to zero, as CONFIG RESETSTAT does.
  void reset();
};

}  // namespace larder
