#pragma once

// The flags of the command line tool: those of redis-cli, with the same meaning.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "clients/cpp/endpoint.h"

namespace larder::cli {

enum class OutputFormat : uint8_t {
  kAuto,      // kStandard at a terminal, kRaw otherwise
  kStandard,  // (integer) 1, 1) "a"
  kRaw,       // the bytes
  kCsv,
  kJson,        // escapes control bytes; other bytes as they are
  kQuotedJson,  // strings as the quoted text of kStandard, for bytes that are no UTF-8
};

enum class CliMode : uint8_t {
  kCommand,
  kInteractive,
  kPipe,
  kScan,
  kStat,
  kLatency,
  kLatencyHistory,
  kIntrinsicLatency,
  kBigKeys,
  kMemKeys,
  kHotKeys,
  kRdb,
  kHelp,
  kVersion
};

struct CliOptions {
  client::Endpoint endpoint;
  OutputFormat format = OutputFormat::kAuto;
  CliMode mode = CliMode::kInteractive;
  std::vector<std::string> command;
  int64_t repeat = 1;                  // -r; -1: for ever
  double interval_s = 0;               // -i
  bool read_last_argument = false;     // -x
  std::string argument_tag;            // -X: the argument that is replaced by standard input
  std::string delimiter = "\n";        // -d: between the elements of a reply in raw format
  std::string reply_delimiter = "\n";  // -D: after each reply in raw format
  bool exit_on_error = false;          // -e: an error reply makes the exit code 1
  bool quiet_auth_warning = false;     // --no-auth-warning
  bool ask_password = false;
  std::optional<bool> show_pushes;  // --show-pushes; not given: only at a terminal
  bool quoted_input = false;        // the arguments of the command are quoted text
  std::string scan_pattern = "*";
  std::string scan_type;
  int64_t scan_count = 0;             // 0: the server's default
  int64_t pipe_timeout_s = 30;        // 0: for ever
  int64_t memory_samples = -1;        // --memkeys-samples; negative: the server's default
  double intrinsic_s = 0;             // --intrinsic-latency
  std::string rdb_path;               // --rdb; "-" for standard output
  std::string script_path;            // --eval: the command is then the keys, a comma, and the arguments
  bool follows_redirections = false;  // -c
};

// Reads the arguments (without the program's name) and the environment variable REDISCLI_AUTH given as `env_password`.
Result<CliOptions> parse_cli_options(const std::vector<std::string>& arguments, const std::string& env_password);

std::string cli_help_text();

}  // namespace larder::cli
