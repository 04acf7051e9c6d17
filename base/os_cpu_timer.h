// A timer that counts the processor time of the thread that made it: it does not tick while the thread waits.
//
// The callback runs in a signal handler on that thread, so it may only do what is safe there: set flags, or call functions
// that say they are async-signal-safe. System calls of the thread are restarted. There may be several timers.
#pragma once

#include <cstdint>

namespace larder {

class CpuTimer {
 public:
  // Starts at once. `argument` outlives the timer.
  CpuTimer(int64_t interval_us, void (*callback)(void* argument), void* argument);
  ~CpuTimer();
  CpuTimer(const CpuTimer&) = delete;
  CpuTimer& operator=(const CpuTimer&) = delete;

  // False when the system has no such timer left.
  bool works() const { return works_; }

 private:
  friend struct CpuTimerSignal;
  void (*callback_)(void*);
  void* argument_;
  void* timer_ = nullptr;  // timer_t: the system's first one is 0
  bool created_ = false;
  bool works_ = false;
};

}  // namespace larder
