#pragma once

// What the server was asked for on its command line:
//
//     larder-server [file | -] [--option value ...] ...
//
// A configuration file comes first, "-" reads configuration from standard input; options are what follows "--", each with
// all arguments up to the next one that starts with "--". Precedence: file, standard input, options.

#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "server/config/settings.h"

namespace larder {

struct CommandLine {
  enum class Action { kRun, kPrint };

  Action action = Action::kRun;
  std::string text;  // kPrint: what to print instead of running
  Settings settings;
  std::string config_file;  // absolute path, or empty
};

using InputReader = std::function<Result<std::string>()>;
// Reads the process's own standard input.
Result<std::string> read_standard_input();

// Reads the arguments and the files they name. `read_stdin` returns everything that standard input holds; it is called
// only when asked for. An error's message is the complete text for standard error.
Result<CommandLine> parse_command_line(int argc, const char* const* argv, FileSystem& files,
                                       const InputReader& read_stdin = read_standard_input);

// "Larder server v=7.2.4 larder=0.1.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=..."; scripts look for " v=".
std::string version_line(Bytes allocator);
// What --help prints.
Bytes usage_text();

}  // namespace larder
