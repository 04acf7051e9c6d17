#pragma once

// Runs the cases of scenario files against a backend and tells what differed.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/spec/backend.h"
#include "tests/support/scenario.h"

namespace larder::spec {

struct Tally {
  int passed = 0;
  int failed = 0;
  int skipped = 0;
  std::map<std::string, int> skip_reasons;
};

class ScenarioRunner {
 public:
  struct Options {
    std::string filter;    // only cases whose "path: title" contains this
    bool verbose = false;  // also name the cases that passed or were skipped
  };

  ScenarioRunner(SpecBackend& backend, Options options) : backend_(backend), options_(std::move(options)) {}

  // Runs every case; failures go to standard output.
  void run(const testing::Scenario& scenario, Tally& tally);
  // The file's text with its expectations replaced by what the server answered.
  std::string record(const testing::Scenario& scenario);

 private:
  // Texts of the replies that each step got, by index of the step.
  using Recording = std::vector<std::vector<std::string>>;
  class CaseRun;

  std::string skip_reason(const testing::ScenarioCase& scenario_case);
  // Empty, or what went wrong.
  std::string run_case(const testing::Scenario& scenario, const testing::ScenarioCase& scenario_case, int protocol,
                       Recording* recording);

  SpecBackend& backend_;
  Options options_;
  bool untouched_ = false;  // the server has default settings still
};

}  // namespace larder::spec
