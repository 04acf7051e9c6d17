#include "server/config/command_line.h"

#include <span>
#include <vector>

#include "base/os_daemon.h"
#include "base/os_process.h"
#include "base/version.h"
#include "protocol/request_parser.h"
#include "server/config/conf_reader.h"
#include "server/core/compatibility.h"

namespace larder {
namespace {

constexpr int kArgumentsMax = 65536;

constexpr char kUsage[] =
    "Usage: larder-server [/path/to/larder.conf | -] [options]\n"
    "       larder-server -v | --version\n"
    "       larder-server -h | --help\n"
    "\n"
    "The file has the syntax of redis.conf; \"-\" reads it from standard input. Every directive of it is also an "
    "option:\n"
    "\n"
    "       larder-server                                  the defaults: port 6379 on all interfaces, protected mode\n"
    "       larder-server --port 7777 --maxmemory 2gb\n"
    "       larder-server /etc/larder.conf --loglevel verbose\n"
    "       larder-server --port 0 --unixsocket /run/larder.sock --unixsocketperm 770\n"
    "       larder-server --save \"\" --bind 127.0.0.1 ::1\n"
    "       echo 'maxmemory 128mb' | larder-server -\n";

// One option with its arguments, as the words of a directive.
using Words = std::vector<std::string>;

bool starts_option(Bytes argument) { return argument.starts_with("--"); }

// "--port 7000" in one argument is an option with its value; "--port" alone waits for the arguments behind it.
Result<Words> words_of_option(Bytes argument) {
  RequestArgs words;
  if (!split_quoted_words(argument.substr(2), words)) {
    return Error{ErrorCode::kInvalidArgument, "unbalanced quotes in '" + std::string(argument) + "'"};
  }
  Words all;
  for (const Bytes word : words.slice(0, words.size())) all.emplace_back(word);
  return all;
}

// Groups the arguments behind the file into options. The argument right behind a bare option is its value, even when it
// starts with "--" (a password may); an empty `--save` followed by an option is `--save ""`, which is what scripts get
// that expand an empty list of save points.
Status group_options(std::span<const Bytes> arguments, std::vector<Words>& options, bool& from_stdin) {
  bool wants_value = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Bytes argument = arguments[i];
    const bool is_last = i + 1 == arguments.size();
    if (argument == "-" && (i == 0 || is_last)) {
      from_stdin = true;
      continue;
    }
    if (wants_value || !starts_option(argument)) {
      if (options.empty()) {
        return {ErrorCode::kInvalidArgument, "'" + std::string(argument) + "' is no option: options start with --"};
      }
      options.back().emplace_back(argument);
      wants_value = false;
      continue;
    }
    LARDER_TRY_ASSIGN(Words words, words_of_option(argument));
    if (words.empty()) return {ErrorCode::kInvalidArgument, "'--' is no option"};
    wants_value = words.size() == 1;
    const bool no_value_follows = is_last || starts_option(arguments[i + 1]);
    if (wants_value && no_value_follows && equals_ignore_case(words[0], "save")) {
      words.emplace_back();
      wants_value = false;
    }
    options.push_back(std::move(words));
  }
  return {};
}

std::string absolute_path(Bytes path) {
  if (path.starts_with('/')) return std::string(path);
  const std::string directory = os_current_directory();
  return directory.empty() ? std::string(path) : join_path(directory, std::string(path));
}

Status read_options(std::span<const Words> options, ConfReader& reader) {
  for (const Words& words : options) {
    const std::vector<Bytes> views(words.begin(), words.end());
    LARDER_TRY(reader.read_option_words(views));
  }
  return {};
}

Status read_everything(std::span<const Bytes> arguments, FileSystem& files, const InputReader& read_stdin,
                       CommandLine& line) {
  ConfReader reader(files, line.settings);
  if (!arguments.empty() && !arguments[0].empty() && arguments[0].front() != '-') {
    line.config_file = absolute_path(arguments[0]);
    LARDER_TRY(reader.read_file(line.config_file));
    arguments = arguments.subspan(1);
  }
  std::vector<Words> options;
  bool from_stdin = false;
  LARDER_TRY(group_options(arguments, options, from_stdin));
  if (from_stdin) {
    LARDER_TRY_ASSIGN(const std::string text, read_stdin());
    LARDER_TRY(reader.read_text(text));
  }
  return read_options(options, reader);
}

}  // namespace

Result<std::string> read_standard_input() { return os_read_standard_input(ConfReader::kFileBytesMax); }

Result<CommandLine> parse_command_line(int argc, const char* const* argv, FileSystem& files,
                                       const InputReader& read_stdin) {
  if (argc > kArgumentsMax) return Error{ErrorCode::kResourceLimit, "too many arguments"};
  const std::vector<Bytes> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  CommandLine line;
  if (arguments.size() == 1) {
    if (arguments[0] == "-v" || arguments[0] == "--version") {
      line.action = CommandLine::Action::kPrint;
      line.text = version_line(os_allocator_name()) + "\n";
      return line;
    }
    if (arguments[0] == "-h" || arguments[0] == "--help") {
      line.action = CommandLine::Action::kPrint;
      line.text = usage_text();
      return line;
    }
  }
  if (!arguments.empty() && (arguments[0] == "--test-memory" || arguments[0] == "--check-system")) {
    return Error{ErrorCode::kUnsupported, std::string(arguments[0]) + " is not offered: use the tools of the system"};
  }
  LARDER_TRY(read_everything(arguments, files, read_stdin, line));
  return line;
}

std::string version_line(Bytes allocator) {
  return "Larder server v=" + std::string(kRedisVersion) + " larder=" + std::string(kVersion) +
         " sha=00000000:0 malloc=" + std::string(allocator) + " bits=" + std::to_string(8 * sizeof(void*)) +
         " build=" + std::string(kBuildId);
}

Bytes usage_text() { return kUsage; }

}  // namespace larder
