#include "tests/spec/runner.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "tests/support/reply_text.h"

namespace larder::spec {

using testing::Expectation;
using testing::Pattern;
using testing::Scenario;
using testing::ScenarioCase;
using testing::ScenarioStep;
using Kind = testing::ScenarioStep::Kind;

namespace {

// For a reply that must come: a second of processor time is ten on a loaded machine.
constexpr int kPatienceMs = 60'000;
constexpr int kRecordPatienceMs = 300;
// How long nothing must arrive to count as nothing.
constexpr int kQuietMs = 40;
constexpr int64_t kRealSleepMsMax = 3000;
constexpr size_t kShownBytesMax = 3000;

std::string shortened(std::string text) {
  if (text.size() > kShownBytesMax)
    text = text.substr(0, kShownBytesMax) + " ... (" + std::to_string(text.size()) + " bytes)";
  return text;
}

std::vector<int> version_numbers(const std::string& text) {
  std::vector<int> numbers;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, '.');) numbers.push_back(std::atoi(part.c_str()));
  return numbers;
}

// Requests that leave more behind than keys and connections.
bool touches_settings(const ScenarioStep& step) {
  if (step.kind == Kind::kConfig) return true;
  if (step.kind != Kind::kRequest || step.arguments.empty()) return false;
  static const char* const kWords[] = {"config",   "acl",       "function", "debug",       "shutdown",
                                       "failover", "replicaof", "slaveof",  "slowlog",     "latency",
                                       "script",   "module",    "cluster",  "bgrewriteaof"};
  const std::string name = to_lower(step.arguments[0].text);
  // A pause outlasts the connection that asked for it.
  if (name == "client" && step.arguments.size() > 1) return equals_ignore_case(step.arguments[1].text, "PAUSE");
  return std::find(std::begin(kWords), std::end(kWords), name) != std::end(kWords);
}

}  // namespace

// One case on one protocol.
class ScenarioRunner::CaseRun {
 public:
  CaseRun(SpecBackend& backend, const Scenario& scenario, int protocol, Recording* recording)
      : backend_(backend), scenario_(scenario), protocol_(protocol), recording_(recording) {}

  // Empty, or what went wrong.
  std::string run(const std::vector<ScenarioStep>& steps) {
    if (recording_ != nullptr) recording_->assign(steps.size(), {});
    for (size_t i = 0; i < steps.size(); ++i) {
      step_ = i;
      std::string problem = run_step(steps[i]);
      if (!problem.empty()) return problem;
    }
    return check_leftovers();
  }

 private:
  std::string at(int line, const std::string& what) const {
    return scenario_.path + ":" + std::to_string(line) + ": " + what;
  }

  SpecConnection* connection(const std::string& name, std::string& problem) {
    const auto found = connections_.find(name);
    if (found != connections_.end()) return found->second.get();
    auto created = backend_.connect();
    if (!created) {
      problem = "the server does not take the connection";
      return nullptr;
    }
    if (protocol_ == 3) {
      created->send(encode_request({"HELLO", "3"}));
      Reply reply;
      if (created->read(&reply, kPatienceMs) != ReadOutcome::kReply || reply.kind != ReplyKind::kMap) {
        problem = "HELLO 3 was answered " + shortened(testing::reply_text(reply));
        return nullptr;
      }
    }
    return (connections_[name] = std::move(created)).get();
  }

  std::string run_step(const ScenarioStep& step) {
    if (step.kind == Kind::kAdvance) {
      backend_.advance_ms(step.duration_ms);
      return "";
    }
    if (step.kind == Kind::kClose) {
      connections_.erase(step.connection);
      return "";
    }
    std::string problem;
    SpecConnection* target = connection(step.kind == Kind::kConfig ? "(runner)" : step.connection, problem);
    if (target == nullptr) return at(step.line, problem);
    switch (step.kind) {
      case Kind::kExpectClose:
        return expect_close(step, *target);
      case Kind::kRaw:
        target->send(step.bytes);
        break;
      case Kind::kRequest:
      case Kind::kConfig: {
        std::vector<std::string> arguments;
        if (step.kind == Kind::kConfig) arguments = {"CONFIG", "SET"};
        for (const auto& argument : step.arguments) {
          if (argument.is_variable && !variables_.contains(argument.text)) {
            arguments.push_back("$" + argument.text);  // no variable of that name: the text itself
          } else {
            arguments.push_back(argument.is_variable ? variables_[argument.text] : argument.text);
          }
        }
        target->send(encode_request(arguments));
        break;
      }
      default:
        break;
    }
    return recording_ != nullptr ? record_replies(step, *target) : expect_replies(step, *target);
  }

  std::string expect_replies(const ScenarioStep& step, SpecConnection& target) {
    for (const Expectation& expectation : step.expectations) {
      if (expectation.protocol != 0 && expectation.protocol != protocol_) continue;
      std::string problem = expect_reply(expectation, target);
      if (!problem.empty()) return problem;
    }
    const bool sent_request = step.kind == Kind::kRequest || step.kind == Kind::kConfig;
    if (!sent_request || !step.expectations.empty()) return "";
    Reply reply;
    const ReadOutcome outcome = target.read(&reply, kPatienceMs);
    if (outcome != ReadOutcome::kReply) return at(step.line, "got " + outcome_text(outcome, target));
    if (reply.is_error()) return at(step.line, "got " + testing::reply_text(reply));
    return "";
  }

  std::string expect_reply(const Expectation& expectation, SpecConnection& target) {
    const bool wants_nothing = expectation.pattern.kind == Pattern::Kind::kNoReply;
    Reply reply;
    const ReadOutcome outcome = target.read(&reply, wants_nothing ? kQuietMs : kPatienceMs);
    if (wants_nothing && outcome == ReadOutcome::kNothing) return "";
    if (!wants_nothing && outcome == ReadOutcome::kReply &&
        testing::matches(expectation.pattern, reply, protocol_, variables_)) {
      return "";
    }
    const std::string got = outcome == ReadOutcome::kReply ? testing::reply_text(reply) : outcome_text(outcome, target);
    return at(expectation.line, "\n  expected " + expectation.source + "\n  got      " + shortened(got));
  }

  std::string expect_close(const ScenarioStep& step, SpecConnection& target) {
    Reply reply;
    const ReadOutcome outcome = target.read(&reply, kPatienceMs);
    if (outcome == ReadOutcome::kClosed) return "";
    const std::string got = outcome == ReadOutcome::kReply ? testing::reply_text(reply) : outcome_text(outcome, target);
    return at(step.line, "expected the end of the connection, got " + shortened(got));
  }

  std::string record_replies(const ScenarioStep& step, SpecConnection& target) {
    if (step.kind == Kind::kConfig) return expect_replies(step, target);
    size_t wanted = step.kind == Kind::kRequest ? 1 : 0;
    const auto counts = [this](const Expectation& expectation) {
      return expectation.protocol == 0 || expectation.protocol == protocol_;
    };
    const auto written = static_cast<size_t>(std::count_if(step.expectations.begin(), step.expectations.end(), counts));
    wanted = std::max(wanted, written);
    for (size_t i = 0; i < wanted; ++i) {
      Reply reply;
      const ReadOutcome outcome = target.read(&reply, kRecordPatienceMs);
      if (outcome != ReadOutcome::kReply) {
        (*recording_)[step_].push_back(outcome == ReadOutcome::kNothing ? "(no-reply)"
                                                                        : "# " + outcome_text(outcome, target));
        return "";
      }
      // A matcher that still fits stays as it is: it was written by somebody who knew what varies.
      const Expectation* known = nth_expectation(step, i);
      const bool keeps = known != nullptr && testing::matches(known->pattern, reply, protocol_, variables_);
      (*recording_)[step_].push_back(keeps ? known->source : testing::reply_text(reply));
    }
    // `> SET k v` without an expectation sets the stage and stays bare.
    if (step.expectations.empty() && wanted == 1 && (*recording_)[step_][0] == "+OK") (*recording_)[step_].clear();
    return "";
  }

  const Expectation* nth_expectation(const ScenarioStep& step, size_t n) const {
    for (const Expectation& expectation : step.expectations) {
      if (expectation.protocol != 0 && expectation.protocol != protocol_) continue;
      if (n-- == 0) return &expectation;
    }
    return nullptr;
  }

  std::string check_leftovers() {
    for (const auto& [name, open] : connections_) {
      Reply reply;
      const ReadOutcome outcome = open->read(&reply, 0);
      if (outcome == ReadOutcome::kReply || outcome == ReadOutcome::kBroken) {
        const std::string what =
            outcome == ReadOutcome::kReply ? testing::reply_text(reply) : outcome_text(outcome, *open);
        return at(0, "nobody expected this on connection '" + name + "': " + shortened(what));
      }
    }
    return "";
  }

  static std::string outcome_text(ReadOutcome outcome, const SpecConnection& target) {
    if (outcome == ReadOutcome::kClosed) return "the end of the connection";
    if (outcome == ReadOutcome::kBroken) return "bytes that are no reply: " + target.error();
    return "no reply";
  }

  SpecBackend& backend_;
  const Scenario& scenario_;
  int protocol_;
  Recording* recording_;
  size_t step_ = 0;
  std::map<std::string, std::unique_ptr<SpecConnection>> connections_;
  testing::Variables variables_;
};

std::string ScenarioRunner::skip_reason(const ScenarioCase& scenario_case) {
  const auto& rules = scenario_case.rules;
  const std::string version = backend_.reference_version();
  if (!version.empty()) {
    if (!rules.larder_only.empty()) return "larder only: " + rules.larder_only;
    if (!rules.since.empty() && version_numbers(version) < version_numbers(rules.since)) return "since " + rules.since;
  }
  if (backend_.has_simulated_clock()) return "";
  if (!rules.inprocess_only.empty()) return "in process only: " + rules.inprocess_only;
  for (const ScenarioStep& step : scenario_case.steps) {
    if (step.kind != Kind::kAdvance) continue;
    if (!rules.slow || step.duration_ms > kRealSleepMsMax) return "needs a simulated clock";
  }
  return "";
}

std::string ScenarioRunner::run_case(const Scenario& scenario, const ScenarioCase& scenario_case, int protocol,
                                     Recording* recording) {
  const std::string problem = backend_.prepare(scenario_case.rules.server_arguments, untouched_);
  if (!problem.empty()) return scenario.path + ":" + std::to_string(scenario_case.line) + ": " + problem;
  untouched_ = std::none_of(scenario_case.steps.begin(), scenario_case.steps.end(), touches_settings);
  return CaseRun(backend_, scenario, protocol, recording).run(scenario_case.steps);
}

void ScenarioRunner::run(const Scenario& scenario, Tally& tally) {
  for (const ScenarioCase& scenario_case : scenario.cases) {
    const std::string name = scenario.path + ": " + scenario_case.title;
    if (!options_.filter.empty() && name.find(options_.filter) == std::string::npos) continue;
    const std::string reason = skip_reason(scenario_case);
    for (const int protocol : {2, 3}) {
      if (!(protocol == 2 ? scenario_case.rules.protocol2 : scenario_case.rules.protocol3)) continue;
      if (!reason.empty()) {
        ++tally.skipped;
        ++tally.skip_reasons[reason];
        continue;
      }
      const std::string problem = run_case(scenario, scenario_case, protocol, nullptr);
      ++(problem.empty() ? tally.passed : tally.failed);
      if (!problem.empty()) {
        std::printf("FAILED %s (RESP%d)\n%s\n", name.c_str(), protocol, problem.c_str());
      } else if (options_.verbose) {
        std::printf("passed %s (RESP%d)\n", name.c_str(), protocol);
      }
      std::fflush(stdout);
    }
  }
}

std::string ScenarioRunner::record(const Scenario& scenario) {
  // Lines of old expectations vanish; new ones follow the line of their step.
  std::vector<bool> dropped(scenario.lines.size() + 1, false);
  std::map<int, std::string> added;
  for (const ScenarioCase& scenario_case : scenario.cases) {
    if (!skip_reason(scenario_case).empty()) continue;
    Recording recordings[2];
    for (const int protocol : {2, 3}) {
      if (!(protocol == 2 ? scenario_case.rules.protocol2 : scenario_case.rules.protocol3)) continue;
      const std::string problem = run_case(scenario, scenario_case, protocol, &recordings[protocol - 2]);
      if (!problem.empty()) std::fprintf(stderr, "%s\n", problem.c_str());
    }
    for (size_t i = 0; i < scenario_case.steps.size(); ++i) {
      const ScenarioStep& step = scenario_case.steps[i];
      for (const Expectation& expectation : step.expectations) {
        for (int line = expectation.line; line <= expectation.last_line; ++line)
          dropped[static_cast<size_t>(line)] = true;
      }
      const auto replies = [&](int protocol) {
        const Recording& recording = recordings[protocol - 2];
        return i < recording.size() ? recording[i] : std::vector<std::string>();
      };
      const bool both = scenario_case.rules.protocol2 && scenario_case.rules.protocol3;
      std::string& text = added[step.line];
      if (!both || replies(2) == replies(3)) {
        for (const std::string& reply : replies(scenario_case.rules.protocol2 ? 2 : 3)) text += reply + "\n";
      } else {
        for (const int protocol : {2, 3}) {
          for (const std::string& reply : replies(protocol)) text += std::to_string(protocol) + ": " + reply + "\n";
        }
      }
    }
  }
  std::string out;
  for (size_t line = 1; line <= scenario.lines.size(); ++line) {
    if (!dropped[line]) out += scenario.lines[line - 1] + "\n";
    const auto found = added.find(static_cast<int>(line));
    if (found != added.end()) out += found->second;
  }
  return out;
}

}  // namespace larder::spec
