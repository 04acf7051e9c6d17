// larder-bench: arguments become workloads, workloads become figures.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/version.h"
#include "bench/load/compare.h"
#include "bench/load/load_options.h"
#include "bench/load/load_run.h"
#include "bench/load/report.h"
#include "bench/load/workload.h"

namespace larder::load {
namespace {

static_assert(kInterruptedExitCode == 128 + SIGINT);

volatile std::sig_atomic_t g_interrupted = 0;

// The first ^C ends the run and shows its figures, the second one the program.
void end_run_when_interrupted() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

std::string read_standard_input() {
  std::string all;
  char chunk[16 * 1024];
  while (const size_t count = std::fread(chunk, 1, sizeof(chunk), stdin)) all.append(chunk, count);
  return all;
}

// The line at the terminal that is written anew each second: what came since the line before, and all so far.
class ProgressLine {
 public:
  explicit ProgressLine(const std::string& title) : title_(title) {}

  void show(const LoadResult& so_far) {
    if (so_far.requests < before_.requests) before_ = LoadResult();  // the warm-up is over, and counting begins anew
    const double seconds = so_far.elapsed_s - before_.elapsed_s;
    const auto requests = static_cast<double>(so_far.requests - before_.requests);
    const auto spent_us = static_cast<double>(so_far.latency_us.sum() - before_.latency_us.sum());
    std::fprintf(stderr, "\r\033[K%s: %.0f requests per second, avg %.3f ms; so far %.0f, p99 %.3f ms, %llu done",
                 title_.c_str(), seconds > 0 ? requests / seconds : 0, requests > 0 ? spent_us / requests / 1000 : 0,
                 so_far.requests_per_s(), ms(so_far.latency_us.percentile(99)),
                 static_cast<unsigned long long>(so_far.requests));
    before_ = so_far;
  }

 private:
  std::string title_;
  LoadResult before_;
};

int hold_idle(const LoadOptions& options) {
  const Status held = hold_idle_connections(options, [&] {
    std::printf("%lld idle connections are open\n", static_cast<long long>(options.clients));
    std::fflush(stdout);
  });
  if (held.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(held.message()).c_str());
  return 1;
}

bool is_interrupted() { return g_interrupted != 0; }

int run(const std::vector<std::string>& arguments) {
  Result<LoadOptions> options = parse_load_options(arguments);
  if (!options) {
    std::fprintf(stderr, "%s\nlarder-bench --help lists the options\n", options.error().message.c_str());
    return 1;
  }
  if (options->help || options->version) {
    const std::string version = "larder-bench " + std::string(kVersion) + "\n";
    std::fputs(options->help ? load_help_text().c_str() : version.c_str(), stdout);
    return 0;
  }
  if (options->cluster) {
    std::fputs("--cluster: only the server given is loaded; a key of another one ends the run with MOVED\n", stderr);
  }
  if (options->idle) return hold_idle(*options);
  if (options->read_last_argument) options->command.push_back(read_standard_input());
  Result<std::vector<Workload>> workloads = choose_workloads(*options);
  if (!workloads) {
    std::fprintf(stderr, "%s\n", workloads.error().message.c_str());
    return 1;
  }
  end_run_when_interrupted();
  if (!options->compare.empty()) return compare_servers(*options, *workloads, is_interrupted);
  if (options->csv) print_csv_header();
  const SystemClock clock;
  const bool shows_progress = isatty(STDERR_FILENO) == 1 && !options->csv && !options->json;
  do {
    for (const Workload& workload : *workloads) {
      LoadObserver observer;
      observer.counting_starts = [] {};
      observer.interrupted = is_interrupted;
      ProgressLine line(workload.title);
      observer.progress = [&](const LoadResult& so_far) {
        if (shows_progress) line.show(so_far);
      };
      Result<LoadResult> result = run_load(*options, workload, clock, observer);
      if (shows_progress) std::fputs("\r\033[K", stderr);
      if (!result) {
        std::fprintf(stderr, "%s: %s\n", workload.title.c_str(), result.error().message.c_str());
        return 1;
      }
      print_result(workload, *options, *result);
      if (std::ferror(stdout) != 0) return 1;
      if (is_interrupted()) return kInterruptedExitCode;
    }
  } while (options->loop);
  return 0;
}

}  // namespace
}  // namespace larder::load

int main(int argc, char** argv) {
  const int code = larder::load::run(std::vector<std::string>(argv + 1, argv + argc));
  // Figures that reached nobody are a failure.
  const bool is_lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  return code == 0 && is_lost ? 1 : code;
}
