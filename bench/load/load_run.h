#pragma once

// One test: connections driven by one or more threads over epoll, each with `pipeline` requests in flight.
//
// Closed loop: a connection sends a full pipeline in one write, waits for all of its replies, and sends the next. The time
// of a request is from its write to the arrival of the last byte of its pipeline's replies, as redis-benchmark counts it.
// A server that stops for a second makes one slow request of each connection, whatever it should have served meanwhile.
//
// Open loop (`rate`): requests are due at fixed times and sent as soon as a connection has room; the time of a request
// counts from when it was due. A server that stops for a second makes a second's worth of slow requests. What was due in the
// duration is sent late rather than not, but a run ends after twice its duration; the rest is `unsent`.

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/result.h"
#include "bench/load/load_options.h"
#include "bench/load/workload.h"

namespace larder::load {

struct LoadResult {
  uint64_t requests = 0;
  uint64_t nulls = 0;
  uint64_t messages = 0;  // received by subscribers
  uint64_t unsent = 0;    // due at the rate, and given up: the server was too slow for it
  double elapsed_s = 0;
  Histogram latency_us;

  double requests_per_s() const { return elapsed_s > 0 ? static_cast<double>(requests) / elapsed_s : 0; }
  // Adds what ran at the same time.
  void add_parallel(const LoadResult& other);
  // Adds what ran before or after.
  void add_round(const LoadResult& other);
};

// Who looks at a run. All are called on the thread that called run_load().
struct LoadObserver {
  std::function<void(const LoadResult&)> progress;  // about once a second, with what is done so far
  std::function<void()> counting_starts;            // the connections are open and the warm-up is over
  std::function<bool()> interrupted;                // no more is sent when it says so; what was answered is the result
};

// An error when a connection fails, at the first error reply, and when a server is silent for half a minute.
Result<LoadResult> run_load(const LoadOptions& options, const Workload& workload, const Clock& clock,
                            const LoadObserver& observer);

// -I: opens the connections and keeps them for options.duration_s, without end when that is 0. An error when the server
// closes one of them.
Status hold_idle_connections(const LoadOptions& options, const std::function<void()>& opened);

}  // namespace larder::load
