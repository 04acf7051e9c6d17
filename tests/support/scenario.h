#pragma once

// A scenario file as data. The format is described in docs/design/spec_format.md.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "tests/support/expectation.h"

namespace larder::testing {

// One argument of a request: literal bytes, or the name of a variable.
struct ScenarioArgument {
  bool is_variable = false;
  std::string text;
};

struct Expectation {
  int line = 0;  // first line of its text, counted from 1
  int last_line = 0;
  int protocol = 0;    // 2 or 3: counts in that protocol only; 0: in both
  std::string source;  // as written, without the protocol prefix
  Pattern pattern;
};

struct ScenarioStep {
  enum class Kind : uint8_t {
    kRequest,  // arguments
    kRead,
    kRaw,  // bytes
    kExpectClose,
    kClose,
    kAdvance,  // duration_ms
    kConfig,   // arguments: name, value
  };
  Kind kind = Kind::kRequest;
  int line = 0;
  std::string connection;  // empty: the default one
  std::vector<ScenarioArgument> arguments;
  std::string bytes;
  int64_t duration_ms = 0;
  std::vector<Expectation> expectations;
};

// What a file's header sets for its cases and a case may set for itself.
struct ScenarioRules {
  bool protocol2 = true;
  bool protocol3 = false;
  std::string since;        // "7.2", or empty
  std::string larder_only;  // the reason, or empty
  std::string inprocess_only;
  bool slow = false;
  std::vector<std::string> server_arguments;
};

struct ScenarioCase {
  std::string title;
  int line = 0;
  ScenarioRules rules;
  std::vector<ScenarioStep> steps;
};

struct Scenario {
  std::string path;
  std::vector<std::string> lines;
  std::vector<ScenarioCase> cases;
};

// The message of an error is "path:line: what".
Result<Scenario> parse_scenario(const std::string& path, Bytes text);
Result<Scenario> read_scenario(const std::string& path);

// The scenario files that the given files and directories hold, sorted.
std::vector<std::string> find_scenarios(const std::vector<std::string>& roots);

}  // namespace larder::testing
