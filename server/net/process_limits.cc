#include "server/net/process_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>

namespace larder {

int64_t raise_descriptor_limit(int64_t maxclients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return maxclients;
  const auto wanted = static_cast<rlim_t>(maxclients + kReservedDescriptors);
  if (limit.rlim_cur >= wanted) return maxclients;
  rlimit raised{wanted, std::max(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return maxclients;
  // Not allowed beyond the hard limit: take all of that.
  raised = {std::min(wanted, limit.rlim_max), limit.rlim_max};
  const rlim_t got = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
  return std::min<int64_t>(maxclients, static_cast<int64_t>(got) - kReservedDescriptors);
}

void ignore_signals_of_writes() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace larder
