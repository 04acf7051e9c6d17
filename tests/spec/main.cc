// larder-spec: runs text scenarios (docs/design/spec_format.md) against a server, by one of three roads.

#include <cstdio>
#include <cstring>
#include <filesystem>

#include "tests/spec/backend.h"
#include "tests/spec/runner.h"

namespace larder::spec {
namespace {

constexpr char kUsage[] =
    "larder-spec --mode inprocess|tcp|reference [options] [file or directory ...]\n"
    "  --server PATH     the program to start (tcp: larder-server beside this program; reference: redis-server)\n"
    "  --filter TEXT     only cases whose \"file: title\" contains the text\n"
    "  --record          print the files with what the server answered\n"
    "  --verbose         name every case\n"
    "Without files it runs tests/spec.\n";

struct Arguments {
  std::string mode = "inprocess";
  std::string server;
  bool record = false;
  ScenarioRunner::Options options;
  std::vector<std::string> roots;
};

bool read_arguments(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (word == "--mode") {
      out.mode = value();
    } else if (word == "--server") {
      out.server = value();
    } else if (word == "--filter") {
      out.options.filter = value();
    } else if (word == "--record") {
      out.record = true;
    } else if (word == "--verbose") {
      out.options.verbose = true;
    } else if (word.rfind("--", 0) == 0) {
      return false;
    } else {
      out.roots.push_back(word);
    }
  }
  if (out.roots.empty()) out.roots.push_back("tests/spec");
  return out.mode == "inprocess" || out.mode == "tcp" || out.mode == "reference";
}

std::unique_ptr<SpecBackend> make_backend(const Arguments& arguments, const char* program) {
  if (arguments.mode == "inprocess") return make_in_process_backend();
  const bool is_reference = arguments.mode == "reference";
  std::string server = arguments.server;
  if (server.empty()) {
    const auto beside = std::filesystem::path(program).parent_path() / "larder-server";
    server = is_reference ? "redis-server" : beside.string();
  }
  return make_process_backend(server, is_reference);
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (!read_arguments(argc, argv, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  std::vector<testing::Scenario> scenarios;
  bool malformed = false;
  for (const std::string& path : testing::find_scenarios(arguments.roots)) {
    Result<testing::Scenario> scenario = testing::read_scenario(path);
    if (scenario) {
      scenarios.push_back(std::move(*scenario));
    } else {
      std::fprintf(stderr, "%s\n", scenario.error().message.c_str());
      malformed = true;
    }
  }
  if (malformed) return 2;
  if (scenarios.empty()) {
    std::fputs("no scenario files found\n", stderr);
    return 2;
  }
  const auto backend = make_backend(arguments, argv[0]);
  ScenarioRunner runner(*backend, arguments.options);
  Tally tally;
  for (const testing::Scenario& scenario : scenarios) {
    if (arguments.record) {
      std::fputs(runner.record(scenario).c_str(), stdout);
    } else {
      runner.run(scenario, tally);
    }
  }
  if (arguments.record) return 0;
  for (const auto& [reason, count] : tally.skip_reasons) std::printf("skipped %d: %s\n", count, reason.c_str());
  std::printf("%d passed, %d failed, %d skipped\n", tally.passed, tally.failed, tally.skipped);
  return tally.failed == 0 && tally.passed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace larder::spec

int main(int argc, char** argv) { return larder::spec::run(argc, argv); }
