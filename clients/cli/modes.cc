#include "clients/cli/modes.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "base/histogram.h"
#include "base/number_text.h"
#include "base/random.h"
#include "clients/cli/reply_format.h"

namespace larder::cli {
namespace {

constexpr size_t kPipeReadBytes = 64 * 1024;
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

int stream_replies(Session& session) {
  while (true) {
    Result<Reply> reply = session.connection().read();
    if (!reply) {
      print_failure(session, reply.error());
      return 1;
    }
    print_reply(*reply, session.options());
    std::fflush(stdout);
  }
}

}  // namespace

bool print_reply(const Reply& reply, const CliOptions& options) {
  std::string text = format_reply(reply, options.format, options.delimiter);
  const bool standard = options.format == OutputFormat::kStandard || options.format == OutputFormat::kAuto;
  if (!standard) text += options.format == OutputFormat::kRaw ? options.delimiter : "\n";
  FILE* out = reply.is_error() && options.exit_on_error ? stderr : stdout;
  std::fwrite(text.data(), 1, text.size(), out);
  return reply.is_error();
}

void print_failure(const Session& session, const Error& error) {
  std::fflush(stdout);
  if (error.code == ErrorCode::kDisconnected || error.code == ErrorCode::kTimeout) {
    std::fprintf(stderr, "Error: %s\n", error.message.c_str());
  } else {
    std::fprintf(stderr, "Could not connect to Larder at %s: %s\n", session.options().endpoint.to_string().c_str(),
                 error.message.c_str());
  }
}

int run_command(Session& session, const std::string& standard_input) {
  const CliOptions& options = session.options();
  const std::vector<std::string> command = with_standard_input(options, standard_input);
  int exit_code = 0;
  for (int64_t run = 0; options.repeat < 0 || run < options.repeat; ++run) {
    if (run > 0) sleep_s(options.interval_s);
    Result<Reply> reply = session.call(command);
    if (!reply) {
      // SHUTDOWN answers by closing.
      if (equals_ignore_case(command[0], "SHUTDOWN") && reply.error().code == ErrorCode::kDisconnected) return 0;
      print_failure(session, reply.error());
      return 1;
    }
    if (print_reply(*reply, options) && options.exit_on_error) exit_code = 1;
    std::fflush(stdout);
    if (is_streaming(command) && !reply->is_error()) return stream_replies(session);
  }
  return exit_code;
}

int run_pipe(Session& session) {
  if (const Status connected = session.connect(); !connected.ok()) {
    print_failure(session, connected.error());
    return 1;
  }
  client::Connection& connection = session.connection();
  // The last reply is recognised by an ECHO of text that nobody else sends.
  const std::string magic = os_entropy_hex(10);
  uint64_t replies = 0;
  uint64_t errors = 0;
  bool saw_magic = false;
  Error failure;
  // Takes what has arrived, waiting `timeout_ms` for the first of it. False when the connection failed.
  const auto drain = [&](int64_t timeout_ms) {
    while (!saw_magic) {
      Result<std::optional<Reply>> reply = connection.poll(timeout_ms);
      if (!reply) {
        failure = reply.error();
        return false;
      }
      if (!*reply) return true;
      saw_magic = (*reply)->kind == ReplyKind::kBulk && (*reply)->text == magic;
      if (saw_magic) return true;
      ++replies;
      if ((*reply)->is_error()) {
        ++errors;
        std::fprintf(stderr, "%s\n", (*reply)->text.c_str());
      }
      timeout_ms = -1;
    }
    return true;
  };
  std::string chunk(kPipeReadBytes, '\0');
  bool alive = true;
  while (alive) {
    const ssize_t count = read(STDIN_FILENO, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    const Status sent = connection.send_raw(Bytes(chunk).substr(0, static_cast<size_t>(count)));
    alive = sent.ok() && drain(-1);
    if (!sent.ok()) failure = sent.error();
  }
  if (alive) std::fputs("All data transferred. Waiting for the last reply...\n", stdout);
  alive = alive && connection.send({"ECHO", magic}).ok();
  const int64_t timeout_ms = session.options().pipe_timeout_s * 1000;
  while (alive && !saw_magic) {
    const uint64_t before = replies;
    alive = drain(timeout_ms);
    if (alive && !saw_magic && replies == before) {
      std::fprintf(stderr, "No replies for %lld seconds: exiting.\n", static_cast<long long>(timeout_ms / 1000));
      break;
    }
  }
  if (saw_magic) std::fputs("Last reply received from server.\n", stdout);
  if (!alive) print_failure(session, failure);
  std::printf("errors: %llu, replies: %llu\n", static_cast<unsigned long long>(errors),
              static_cast<unsigned long long>(replies));
  return errors > 0 || !saw_magic ? 1 : 0;
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
      std::printf("%-12s %-12s %-9s %-9s %-22s %s\n", "keys", "memory", "clients", "blocked", "requests", "connections");
    }
    const uint64_t requests = parse_uint64(fields["total_commands_processed"]).value_or(0);
    const std::string shown = std::to_string(requests) + " (+" + std::to_string(line == 0 ? 0 : requests - requests_before) + ")";
    requests_before = requests;
    std::printf("%-12llu %-12s %-9s %-9s %-22s %s\n", static_cast<unsigned long long>(total_keys(fields)),
                fields["used_memory_human"].c_str(), fields["connected_clients"].c_str(),
                fields["blocked_clients"].c_str(), shown.c_str(), fields["total_connections_received"].c_str());
    std::fflush(stdout);
    sleep_s(options.interval_s > 0 ? options.interval_s : 1);
  }
  return 0;
}

int run_latency(Session& session) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kReportEvery = std::chrono::seconds(1);
  const CliOptions& options = session.options();
  Histogram histogram_us;
  auto reported = Clock::now();
  const bool at_terminal = isatty(STDOUT_FILENO) == 1;
  int64_t reports = 0;
  while (options.repeat == 1 || options.repeat < 0 || reports < options.repeat) {
    const auto start = Clock::now();
    Result<Reply> reply = session.call({"PING"});
    if (!reply) {
      print_failure(session, reply.error());
      return 1;
    }
    const auto now = Clock::now();
    histogram_us.record(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - start).count()));
    if (now - reported >= kReportEvery) {
      reported = now;
      ++reports;
      std::printf("%smin %.3f ms, avg %.3f, p50 %.3f, p99 %.3f, max %.3f (%llu samples)%s", at_terminal ? "\r" : "",
                  static_cast<double>(histogram_us.min()) / 1000, histogram_us.mean() / 1000,
                  static_cast<double>(histogram_us.percentile(50)) / 1000,
                  static_cast<double>(histogram_us.percentile(99)) / 1000,
                  static_cast<double>(histogram_us.max()) / 1000,
                  static_cast<unsigned long long>(histogram_us.count()), at_terminal ? " " : "\n");
      std::fflush(stdout);
    }
    sleep_s(0.01);
  }
  std::printf("\n");
  return 0;
}

}  // namespace larder::cli
