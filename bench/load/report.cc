#include "bench/load/report.h"

#include <algorithm>
#include <cstdio>

namespace larder::load {
namespace {

constexpr double kPercentiles[] = {50, 95, 99, 99.9, 99.99};

void print_report(const Workload& workload, const LoadOptions& options, const LoadResult& result) {
  std::printf("====== %s ======\n", workload.title.c_str());
  std::printf("  %llu requests completed in %.2f seconds\n", static_cast<unsigned long long>(result.requests),
              result.elapsed_s);
  const auto threads = static_cast<long long>(std::min(options.threads, options.clients));
  std::printf("  %lld connections, %lld in flight on each, %lld thread%s\n", static_cast<long long>(options.clients),
              static_cast<long long>(options.pipeline), threads, threads == 1 ? "" : "s");
  if (options.rate > 0) std::printf("  %.0f requests per second were due; times count from then\n", options.rate);
  std::printf("  %.2f requests per second\n", result.requests_per_s());
  std::printf("  latency in ms: min %.3f  avg %.3f", ms(result.latency_us.min()), result.latency_us.mean() / 1000);
  for (const double percent : kPercentiles)
    std::printf("  p%g %.3f", percent, ms(result.latency_us.percentile(percent)));
  std::printf("  max %.3f\n", ms(result.latency_us.max()));
  if (result.nulls > 0) std::printf("  %llu replies were null\n", static_cast<unsigned long long>(result.nulls));
  if (result.unsent > 0) {
    std::printf("  %llu requests that were due were not sent: the server is too slow for this rate\n",
                static_cast<unsigned long long>(result.unsent));
  }
  if (result.messages > 0) {
    std::printf("  %llu messages were received\n", static_cast<unsigned long long>(result.messages));
  }
  std::printf("\n");
}

void print_json(const Workload& workload, const LoadResult& result) {
  std::printf("{\"test\":%s,\"requests\":%llu,\"seconds\":%.3f,\"rps\":%.2f,\"nulls\":%llu,\"messages\":%llu",
              json_text(workload.name).c_str(), static_cast<unsigned long long>(result.requests), result.elapsed_s,
              result.requests_per_s(), static_cast<unsigned long long>(result.nulls),
              static_cast<unsigned long long>(result.messages));
  std::printf(",\"min_ms\":%.3f,\"avg_ms\":%.3f", ms(result.latency_us.min()), result.latency_us.mean() / 1000);
  for (const double percent : kPercentiles) {
    std::printf(",\"p%g_ms\":%.3f", percent, ms(result.latency_us.percentile(percent)));
  }
  std::printf(",\"unsent\":%llu,\"max_ms\":%.3f}\n", static_cast<unsigned long long>(result.unsent),
              ms(result.latency_us.max()));
}

}  // namespace

std::string json_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
      quoted += escaped;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string csv_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

void print_csv_header() {
  std::puts(
      "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\","
      "\"p99_latency_ms\",\"max_latency_ms\"");
}

void print_result(const Workload& workload, const LoadOptions& options, const LoadResult& result) {
  if (options.json) {
    print_json(workload, result);
  } else if (options.csv) {
    std::printf("%s,\"%.2f\",\"%.3f\",\"%.3f\",\"%.3f\",\"%.3f\",\"%.3f\",\"%.3f\"\n", csv_text(workload.title).c_str(),
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

}  // namespace larder::load
