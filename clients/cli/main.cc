// larder-cli: arguments become a session and a mode.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/version.h"
#include "clients/cli/cli_options.h"
#include "clients/cli/interactive.h"
#include "clients/cli/modes.h"
#include "clients/cli/session.h"

namespace larder::cli {
namespace {

std::string read_all(std::FILE* file) {
  std::string all;
  char chunk[16 * 1024];
  while (const size_t count = std::fread(chunk, 1, sizeof(chunk), file)) all.append(chunk, count);
  return all;
}

// --eval: the words behind it become the keys and, behind a comma, the arguments of the script in the file.
Status put_script_into(CliOptions& options) {
  std::FILE* file = std::fopen(options.script_path.c_str(), "r");
  if (file == nullptr) return os_error(errno, "Can't open file '" + options.script_path + "'");
  const std::string script = read_all(file);
  std::fclose(file);
  std::vector<std::string> command = {"EVAL", script, "0"};
  const auto comma = std::find(options.command.begin(), options.command.end(), ",");
  command[2] = std::to_string(comma - options.command.begin());
  command.insert(command.end(), options.command.begin(), comma);
  if (comma != options.command.end()) command.insert(command.end(), comma + 1, options.command.end());
  options.command = std::move(command);
  return Status();
}

int run(const std::vector<std::string>& arguments) {
  const char* env_password = std::getenv("REDISCLI_AUTH");
  Result<CliOptions> options = parse_cli_options(arguments, env_password != nullptr ? env_password : "");
  if (!options) {
    std::fprintf(stderr, "%s\nlarder-cli --help lists the options\n", options.error().message.c_str());
    return 1;
  }
  if (options->mode == CliMode::kHelp || options->mode == CliMode::kVersion) {
    const std::string version = "larder-cli " + std::string(kVersion) + "\n";
    std::fputs(options->mode == CliMode::kHelp ? cli_help_text().c_str() : version.c_str(), stdout);
    return 0;
  }
  if (!options->script_path.empty()) {
    if (const Status read = put_script_into(*options); !read.ok()) {
      std::fprintf(stderr, "%s\n", std::string(read.message()).c_str());
      return 1;
    }
  }
  if (options->format == OutputFormat::kAuto) {
    options->format = isatty(STDOUT_FILENO) == 1 ? OutputFormat::kStandard : OutputFormat::kRaw;
  }
  if (!options->show_pushes) options->show_pushes = isatty(STDOUT_FILENO) == 1;
  if (options->ask_password) {
    const char* typed = getpass("Please input password: ");
    options->endpoint.password = typed != nullptr ? typed : "";
  } else if (!options->endpoint.password.empty() && !options->quiet_auth_warning) {
    std::fputs("Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n",
               stderr);
  }
  const bool wants_input = options->read_last_argument || !options->argument_tag.empty();
  Session session(*options);
  switch (options->mode) {
    case CliMode::kPipe:
      return run_pipe(session);
    case CliMode::kScan:
      return run_scan(session);
    case CliMode::kStat:
      return run_stat(session);
    case CliMode::kLatency:
    case CliMode::kLatencyHistory:
      return run_latency(session);
    case CliMode::kIntrinsicLatency:
      return run_intrinsic_latency(options->intrinsic_s);
    case CliMode::kBigKeys:
    case CliMode::kMemKeys:
    case CliMode::kHotKeys:
      return run_key_survey(session);
    case CliMode::kRdb:
      return run_rdb(session);
    case CliMode::kCommand:
      return run_command(session, wants_input ? read_all(stdin) : "");
    default:
      return run_interactive(session);
  }
}

}  // namespace
}  // namespace larder::cli

int main(int argc, char** argv) { return larder::cli::run(std::vector<std::string>(argv + 1, argv + argc)); }
