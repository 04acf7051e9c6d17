#include <time.h>

#include "base/assert.h"
#include "base/clock.h"

namespace larder {

int64_t SystemClock::wall_us() const {
  timespec now{};
  LARDER_ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
  return int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
}

int64_t SystemClock::mono_ns() const {
  timespec now{};
  LARDER_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

int32_t SystemClock::local_offset_s(int64_t wall_s) const {
  const time_t moment = static_cast<time_t>(wall_s);
  tm local{};
  if (localtime_r(&moment, &local) == nullptr) return 0;
  return static_cast<int32_t>(local.tm_gmtoff);
}

}  // namespace larder
