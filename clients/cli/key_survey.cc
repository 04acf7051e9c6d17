// --bigkeys, --memkeys and --hotkeys: all keys are scanned, and the ones that stand out are shown.
//
// A survey asks one number of each key: of its elements or bytes, of its memory, of its use. Keys come in batches of
// SCAN; the types of a batch are asked in one pipeline and the numbers in the next, so a million keys take seconds and
// the server is never asked for more than a batch at once. Keys that go meanwhile are left out.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "clients/cli/modes.h"
#include "clients/cli/reply_format.h"

namespace larder::cli {
namespace {

constexpr int64_t kScansPerSleep = 100;
constexpr size_t kHotKeysShown = 16;

struct Kind {
  const char* type;     // as TYPE names it
  const char* command;  // that tells its size
  const char* unit;
};
constexpr Kind kKinds[] = {
    {"string", "STRLEN", "bytes"}, {"list", "LLEN", "items"},    {"set", "SCARD", "members"},
    {"hash", "HLEN", "fields"},    {"zset", "ZCARD", "members"}, {"stream", "XLEN", "entries"},
};

// What is known of one type.
struct TypeFigures {
  uint64_t keys = 0;
  uint64_t total = 0;
  uint64_t largest = 0;
  std::string largest_key;
};

class KeySurvey {
 public:
  explicit KeySurvey(Session& session) : session_(session), options_(session.options()) {}

  // kPermission with the server's text when it refuses.
  Status run();
  void print_summary() const;

 private:
  bool is_hot() const { return options_.mode == CliMode::kHotKeys; }
  Result<std::vector<Reply>> call_all(const std::vector<std::vector<std::string>>& commands);
  std::vector<std::string> question(const std::string& key, const std::string& type) const;
  Status look_at(const std::vector<std::string>& keys);
  void note(const std::string& key, const std::string& type, uint64_t number);
  void note_hot(const std::string& key, uint64_t number);
  const char* unit_of(const std::string& type) const;
  double percent_done() const;

  Session& session_;
  const CliOptions& options_;
  uint64_t keys_in_database_ = 0;
  uint64_t keys_seen_ = 0;
  uint64_t name_bytes_ = 0;
  std::map<std::string, TypeFigures> types_;
  std::vector<std::pair<uint64_t, std::string>> hottest_;  // the most used first
};

Status refused(const Reply& reply) { return Status(ErrorCode::kPermission, reply.text); }

const Kind* find_kind(const std::string& type) {
  const auto* found = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const Kind& k) { return type == k.type; });
  return found == std::end(kKinds) ? nullptr : found;
}

Result<std::vector<Reply>> KeySurvey::call_all(const std::vector<std::vector<std::string>>& commands) {
  LARDER_TRY(session_.connect());
  for (const std::vector<std::string>& command : commands) {
    LARDER_TRY(session_.connection().send(std::vector<Bytes>(command.begin(), command.end())));
  }
  std::vector<Reply> replies;
  while (replies.size() < commands.size()) {
    LARDER_TRY_ASSIGN(Reply reply, session_.connection().read());
    replies.push_back(std::move(reply));
  }
  return replies;
}

// Empty for a key of a type that has no size.
std::vector<std::string> KeySurvey::question(const std::string& key, const std::string& type) const {
  if (is_hot()) return {"OBJECT", "FREQ", key};
  if (options_.mode == CliMode::kMemKeys) {
    if (options_.memory_samples < 0) return {"MEMORY", "USAGE", key};
    return {"MEMORY", "USAGE", key, "SAMPLES", std::to_string(options_.memory_samples)};
  }
  const Kind* kind = find_kind(type);
  return kind == nullptr ? std::vector<std::string>() : std::vector<std::string>{kind->command, key};
}

Status KeySurvey::look_at(const std::vector<std::string>& keys) {
  std::vector<std::vector<std::string>> commands;
  for (const std::string& key : keys) commands.push_back({"TYPE", key});
  LARDER_TRY_ASSIGN(const std::vector<Reply> types, call_all(commands));
  commands.clear();
  std::vector<size_t> asked;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (types[i].is_error()) return refused(types[i]);
    if (types[i].text == "none") continue;
    ++keys_seen_;
    name_bytes_ += keys[i].size();
    std::vector<std::string> command = question(keys[i], types[i].text);
    if (command.empty()) continue;
    commands.push_back(std::move(command));
    asked.push_back(i);
  }
  LARDER_TRY_ASSIGN(const std::vector<Reply> numbers, call_all(commands));
  for (size_t n = 0; n < numbers.size(); ++n) {
    const std::string& key = keys[asked[n]];
    // OBJECT FREQ is refused under another policy; else the key is gone, or is another.
    if (numbers[n].is_error() && is_hot() && numbers[n].text.find("no such key") == std::string::npos) {
      return refused(numbers[n]);
    }
    if (numbers[n].kind != ReplyKind::kInteger) continue;
    note(key, types[asked[n]].text, static_cast<uint64_t>(numbers[n].integer));
  }
  return Status();
}

double KeySurvey::percent_done() const {
  if (keys_in_database_ == 0) return 100;
  return std::min(100.0, 100 * static_cast<double>(keys_seen_) / static_cast<double>(keys_in_database_));
}

const char* KeySurvey::unit_of(const std::string& type) const {
  const Kind* kind = find_kind(type);
  return options_.mode == CliMode::kMemKeys || kind == nullptr ? "bytes" : kind->unit;
}

void KeySurvey::note(const std::string& key, const std::string& type, uint64_t number) {
  if (is_hot()) return note_hot(key, number);
  TypeFigures& figures = types_[type];
  ++figures.keys;
  figures.total += number;
  if (number <= figures.largest && figures.keys > 1) return;
  figures.largest = number;
  figures.largest_key = key;
  std::printf("[%05.2f%%] Biggest %-6s found so far '%s' with %llu %s\n", percent_done(), type.c_str(),
              quote(key).c_str(), static_cast<unsigned long long>(number), unit_of(type));
}

void KeySurvey::note_hot(const std::string& key, uint64_t number) {
  const auto place =
      std::find_if(hottest_.begin(), hottest_.end(), [&](const auto& one) { return one.first < number; });
  if (static_cast<size_t>(place - hottest_.begin()) == kHotKeysShown) return;
  hottest_.insert(place, {number, key});
  if (hottest_.size() > kHotKeysShown) hottest_.pop_back();
  std::printf("[%05.2f%%] Hot key '%s' found so far with counter %llu\n", percent_done(), quote(key).c_str(),
              static_cast<unsigned long long>(number));
}

Status KeySurvey::run() {
  std::string cursor = "0";
  int64_t scans = 0;
  do {
    std::vector<std::string> scan = {"SCAN", cursor};
    if (options_.scan_pattern != "*") scan.insert(scan.end(), {"MATCH", options_.scan_pattern});
    if (options_.scan_count > 0) scan.insert(scan.end(), {"COUNT", std::to_string(options_.scan_count)});
    // The size is asked anew each time, as keys come and go.
    LARDER_TRY_ASSIGN(const std::vector<Reply> replies, call_all({scan, {"DBSIZE"}}));
    for (const Reply& reply : replies) {
      if (reply.is_error()) return refused(reply);
    }
    if (replies[0].elements.size() != 2) return Status(ErrorCode::kCorruption, "the reply to SCAN is no such reply");
    keys_in_database_ = static_cast<uint64_t>(replies[1].integer);
    std::vector<std::string> keys;
    for (const Reply& key : replies[0].elements[1].elements) keys.push_back(key.text);
    LARDER_TRY(look_at(keys));
    cursor = replies[0].elements[0].text;
    if (++scans % kScansPerSleep == 0 && options_.interval_s > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(options_.interval_s));
    }
  } while (cursor != "0");
  return Status();
}

void KeySurvey::print_summary() const {
  std::printf("\n-------- summary -------\n\nSampled %llu keys in the keyspace!\n",
              static_cast<unsigned long long>(keys_seen_));
  if (is_hot()) {
    for (const auto& [number, key] : hottest_) {
      std::printf("hot key found with counter: %llu\tkeyname: %s\n", static_cast<unsigned long long>(number),
                  quote(key).c_str());
    }
    return;
  }
  const double keys = static_cast<double>(std::max<uint64_t>(keys_seen_, 1));
  std::printf("Total key length in bytes is %llu (avg len %.2f)\n\n", static_cast<unsigned long long>(name_bytes_),
              static_cast<double>(name_bytes_) / keys);
  for (const auto& [type, figures] : types_) {
    std::printf("Biggest %6s found '%s' has %llu %s\n", type.c_str(), quote(figures.largest_key).c_str(),
                static_cast<unsigned long long>(figures.largest), unit_of(type));
  }
  std::printf("\n");
  const auto print_type = [&](const std::string& type, const TypeFigures& figures) {
    const double average =
        figures.keys == 0 ? 0 : static_cast<double>(figures.total) / static_cast<double>(figures.keys);
    std::printf("%llu %ss with %llu %s (%05.2f%% of keys, avg size %.2f)\n",
                static_cast<unsigned long long>(figures.keys), type.c_str(),
                static_cast<unsigned long long>(figures.total), unit_of(type),
                100 * static_cast<double>(figures.keys) / keys, average);
  };
  for (const Kind& kind : kKinds) {
    const auto found = types_.find(kind.type);
    print_type(kind.type, found == types_.end() ? TypeFigures() : found->second);
  }
  for (const auto& [type, figures] : types_) {
    if (find_kind(type) == nullptr) print_type(type, figures);
  }
}

}  // namespace

int run_key_survey(Session& session) {
  std::printf(
      "\n# Scanning the entire keyspace to find %s. -i 0.1 sleeps 0.1 s\n# behind each 100 SCANs.\n\n",
      session.options().mode == CliMode::kHotKeys ? "hot keys" : "the biggest keys and the average sizes per type");
  KeySurvey survey(session);
  const Status done = survey.run();
  if (!done.ok()) {
    print_failure(session, {done.code(), std::string(done.message())});
    return 1;
  }
  survey.print_summary();
  return 0;
}

}  // namespace larder::cli
