// Latency: the round trip of PING, as figures that are renewed or as a history, and the pauses of this machine itself.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/histogram.h"
#include "clients/cli/modes.h"

namespace larder::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kPause = std::chrono::milliseconds(10);
constexpr double kReportSeconds = 1;
constexpr double kHistorySeconds = 15;

double to_ms(double us) { return us / 1000; }

uint64_t us_since(SteadyClock::time_point start) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - start).count());
}

// For programs: min, max, average and number of the samples.
void print_figures(const Histogram& us, const char* separator) {
  std::printf("%.3f%s%.3f%s%.3f%s%llu\n", to_ms(static_cast<double>(us.min())), separator,
              to_ms(static_cast<double>(us.max())), separator, to_ms(us.mean()), separator,
              static_cast<unsigned long long>(us.count()));
}

void print_sentence(const Histogram& us, const char* begin, const std::string& end) {
  std::printf("%smin %.3f ms, avg %.3f, p50 %.3f, p99 %.3f, max %.3f (%llu samples)%s", begin,
              to_ms(static_cast<double>(us.min())), to_ms(us.mean()), to_ms(static_cast<double>(us.percentile(50))),
              to_ms(static_cast<double>(us.percentile(99))), to_ms(static_cast<double>(us.max())),
              static_cast<unsigned long long>(us.count()), end.c_str());
}

// One PING. False when the connection failed.
bool sample(Session& session, Histogram& us) {
  const auto start = SteadyClock::now();
  const Result<Reply> reply = session.call({"PING"});
  if (!reply) {
    print_failure(session, reply.error());
    return false;
  }
  us.record(us_since(start));
  return true;
}

std::string range_text(SteadyClock::time_point since) {
  char text[48];
  std::snprintf(text, sizeof(text), " -- %.2f seconds range\n", static_cast<double>(us_since(since)) / 1e6);
  return text;
}

}  // namespace

int run_latency(Session& session) {
  const CliOptions& options = session.options();
  const bool history = options.mode == CliMode::kLatencyHistory;
  const bool at_terminal = isatty(STDOUT_FILENO) == 1;
  const bool as_csv = options.format == OutputFormat::kCsv;
  // A program wants one set of figures and no more.
  const bool for_program = !history && (as_csv || !at_terminal || options.format == OutputFormat::kRaw);
  const double every_s = options.interval_s > 0 ? options.interval_s : history ? kHistorySeconds : kReportSeconds;
  Histogram us;
  auto begun = SteadyClock::now();
  auto reported = begun;
  int64_t reports = 0;
  const int64_t reports_wanted = for_program && options.repeat < 0 ? 1 : options.repeat;
  while (for_program ? reports < reports_wanted : options.repeat <= 1 || reports < options.repeat) {
    if (!sample(session, us)) return 1;
    std::this_thread::sleep_for(kPause);
    if (static_cast<double>(us_since(reported)) < every_s * 1e6) continue;
    reported = SteadyClock::now();
    ++reports;
    if (for_program) {
      print_figures(us, as_csv ? "," : " ");
    } else if (history) {
      print_sentence(us, "", range_text(begun));
      us.reset();
      begun = SteadyClock::now();
    } else {
      print_sentence(us, "\r", " ");
    }
    std::fflush(stdout);
  }
  if (!for_program && !history) std::printf("\n");
  return 0;
}

// What this machine does to a program that only looks at the clock: no server is asked.
int run_intrinsic_latency(double seconds) {
  uint64_t worst_us = 0;
  uint64_t runs = 0;
  const auto start = SteadyClock::now();
  uint64_t before_us = 0;
  while (static_cast<double>(before_us) < seconds * 1e6) {
    const uint64_t now_us = us_since(start);
    ++runs;
    if (now_us - before_us > worst_us) {
      worst_us = now_us - before_us;
      std::printf("Max latency so far: %llu microseconds.\n", static_cast<unsigned long long>(worst_us));
    }
    before_us = now_us;
  }
  const double average_us = static_cast<double>(before_us) / static_cast<double>(runs);
  std::printf("\n%llu total runs (avg latency: %.4f microseconds / %.2f nanoseconds per run).\n",
              static_cast<unsigned long long>(runs), average_us, average_us * 1000);
  std::printf("Worst run took %.0fx longer than the average latency.\n",
              average_us > 0 ? static_cast<double>(worst_us) / average_us : 0.0);
  return 0;
}

}  // namespace larder::cli
