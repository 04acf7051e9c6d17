#include "base/os_process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/control_group.h"

// There when jemalloc is linked in or preloaded.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_bytes, void* new_value, size_t new_bytes)
    __attribute__((weak));

namespace larder {
namespace {

uint64_t page_bytes() {
  const long bytes = sysconf(_SC_PAGESIZE);
  return bytes > 0 ? static_cast<uint64_t>(bytes) : 4096;
}

int64_t microseconds(const timeval& time) { return int64_t{time.tv_sec} * 1000000 + time.tv_usec; }

int rusage_scope(CpuScope scope) {
  if (scope == CpuScope::kEndedChildren) return RUSAGE_CHILDREN;
#ifdef RUSAGE_THREAD
  if (scope == CpuScope::kThisThread) return RUSAGE_THREAD;
#endif
  return RUSAGE_SELF;
}

// The text of /proc/self/cgroup; without it, what a container sees with either version.
std::string own_control_groups() {
  std::string text;
  if (std::FILE* file = std::fopen("/proc/self/cgroup", "r")) {
    char part[4096];
    size_t size = 0;
    while ((size = std::fread(part, 1, sizeof(part), file)) > 0) text.append(part, size);
    std::fclose(file);
  }
  return text.empty() ? "0::/\n1:memory:/\n" : text;
}

}  // namespace

bool os_process_exists(int64_t process_id) { return ::kill(static_cast<pid_t>(process_id), 0) == 0 || errno != ESRCH; }

uint64_t os_resident_bytes() {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[128];
  const ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (size <= 0) return 0;
  text[size] = '\0';
  // "total resident shared ...", in pages.
  char* behind_total = nullptr;
  (void)std::strtoull(text, &behind_total, 10);
  return std::strtoull(behind_total, nullptr, 10) * page_bytes();
}

uint64_t os_total_memory_bytes() {
#ifdef _SC_PHYS_PAGES
  const long pages = sysconf(_SC_PHYS_PAGES);
  if (pages > 0) return static_cast<uint64_t>(pages) * page_bytes();
#endif
  return 0;
}

uint64_t os_memory_limit_bytes() {
  uint64_t limit = os_total_memory_bytes();
  for (const std::string& path : memory_limit_files(own_control_groups())) {
    std::FILE* file = std::fopen(path.c_str(), "r");
    if (file == nullptr) continue;
    unsigned long long bytes = 0;
    if (std::fscanf(file, "%llu", &bytes) == 1 && bytes > 0 && (limit == 0 || bytes < limit)) limit = bytes;
    std::fclose(file);
  }
  return limit;
}

CpuTime os_cpu_time(CpuScope scope) {
  rusage usage{};
  if (getrusage(rusage_scope(scope), &usage) != 0) return {};
  return {microseconds(usage.ru_utime), microseconds(usage.ru_stime)};
}

std::string os_allocator_name() {
  if (mallctl == nullptr) return "libc";
  const char* version = nullptr;
  size_t bytes = sizeof(version);
  if (mallctl("version", static_cast<void*>(&version), &bytes, nullptr, 0) != 0 || version == nullptr)
    return "jemalloc";
  // "5.3.0-0-g54eaed1d8b56...": the release is enough.
  const Bytes full = version;
  return "jemalloc-" + std::string(full.substr(0, full.find('-')));
}

void os_free_without_purging() {
  if (mallctl == nullptr) return;
  // For arena 0, which exists before malloc_conf is looked at; the others take it from there. An older jemalloc knows neither.
  size_t never = SIZE_MAX / 4;
  (void)mallctl("arena.0.oversize_threshold", nullptr, nullptr, &never, sizeof(never));
}

bool os_free_is_short() {
  bool purges_elsewhere = false;
  size_t bytes = sizeof(purges_elsewhere);
  return mallctl != nullptr && mallctl("background_thread", &purges_elsewhere, &bytes, nullptr, 0) == 0 &&
         purges_elsewhere;
}

void os_refuse_huge_pages([[maybe_unused]] bool except_asked_for) {
#ifdef PR_SET_THP_DISABLE
  constexpr unsigned long kExceptAdvised = 1 << 1;  // since Linux 6.18; others refuse it
  (void)prctl(PR_SET_THP_DISABLE, 1, except_asked_for ? kExceptAdvised : 0, 0, 0);
#endif
}

void os_interrupt_others(bool wanted) {
#ifdef __linux__
  const sched_param no_priority{};
  (void)sched_setscheduler(gettid(), wanted ? SCHED_OTHER : SCHED_BATCH, &no_priority);
#else
  (void)wanted;
#endif
}

void os_give_way() {
#ifdef __linux__
  constexpr int kLeastUrgent = 19;
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLeastUrgent);  // Linux: of this thread alone
#endif
  os_interrupt_others(false);
}

Result<std::string> os_read_standard_input(uint64_t bytes_max) {
  std::string all;
  char chunk[16384];
  while (true) {
    const ssize_t size = read(STDIN_FILENO, chunk, sizeof(chunk));
    if (size == 0) return all;
    if (size < 0) {
      if (errno == EINTR) continue;
      return os_error(errno, "read standard input");
    }
    if (all.size() + static_cast<size_t>(size) > bytes_max) {
      return Error{ErrorCode::kResourceLimit, "standard input is too long"};
    }
    all.append(chunk, static_cast<size_t>(size));
  }
}

}  // namespace larder
