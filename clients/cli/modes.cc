// What runs without a person: one command with its repetitions, and the views that ask again and again. Each stands by
// itself and needs nothing but the session; --pipe, which needs the socket itself, is in os_pipe_mode.cc.

#include "clients/cli/modes.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "base/number_text.h"
#include "clients/cli/reply_format.h"

namespace larder::cli {
namespace {

constexpr int kStatHeaderEvery = 20;

void sleep_s(double seconds) {
  if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// After these the server sends without being asked.
bool is_streaming(const std::vector<std::string>& command) {
  constexpr Bytes kStreaming[] = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR"};
  return std::any_of(std::begin(kStreaming), std::end(kStreaming),
                     [&](Bytes name) { return equals_ignore_case(command[0], name); });
}

std::vector<std::string> with_standard_input(const CliOptions& options, const std::string& standard_input) {
  std::vector<std::string> command = options.command;
  if (options.read_last_argument) command.push_back(standard_input);
  if (!options.argument_tag.empty()) {
    std::replace(command.begin(), command.end(), options.argument_tag, standard_input);
  }
  return command;
}

// Commands whose reply is a page of text: it is shown as it is, not as one quoted string.
bool answers_text(const std::vector<std::string>& command) {
  constexpr Bytes kText[] = {"INFO",           "LOLWUT",        "CLIENT LIST",   "CLIENT INFO",
                             "CLUSTER NODES",  "CLUSTER INFO",  "MEMORY DOCTOR", "MEMORY MALLOC-STATS",
                             "LATENCY DOCTOR", "LATENCY GRAPH", "DEBUG HTSTATS", "DEBUG HTSTATS-KEY"};
  if (command.empty()) return false;
  const std::string two = command.size() > 1 ? command[0] + " " + command[1] : "";
  return std::any_of(std::begin(kText), std::end(kText),
                     [&](Bytes name) { return equals_ignore_case(command[0], name) || equals_ignore_case(two, name); });
}

bool is_text_format(OutputFormat format) {
  return format != OutputFormat::kJson && format != OutputFormat::kQuotedJson;
}

}  // namespace

bool print_reply(const Reply& reply, const CliOptions& options, const std::vector<std::string>& command) {
  const bool standard = options.format == OutputFormat::kStandard || options.format == OutputFormat::kAuto;
  std::string text;
  if (reply.is_error() && options.exit_on_error) {
    std::fprintf(stderr, "%s\n", reply.text.c_str());
    return true;
  }
  if (answers_text(command) && !reply.is_aggregate() && !reply.is_null() && is_text_format(options.format)) {
    text = reply.text;
    if (!text.empty() && text.back() != '\n') text += "\n";
  } else {
    text = format_reply(reply, options.format, options.delimiter);
    if (!standard) text += options.format == OutputFormat::kRaw ? options.reply_delimiter : "\n";
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  return reply.is_error();
}

void print_failure(const Session& session, const Error& error) {
  std::fflush(stdout);
  if (!session.failed_to_connect()) {
    std::fprintf(stderr, "Error: %s\n", error.message.c_str());
    return;
  }
  // The library's message begins with the address too.
  const std::string address = session.address();
  const std::string prefix = "connect to " + address + ": ";
  const bool has_prefix = error.message.compare(0, prefix.size(), prefix) == 0;
  std::fprintf(stderr, "Could not connect to Larder at %s: %s\n", address.c_str(),
               error.message.c_str() + (has_prefix ? prefix.size() : 0));
}

Result<bool> run_and_print(Session& session, const std::vector<std::string>& command) {
  if (!is_streaming(command)) {
    LARDER_TRY_ASSIGN(const Reply reply, session.call(command));
    return !print_reply(reply, session.options(), command);
  }
  session.always_show_pushes();
  LARDER_TRY(session.send(command));
  while (true) {
    LARDER_TRY_ASSIGN(const Reply reply, session.read());
    if (print_reply(reply, session.options(), command)) return false;
    std::fflush(stdout);
  }
}

int run_command(Session& session, const std::string& standard_input) {
  const CliOptions& options = session.options();
  const std::vector<std::string> command = with_standard_input(options, standard_input);
  int exit_code = 0;
  for (int64_t run = 0; options.repeat < 0 || run < options.repeat; ++run) {
    if (run > 0) sleep_s(options.interval_s);
    Result<bool> done = run_and_print(session, command);
    if (!done) {
      // SHUTDOWN answers by closing.
      const bool expected = equals_ignore_case(command[0], "SHUTDOWN") && !session.failed_to_connect();
      if (expected && done.error().code == ErrorCode::kDisconnected) return 0;
      print_failure(session, done.error());
      return 1;
    }
    if (!*done && options.exit_on_error) exit_code = 1;
    std::fflush(stdout);
  }
  return exit_code;
}

int run_scan(Session& session) {
  const CliOptions& options = session.options();
  std::string cursor = "0";
  do {
    std::vector<std::string> command = {"SCAN", cursor, "MATCH", options.scan_pattern};
    if (options.scan_count > 0) command.insert(command.end(), {"COUNT", std::to_string(options.scan_count)});
    if (!options.scan_type.empty()) command.insert(command.end(), {"TYPE", options.scan_type});
    Result<Reply> reply = session.call(command);
    if (!reply) {
      print_failure(session, reply.error());
      return 1;
    }
    if (reply->is_error() || reply->elements.size() != 2) {
      print_reply(*reply, options);
      return 1;
    }
    for (const Reply& key : reply->elements[1].elements) {
      const std::string text = options.format == OutputFormat::kRaw ? key.text : quote(key.text);
      std::printf("%s\n", text.c_str());
    }
    cursor = reply->elements[0].text;
  } while (cursor != "0");
  return 0;
}

namespace {

std::map<std::string, std::string> info_fields(Bytes text) {
  std::map<std::string, std::string> fields;
  while (!text.empty()) {
    const Bytes line = text.substr(0, text.find("\r\n"));
    const size_t colon = line.find(':');
    if (colon != Bytes::npos) fields[std::string(line.substr(0, colon))] = std::string(line.substr(colon + 1));
    text.remove_prefix(std::min(text.size(), line.size() + 2));
  }
  return fields;
}

uint64_t total_keys(const std::map<std::string, std::string>& fields) {
  uint64_t keys = 0;
  for (const auto& [name, value] : fields) {
    if (name.substr(0, 2) != "db" || value.substr(0, 5) != "keys=") continue;
    keys += parse_uint64(Bytes(value).substr(5, value.find(',') - 5)).value_or(0);
  }
  return keys;
}

}  // namespace

int run_stat(Session& session) {
  const CliOptions& options = session.options();
  uint64_t requests_before = 0;
  for (int64_t line = 0; options.repeat == 1 || options.repeat < 0 || line < options.repeat; ++line) {
    Result<Reply> reply = session.call({"INFO"});
    if (!reply || reply->is_error()) {
      reply ? static_cast<void>(print_reply(*reply, options)) : print_failure(session, reply.error());
      return 1;
    }
    auto fields = info_fields(reply->text);
    if (line % kStatHeaderEvery == 0) {
      std::printf("%-12s %-12s %-9s %-9s %-22s %s\n", "keys", "memory", "clients", "blocked", "requests",
                  "connections");
    }
    const uint64_t requests = parse_uint64(fields["total_commands_processed"]).value_or(0);
    const std::string shown =
        std::to_string(requests) + " (+" + std::to_string(line == 0 ? 0 : requests - requests_before) + ")";
    requests_before = requests;
    std::printf("%-12llu %-12s %-9s %-9s %-22s %s\n", static_cast<unsigned long long>(total_keys(fields)),
                fields["used_memory_human"].c_str(), fields["connected_clients"].c_str(),
                fields["blocked_clients"].c_str(), shown.c_str(), fields["total_connections_received"].c_str());
    std::fflush(stdout);
    const bool last = options.repeat > 1 && line + 1 == options.repeat;
    if (!last) sleep_s(options.interval_s > 0 ? options.interval_s : 1);
  }
  return 0;
}

}  // namespace larder::cli
