// larder-bench: arguments become workloads, workloads become figures.

#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/version.h"
#include "bench/load/load_options.h"
#include "bench/load/load_run.h"
#include "bench/load/workload.h"

namespace larder::load {
namespace {

constexpr double kPercentiles[] = {50, 95, 99, 99.9, 99.99};

double ms(uint64_t us) { return static_cast<double>(us) / 1000; }

void print_report(const Workload& workload, const LoadOptions& options, const LoadResult& result) {
  std::printf("====== %s ======\n", workload.title.c_str());
  std::printf("  %llu requests completed in %.2f seconds\n", static_cast<unsigned long long>(result.requests),
              result.elapsed_s);
  std::printf("  %lld connections, %lld in flight on each, values of %lld bytes\n",
              static_cast<long long>(options.clients), static_cast<long long>(options.pipeline),
              static_cast<long long>(options.value_bytes));
  std::printf("  %.2f requests per second\n", result.requests_per_s());
  std::printf("  latency in ms: min %.3f  avg %.3f", ms(result.latency_us.min()), result.latency_us.mean() / 1000);
  for (const double percent : kPercentiles)
    std::printf("  p%g %.3f", percent, ms(result.latency_us.percentile(percent)));
  std::printf("  max %.3f\n", ms(result.latency_us.max()));
  if (result.nulls > 0) std::printf("  %llu replies were null\n", static_cast<unsigned long long>(result.nulls));
  std::printf("\n");
}

void print_json(const Workload& workload, const LoadResult& result) {
  std::printf("{\"test\":\"%s\",\"requests\":%llu,\"seconds\":%.3f,\"rps\":%.2f,\"nulls\":%llu", workload.name.c_str(),
              static_cast<unsigned long long>(result.requests), result.elapsed_s, result.requests_per_s(),
              static_cast<unsigned long long>(result.nulls));
  for (const double percent : kPercentiles) {
    std::printf(",\"p%g_ms\":%.3f", percent, ms(result.latency_us.percentile(percent)));
  }
  std::printf(",\"max_ms\":%.3f}\n", ms(result.latency_us.max()));
}

void print_result(const Workload& workload, const LoadOptions& options, const LoadResult& result) {
  if (options.json) {
    print_json(workload, result);
  } else if (options.csv) {
    std::printf("\"%s\",\"%.2f\",\"%.3f\",\"%.3f\",\"%.3f\",\"%.3f\",\"%.3f\",\"%.3f\"\n", workload.title.c_str(),
                result.requests_per_s(), result.latency_us.mean() / 1000, ms(result.latency_us.min()),
                ms(result.latency_us.percentile(50)), ms(result.latency_us.percentile(95)),
                ms(result.latency_us.percentile(99)), ms(result.latency_us.max()));
  } else if (options.quiet) {
    std::printf("%s: %.2f requests per second, p50=%.3f msec\n", workload.title.c_str(), result.requests_per_s(),
                ms(result.latency_us.percentile(50)));
  } else {
    print_report(workload, options, result);
  }
  std::fflush(stdout);
}

std::string read_standard_input() {
  std::string all;
  char chunk[16 * 1024];
  while (const size_t count = std::fread(chunk, 1, sizeof(chunk), stdin)) all.append(chunk, count);
  return all;
}

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
  if (options->read_last_argument) options->command.push_back(read_standard_input());
  Result<std::vector<Workload>> workloads = choose_workloads(*options);
  if (!workloads) {
    std::fprintf(stderr, "%s\n", workloads.error().message.c_str());
    return 1;
  }
  if (options->csv) {
    std::puts(
        "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\","
        "\"p99_latency_ms\",\"max_latency_ms\"");
  }
  const SystemClock clock;
  const bool shows_progress = isatty(STDERR_FILENO) == 1 && !options->csv && !options->json;
  do {
    for (const Workload& workload : *workloads) {
      const auto progress = [&](const LoadResult& so_far) {
        if (!shows_progress) return;
        std::fprintf(stderr, "\r%s: %.0f requests per second, p99 %.3f ms, %llu done  ", workload.title.c_str(),
                     so_far.requests_per_s(), ms(so_far.latency_us.percentile(99)),
                     static_cast<unsigned long long>(so_far.requests));
      };
      Result<LoadResult> result = run_load(*options, workload, clock, progress);
      if (shows_progress) std::fputs("\r\033[K", stderr);
      if (!result) {
        std::fprintf(stderr, "%s: %s\n", workload.title.c_str(), result.error().message.c_str());
        return 1;
      }
      print_result(workload, *options, *result);
    }
  } while (options->loop);
  return 0;
}

}  // namespace
}  // namespace larder::load

int main(int argc, char** argv) { return larder::load::run(std::vector<std::string>(argv + 1, argv + argc)); }
