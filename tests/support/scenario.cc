#include "tests/support/scenario.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/number_text.h"

namespace larder::testing {
namespace {

constexpr int64_t kAdvanceMsMax = 400LL * 24 * 3600 * 1000;

std::string rest_of(Bytes line, size_t skip) { return std::string(trim(line.substr(std::min(skip, line.size())))); }

bool is_name(Bytes text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const bool letter = (to_lower(c) >= 'a' && to_lower(c) <= 'z') || is_digit(c) || c == '-' || c == '_';
    if (!letter) return false;
  }
  return true;
}

// Splits as redis-cli does, and knows <x*N> and $name. False: quotes do not end, or something sticks to them.
bool split_arguments(Bytes line, std::vector<ScenarioArgument>& out) {
  size_t at = 0;
  while (true) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at >= line.size()) return true;
    ScenarioArgument argument;
    if (line[at] == '"') {
      if (!read_quoted(line, at, argument.text)) return false;
    } else if (line[at] == '\'') {
      const size_t close = line.find('\'', at + 1);
      if (close == Bytes::npos) return false;
      argument.text = line.substr(at + 1, close - at - 1);
      at = close + 1;
    } else {
      const size_t from = at;
      while (at < line.size() && !is_space(line[at])) ++at;
      const Bytes word = line.substr(from, at - from);
      if (word[0] == '$' && is_name(word.substr(1))) {
        argument = {true, std::string(word.substr(1))};
      } else if (!expand_fill(word, argument.text)) {
        argument.text = word;
      }
    }
    if (at < line.size() && !is_space(line[at])) return false;
    out.push_back(std::move(argument));
  }
}

bool parse_duration(Bytes text, int64_t& out_ms) {
  int64_t unit_ms = 0;
  if (text.size() > 2 && text.substr(text.size() - 2) == "ms") {
    unit_ms = 1;
    text.remove_suffix(2);
  } else if (text.size() > 1 && text.back() == 's') {
    unit_ms = 1000;
    text.remove_suffix(1);
  }
  const auto count = parse_int64(text);
  if (unit_ms == 0 || !count || *count <= 0 || *count > kAdvanceMsMax / unit_ms) return false;
  out_ms = *count * unit_ms;
  return true;
}

class ScenarioParser {
 public:
  ScenarioParser(const std::string& path, Bytes text) {
    scenario_.path = path;
    std::istringstream stream{std::string(text)};
    for (std::string line; std::getline(stream, line);) scenario_.lines.push_back(line);
  }

  Result<Scenario> parse() {
    for (at_ = 0; at_ < scenario_.lines.size(); ++at_) {
      const Bytes line = trim(scenario_.lines[at_]);
      if (line.empty() || line[0] == '#') continue;
      if (!parse_line(line)) {
        return Error{ErrorCode::kInvalidArgument, scenario_.path + ":" + std::to_string(at_ + 1) + ": " + mistake_};
      }
    }
    if (scenario_.cases.empty()) {
      return Error{ErrorCode::kInvalidArgument, scenario_.path + ":1: there is no case in this file"};
    }
    return std::move(scenario_);
  }

 private:
  bool fail(std::string mistake) {
    mistake_ = std::move(mistake);
    return false;
  }
  bool in_case() const { return !scenario_.cases.empty(); }
  ScenarioRules& rules() { return in_case() ? scenario_.cases.back().rules : header_rules_; }

  bool parse_line(Bytes line) {
    const Bytes word = line.substr(0, line.find(' '));
    if (word == "case") return parse_case(rest_of(line, 4));
    if (word == "proto" || word == "since" || word == "larder" || word == "inprocess" || word == "slow" ||
        word == "server") {
      return parse_rule(word, rest_of(line, word.size()));
    }
    if (word == "config") {
      ScenarioStep step = make_step(ScenarioStep::Kind::kConfig, "");
      if (!split_arguments(line.substr(6), step.arguments) || step.arguments.size() < 2) {
        return fail("config NAME VALUE expected");
      }
      (in_case() ? scenario_.cases.back().steps : header_steps_).push_back(std::move(step));
      return true;
    }
    if (!in_case()) return fail("a case must come before this line");
    std::string connection;
    if (line[0] == '@') {
      const size_t space = line.find(' ');
      if (space == Bytes::npos || !is_name(line.substr(1, space - 1))) return fail("@name and a request expected");
      connection = line.substr(1, space - 1);
      line = trim(line.substr(space));
      if (!is_action(line)) return fail("a request, '<', raw, close or expect-close expected after @" + connection);
    }
    if (is_action(line)) return parse_action(line, connection);
    return parse_expectation(line);
  }

  static bool is_action(Bytes line) {
    const Bytes word = line.substr(0, line.find(' '));
    return word == ">" || word == "raw" || word == "expect-close" || word == "close" || word == "advance" ||
           line == "<";
  }

  ScenarioStep make_step(ScenarioStep::Kind kind, const std::string& connection) const {
    ScenarioStep step;
    step.kind = kind;
    step.line = static_cast<int>(at_) + 1;
    step.connection = connection;
    return step;
  }

  bool parse_case(Bytes quoted_title) {
    ScenarioCase next;
    size_t at = 0;
    if (quoted_title.empty() || quoted_title[0] != '"' || !read_quoted(quoted_title, at, next.title) ||
        at != quoted_title.size() || next.title.empty()) {
      return fail("case \"title\" expected");
    }
    next.line = static_cast<int>(at_) + 1;
    next.rules = header_rules_;
    next.steps = header_steps_;
    scenario_.cases.push_back(std::move(next));
    return true;
  }

  bool parse_rule(Bytes word, const std::string& value) {
    ScenarioRules& target = rules();
    if (word == "proto") {
      if (value != "2" && value != "3" && value != "2 3") return fail("proto 2, proto 3 or proto 2 3 expected");
      target.protocol2 = value[0] == '2';
      target.protocol3 = value.back() == '3';
      return true;
    }
    if (word == "slow") {
      target.slow = true;
      return value.empty() || fail("slow stands alone");
    }
    if (word == "since") {
      target.since = value;
      return !value.empty() || fail("a version is missing");
    }
    if (word == "server") {
      std::vector<ScenarioArgument> words;
      if (!split_arguments(value, words) || words.empty()) return fail("server ARGUMENTS expected");
      for (ScenarioArgument& argument : words) target.server_arguments.push_back(std::move(argument.text));
      return true;
    }
    const std::string reason = rest_of(value, 5);
    if (value.rfind("only:", 0) != 0 || reason.empty()) return fail(std::string(word) + " only: REASON expected");
    (word == "larder" ? target.larder_only : target.inprocess_only) = reason;
    return true;
  }

  bool parse_action(Bytes line, const std::string& connection) {
    using Kind = ScenarioStep::Kind;
    ScenarioStep step = make_step(Kind::kRequest, connection);
    if (line[0] == '>') {
      if (!split_arguments(line.substr(1), step.arguments) || step.arguments.empty()) {
        return fail("the request's arguments are not well formed");
      }
    } else if (line == "<") {
      step.kind = Kind::kRead;
    } else if (line == "expect-close") {
      step.kind = Kind::kExpectClose;
    } else if (line == "close") {
      step.kind = Kind::kClose;
    } else if (line.substr(0, 4) == "raw ") {
      step.kind = Kind::kRaw;
      std::vector<ScenarioArgument> pieces;
      if (!split_arguments(line.substr(4), pieces) || pieces.empty()) return fail("raw \"bytes\" expected");
      for (const ScenarioArgument& piece : pieces) step.bytes += piece.text;
    } else {
      step.kind = Kind::kAdvance;
      if (!parse_duration(trim(line.substr(7)), step.duration_ms)) return fail("advance 1500ms or advance 2s expected");
    }
    scenario_.cases.back().steps.push_back(std::move(step));
    return true;
  }

  bool parse_expectation(Bytes line) {
    using Kind = ScenarioStep::Kind;
    std::vector<ScenarioStep>& steps = scenario_.cases.back().steps;
    const bool fits = !steps.empty() && (steps.back().kind == Kind::kRequest || steps.back().kind == Kind::kRead ||
                                         steps.back().kind == Kind::kRaw);
    if (!fits) return fail("no request that this expectation could belong to");
    Expectation expectation;
    expectation.line = static_cast<int>(at_) + 1;
    if (line.size() > 2 && line[1] == ':' && (line[0] == '2' || line[0] == '3')) {
      expectation.protocol = line[0] - '0';
      line = trim(line.substr(2));
    }
    expectation.source = line;
    while (true) {
      PatternParse parsed = parse_pattern(expectation.source);
      if (parsed.outcome == PatternOutcome::kComplete) {
        expectation.pattern = std::move(parsed.pattern);
        break;
      }
      if (parsed.outcome == PatternOutcome::kMalformed || at_ + 1 >= scenario_.lines.size())
        return fail(parsed.mistake);
      const Bytes more = trim(scenario_.lines[++at_]);
      if (!more.empty() && more[0] != '#') expectation.source += "\n" + std::string(more);
    }
    expectation.last_line = static_cast<int>(at_) + 1;
    steps.back().expectations.push_back(std::move(expectation));
    return true;
  }

  Scenario scenario_;
  ScenarioRules header_rules_;
  std::vector<ScenarioStep> header_steps_;
  size_t at_ = 0;
  std::string mistake_;
};

}  // namespace

Result<Scenario> parse_scenario(const std::string& path, Bytes text) { return ScenarioParser(path, text).parse(); }

Result<Scenario> read_scenario(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, path + ":1: cannot be read"};
  std::ostringstream text;
  text << file.rdbuf();
  return parse_scenario(path, text.str());
}

std::vector<std::string> find_scenarios(const std::vector<std::string>& roots) {
  std::vector<std::string> paths;
  for (const std::string& root : roots) {
    if (!std::filesystem::is_directory(root)) {
      paths.push_back(root);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.is_regular_file() && entry.path().extension() == ".spec") paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace larder::testing
