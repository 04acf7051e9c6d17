#include "base/os_cpu_timer.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

namespace larder {

struct CpuTimerSignal {
  static int number() { return SIGRTMIN + 4; }

  static void handle(int, siginfo_t* info, void*) {
    if (info->si_code != SI_TIMER) return;
    auto* timer = static_cast<CpuTimer*>(info->si_value.sival_ptr);
    timer->callback_(timer->argument_);
  }

  static bool install() {
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(number(), &action, nullptr) == 0;
  }
};

CpuTimer::CpuTimer(int64_t interval_us, void (*callback)(void*), void* argument)
    : callback_(callback), argument_(argument) {
  if (!CpuTimerSignal::install()) return;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = CpuTimerSignal::number();
  event.sigev_value.sival_ptr = this;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  timer_t timer;
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0) return;
  timer_ = timer;
  created_ = true;
  const timespec interval{interval_us / 1000000, (interval_us % 1000000) * 1000};
  const itimerspec setting{interval, interval};
  works_ = timer_settime(timer, 0, &setting, nullptr) == 0;
}

CpuTimer::~CpuTimer() {
  if (created_) timer_delete(timer_);
}

}  // namespace larder
