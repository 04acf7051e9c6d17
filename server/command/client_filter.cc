#include "server/command/client_filter.h"

#include <algorithm>
#include <unordered_set>

#include "base/number_text.h"
#include "server/core/authentication.h"
#include "server/observe/client_text.h"

namespace larder {
namespace {

// The type under the name that client_type_name() uses; empty when there is no such type.
Bytes canonical_type(Bytes text) {
  constexpr struct {
    Bytes word, type;
  } kTypes[] = {{"normal", "normal"}, {"replica", "replica"}, {"slave", "replica"},
                {"pubsub", "pubsub"}, {"master", "master"},   {"primary", "master"}};
  for (const auto& known : kTypes) {
    if (equals_ignore_case(known.word, text)) return known.type;
  }
  return {};
}

Bytes ip_of(Bytes address) {
  Bytes host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

bool has_letters(const std::string& letters, Bytes wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](char c) { return letters.find(c) != std::string::npos; });
}

// As many lines as there are clients, however often a request names one.
std::vector<int64_t> each_once(const std::vector<int64_t>& ids) {
  std::vector<int64_t> once;
  std::unordered_set<int64_t> seen;
  for (const int64_t id : ids) {
    if (seen.insert(id).second) once.push_back(id);
  }
  return once;
}

int64_t whole_seconds(int64_t then_ms, int64_t now_ms) { return (now_ms - then_ms) / 1000; }

}  // namespace

const ClientFilter::Word ClientFilter::kWords[14] = {
    {"ID", Field::kId},          {"ADDR", Field::kAddr},   {"LADDR", Field::kLaddr}, {"IP", Field::kIp},
    {"TYPE", Field::kType},      {"USER", Field::kUser},   {"NAME", Field::kName},   {"LIB-NAME", Field::kLibName},
    {"LIB-VER", Field::kLibVer}, {"FLAGS", Field::kFlags}, {"DB", Field::kDb},       {"MAXAGE", Field::kMaxAge},
    {"IDLE", Field::kIdle},      {"CAPA", Field::kCapa},
};

const ClientFilter::Word* ClientFilter::find_word(Bytes word, bool* negated) {
  *negated = starts_with_ignore_case(word, "NOT-");
  const Bytes bare = *negated ? word.substr(4) : word;
  for (const Word& known : kWords) {
    const bool reversible = known.field != Field::kMaxAge && known.field != Field::kIdle;
    if (equals_ignore_case(known.word, bare) && (reversible || !*negated)) return &known;
  }
  return nullptr;
}

bool ClientFilter::parse(ArgReader& args, std::string& error) {
  while (!args.at_end()) {
    const Bytes word = args.take<Bytes>();
    if (args.at_end()) return error = kSyntax.text(), false;
    if (equals_ignore_case(word, "SKIPME")) {
      const bool yes = args.take_word("YES");
      if (!yes && !args.take_word("NO")) return error = kSyntax.text(), false;
      skip_self_ = yes;
      continue;
    }
    bool negated = false;
    const Word* known = find_word(word, &negated);
    if (known == nullptr) return error = kSyntax.text(), false;
    Condition condition{known->field, negated, {}, {}};
    if (!read_value(args, condition, error)) return false;
    conditions_.push_back(std::move(condition));
  }
  return true;
}

bool ClientFilter::read_value(ArgReader& args, Condition& condition, std::string& error) {
  if (condition.field == Field::kId) return read_ids(args, condition, error);
  condition.text = args.take<Bytes>();
  switch (condition.field) {
    case Field::kType: {
      const Bytes type = canonical_type(condition.text);
      if (type.empty()) return error = "ERR Unknown client type '" + std::string(condition.text) + "'", false;
      condition.text = type;
      return true;
    }
    case Field::kUser:
      if (user_exists(condition.text)) return true;
      return error = "ERR No such user '" + std::string(condition.text) + "'", false;
    case Field::kDb:
    case Field::kMaxAge:
    case Field::kIdle: {
      const Bytes name = condition.field == Field::kDb ? "DB" : condition.field == Field::kIdle ? "idle" : "maxage";
      const auto number = parse_int64(condition.text);
      if (!number) return error = "ERR " + std::string(name) + " is not an integer or out of range", false;
      const int64_t least = condition.field == Field::kDb ? 0 : 1;
      if (*number < least) return error = "ERR " + std::string(name) + " should be greater than 0", false;
      condition.numbers = {*number};
      return true;
    }
    default:
      return true;
  }
}

bool ClientFilter::read_ids(ArgReader& args, Condition& condition, std::string& error) {
  bool ignored = false;
  do {
    const auto id = parse_int64(args.take<Bytes>());
    if (!id || (*id < 1 && use_ == Use::kKill)) {
      error = use_ == Use::kList ? "ERR Invalid client ID" : "ERR client-id should be greater than 0";
      return false;
    }
    condition.numbers.push_back(*id);
  } while (!args.at_end() && find_word(args.peek(), &ignored) == nullptr && !equals_ignore_case(args.peek(), "SKIPME"));
  if (!condition.negated && ids_.empty()) ids_ = each_once(condition.numbers);
  std::sort(condition.numbers.begin(), condition.numbers.end());  // each client is looked up
  return true;
}

bool ClientFilter::holds(const Condition& condition, const Client& client, int64_t now_ms) {
  switch (condition.field) {
    case Field::kId:
      return std::binary_search(condition.numbers.begin(), condition.numbers.end(), static_cast<int64_t>(client.id));
    case Field::kAddr:
      return client.peer == condition.text;
    case Field::kLaddr:
      return client.local == condition.text;
    case Field::kIp:
      return ip_of(client.peer) == condition.text;
    case Field::kType:
      return client_type_name(client) == condition.text;
    case Field::kUser:
      return client.user == condition.text;
    case Field::kName:
      return client.name == condition.text;
    case Field::kLibName:
      return client.lib_name == condition.text;
    case Field::kLibVer:
      return client.lib_version == condition.text;
    case Field::kFlags:
      return has_letters(client_flag_letters(client), condition.text);
    case Field::kDb:
      return client.db == condition.numbers[0];
    case Field::kCapa:
      return has_letters(client_capability_letters(client), condition.text);
    case Field::kMaxAge:
      return whole_seconds(client.connected_ms, now_ms) >= condition.numbers[0];
    case Field::kIdle:
      return whole_seconds(client.last_active_ms, now_ms) >= condition.numbers[0];
  }
  LARDER_UNREACHABLE();
}

bool ClientFilter::matches(const Client& client, const Client& self, int64_t now_ms) const {
  if (client.flags & kClientCloseNow) return false;
  if (skip_self_ && &client == &self) return false;
  return std::all_of(conditions_.begin(), conditions_.end(),
                     [&](const Condition& condition) { return holds(condition, client, now_ms) != condition.negated; });
}

}  // namespace larder
