// Every command has documentation and is requested by a scenario; every scenario file is well formed.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "server/core/argument_grammar.h"
#include "tests/support/in_process_server.h"
#include "tests/support/scenario.h"

namespace larder {
namespace {

using testing::InProcessServer;
using testing::Scenario;
using testing::ScenarioStep;

// Words that begin the plain-line requests in raw bytes.
void collect_raw(const std::string& bytes, std::set<std::string>& names) {
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t end = std::min(bytes.find("\r\n", at), bytes.size());
    const std::string line = bytes.substr(at, end - at);
    names.insert(to_lower(line.substr(0, line.find(' '))));
    at = end + 2;
  }
}

// Full names of everything that the scenarios request.
std::set<std::string> requested_names(const Registry& registry) {
  std::set<std::string> names;
  for (const std::string& path : testing::find_scenarios({"tests/spec"})) {
    const Result<Scenario> scenario = testing::read_scenario(path);
    EXPECT_TRUE(scenario.ok()) << (scenario.ok() ? "" : scenario.error().message);
    if (!scenario.ok()) continue;
    for (const auto& each : scenario->cases) {
      for (const ScenarioStep& step : each.steps) {
        if (step.kind == ScenarioStep::Kind::kRaw) collect_raw(step.bytes, names);
        if (step.kind != ScenarioStep::Kind::kRequest) continue;
        std::vector<Bytes> argv;
        for (const auto& argument : step.arguments) argv.push_back(argument.text);
        const Command* command = registry.resolve(argv);
        if (command != nullptr) names.insert(command->full_name);
      }
    }
  }
  return names;
}

TEST(Coverage, EveryCommandHasDocumentation) {
  InProcessServer server;
  for (const auto& command : server.services().registry.all()) {
    const CommandDocs* docs = command->docs;
    ASSERT_NE(docs, nullptr) << command->full_name << " has no row of documentation";
    EXPECT_FALSE(docs->summary.empty()) << command->full_name;
    EXPECT_FALSE(docs->since.empty()) << command->full_name;
    EXPECT_TRUE(parse_argument_grammar(docs->grammar).ok()) << command->full_name << ": " << docs->grammar;
  }
}

TEST(Coverage, EveryCommandIsRequestedByAScenario) {
  InProcessServer server;
  const std::set<std::string> names = requested_names(server.services().registry);
  for (const auto& command : server.services().registry.all()) {
    if (command->is_container() && command->spec->run == nullptr) continue;
    EXPECT_TRUE(names.contains(command->full_name)) << "no scenario requests " << command->full_name;
  }
}

TEST(Coverage, EveryRowIsConsistent) {
  InProcessServer server;
  for (const auto& command : server.services().registry.all()) {
    const CommandSpec& spec = *command->spec;
    EXPECT_EQ(to_lower(spec.name), spec.name) << command->full_name;
    EXPECT_NE(spec.arity, 0) << command->full_name;
    EXPECT_TRUE(spec.run != nullptr || command->is_container()) << command->full_name << " does nothing";
    EXPECT_FALSE((spec.flags & kWrite) && (spec.flags & kReadonly)) << command->full_name;
  }
}

}  // namespace
}  // namespace larder
