#pragma once

// Configuration in the syntax of redis.conf, into Settings.
//
// One directive a line: a name and words, quoted like inline requests. Lines that start with '#' are comments. Besides
// the options there are `include` (a path or a pattern; read in place), and `rename-command`. Options of the command
// line go through the same directives behind the file, so what comes later wins.
//
// The first mistake ends the reading: a server must not come up with half of what was asked for. The message is then the
// complete text for the operator, with place, line and reason, and what was probably meant.

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "server/config/option_rows.h"
#include "server/config/settings.h"

namespace larder {

class ConfReader {
 public:
  static constexpr uint64_t kFileBytesMax = 16 * 1024 * 1024;
  static constexpr uint32_t kIncludeDepthMax = 16;

  // Borrows both. Settings hold the defaults when reading begins.
  ConfReader(FileSystem& files, Settings& settings) : files_(files), settings_(settings) {}

  Status read_file(const std::string& path);
  // Text that is no file (standard input).
  Status read_text(Bytes text);
  // One option of the command line, name first.
  Status read_option_words(std::span<const Bytes> words);

 private:
  // Where a directive stands, for messages.
  struct Place {
    Bytes file;         // empty: the file that the server was started with, or standard input
    uint64_t line = 0;  // 0: the command line
    Bytes text;
  };
  Status read_lines(Bytes text, Bytes file, uint32_t depth);
  Status read_included(Bytes pattern, const Place& place, uint32_t depth);
  Status read_directive(std::span<const Bytes> words, const Place& place, uint32_t depth);
  Status read_row(const OptionRow& row, std::span<const Bytes> values);
  // The status, with place and line around its message.
  static Status located(const Place& place, const Status& status);

  FileSystem& files_;
  Settings& settings_;
  std::set<const OptionRow*> seen_;
};

// The paths that a pattern with * ? [ ] names, sorted; hidden names only where the pattern asks for them. A path without
// these bytes is returned as it is, whether it exists or not.
std::vector<std::string> expand_path_pattern(FileSystem& files, Bytes pattern);

}  // namespace larder
