#include "bench/load/compare.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "base/clock.h"
#include "bench/load/load_connection.h"
#include "bench/load/load_run.h"
#include "bench/load/report.h"

namespace larder::load {
namespace {

struct Contender {
  LoadOptions options;
  std::string name;
  LoadResult result;
  double cpu_s = 0;
  bool has_cpu = true;  // INFO tells it

  double cpu_us_per_request() const {
    return result.requests > 0 ? cpu_s * 1e6 / static_cast<double>(result.requests) : 0;
  }
};

std::vector<Contender> contenders_of(const LoadOptions& options) {
  std::vector<Contender> contenders;
  for (const NamedServer& server : options.compare) {
    Contender contender;
    contender.options = options;
    contender.options.host = server.host;
    contender.options.port = server.port;
    contender.options.unix_socket.clear();
    contender.options.duration_s = options.duration_s / static_cast<double>(options.rounds);
    contender.name = server.name;
    contenders.push_back(std::move(contender));
  }
  return contenders;
}

Status run_round(Contender& contender, const Workload& workload, const Clock& clock,
                 const std::function<bool()>& interrupted) {
  LARDER_TRY_ASSIGN(const Descriptor probe, open_connection(contender.options));
  std::optional<double> before_s;
  LoadObserver observer;
  observer.progress = [](const LoadResult&) {};
  observer.counting_starts = [&] { before_s = server_cpu_s(probe.get()); };
  observer.interrupted = interrupted;
  LARDER_TRY_ASSIGN(const LoadResult round, run_load(contender.options, workload, clock, observer));
  const auto after_s = server_cpu_s(probe.get());
  contender.has_cpu &= before_s && after_s;
  if (contender.has_cpu) contender.cpu_s += *after_s - *before_s;
  contender.result.add_round(round);
  return Status();
}

// What a comparison of the figures has to know beside them.
void print_notes(const Contender& one) {
  const auto note = [&](uint64_t count, const char* what) {
    if (count == 0) return;
    std::printf("  %s: %llu %s\n", one.name.c_str(), static_cast<unsigned long long>(count), what);
  };
  note(one.result.nulls, "replies were null");
  note(one.result.unsent, "requests that were due were not sent: the server is too slow for this rate");
}

double ratio(double one, double other) { return other > 0 ? one / other : 0; }

void print_table(const Workload& workload, const std::vector<Contender>& contenders) {
  std::printf("%-24s %14s %10s %10s %10s %10s %14s\n", workload.title.substr(0, 24).c_str(), "requests/s", "p50 ms",
              "p99 ms", "p99.9 ms", "max ms", "CPU us/request");
  const Contender& last = contenders.back();
  for (const Contender& one : contenders) {
    const Histogram& latency = one.result.latency_us;
    std::printf("  %-22s %14.0f %10.3f %10.3f %10.3f %10.3f", one.name.c_str(), one.result.requests_per_s(),
                ms(latency.percentile(50)), ms(latency.percentile(99)), ms(latency.percentile(99.9)),
                ms(latency.max()));
    if (one.has_cpu) std::printf(" %14.3f", one.cpu_us_per_request());
    std::printf("\n");
  }
  for (const Contender& one : contenders) {
    if (&one == &last) continue;
    const Histogram& ours = one.result.latency_us;
    const Histogram& theirs = last.result.latency_us;
    const auto times = [&](double percent) {
      return ratio(ms(ours.percentile(percent)), ms(theirs.percentile(percent)));
    };
    std::printf("  %-22s %13.2fx %9.2fx %9.2fx %9.2fx %9.2fx", (one.name + " / " + last.name).c_str(),
                ratio(one.result.requests_per_s(), last.result.requests_per_s()), times(50), times(99), times(99.9),
                ratio(ms(ours.max()), ms(theirs.max())));
    if (one.has_cpu && last.has_cpu)
      std::printf(" %13.2fx", ratio(one.cpu_us_per_request(), last.cpu_us_per_request()));
    std::printf("\n");
  }
  for (const Contender& one : contenders) print_notes(one);
  std::fflush(stdout);
}

void print_json(const Workload& workload, const std::vector<Contender>& contenders) {
  for (const Contender& one : contenders) {
    const Histogram& latency = one.result.latency_us;
    std::printf(
        "{\"test\":%s,\"server\":%s,\"requests\":%llu,\"rps\":%.2f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
        "\"p99.9_ms\":%.3f,\"p99.99_ms\":%.3f,\"max_ms\":%.3f,\"nulls\":%llu,\"unsent\":%llu",
        json_text(workload.name).c_str(), json_text(one.name).c_str(),
        static_cast<unsigned long long>(one.result.requests), one.result.requests_per_s(), ms(latency.percentile(50)),
        ms(latency.percentile(99)), ms(latency.percentile(99.9)), ms(latency.percentile(99.99)), ms(latency.max()),
        static_cast<unsigned long long>(one.result.nulls), static_cast<unsigned long long>(one.result.unsent));
    if (one.has_cpu) std::printf(",\"cpu_us_per_request\":%.3f", one.cpu_us_per_request());
    std::puts("}");
  }
  std::fflush(stdout);
}

}  // namespace

int compare_servers(const LoadOptions& options, const std::vector<Workload>& workloads,
                    const std::function<bool()>& interrupted) {
  const SystemClock clock;
  for (const Workload& workload : workloads) {
    std::vector<Contender> contenders = contenders_of(options);
    for (int64_t round = 0; round < options.rounds; ++round) {
      // The first rounds take one more where they cannot be equal.
      const int64_t requests = (options.requests + options.rounds - 1 - round) / options.rounds;
      if (requests == 0) break;
      for (size_t turn = 0; turn < contenders.size() && !interrupted(); ++turn) {
        // Every round begins with another server.
        Contender& contender = contenders[(turn + static_cast<size_t>(round)) % contenders.size()];
        contender.options.requests = requests;
        if (const Status done = run_round(contender, workload, clock, interrupted); !done.ok()) {
          std::fprintf(stderr, "%s on %s: %s\n", workload.title.c_str(), contender.name.c_str(),
                       std::string(done.message()).c_str());
          return 1;
        }
      }
    }
    options.json ? print_json(workload, contenders) : print_table(workload, contenders);
    if (interrupted()) return kInterruptedExitCode;
  }
  return 0;
}

}  // namespace larder::load
