#pragma once

// One test: all connections driven by one thread over epoll, each with `pipeline` requests in flight.
//
// A connection sends a full pipeline in one write, waits for all of its replies, and sends the next. The time of a
// request is from its write to the arrival of the last byte of its pipeline's replies, as redis-benchmark counts it.

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
  double elapsed_s = 0;
  Histogram latency_us;

  double requests_per_s() const { return elapsed_s > 0 ? static_cast<double>(requests) / elapsed_s : 0; }
};

// Called about once a second with what is done so far.
using Progress = std::function<void(const LoadResult&)>;

// An error when the connection fails, and at the first error reply.
Result<LoadResult> run_load(const LoadOptions& options, const Workload& workload, const Clock& clock,
                            const Progress& progress);

}  // namespace larder::load
