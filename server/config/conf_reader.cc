#include "server/config/conf_reader.h"

#include <algorithm>

#include "base/glob.h"
#include "base/number_text.h"
#include "base/version.h"
#include "protocol/request_parser.h"
#include "server/config/invalid.h"
#include "server/config/nearest_option.h"

namespace larder {
namespace {

constexpr char kBadDirective[] = "Bad directive or wrong number of arguments";
constexpr char kWrongCount[] = "wrong number of arguments";

// Names that older files carry and that mean nothing any more.
constexpr Bytes kForgotten[] = {"list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"};

// Directives that ask for what would be dangerous to leave out in silence.
struct Refused {
  Bytes name;
  Bytes reason;
};
constexpr Refused kRefused[] = {
    {"loadmodule", "Modules are not available in Larder"},
    {"user", "ACL users are not available in this version of Larder: use requirepass"},
    {"sentinel", "sentinel directive while not in sentinel mode"},
};

Status unknown_directive(Bytes name) {
  std::string reason = kBadDirective;
  const Bytes nearest = nearest_option(name);
  if (!nearest.empty()) reason += "\nDid you mean '" + std::string(nearest) + "'?";
  return invalid(std::move(reason));
}

// Replaces each path (empty, or with a slash at its end) by those that follow when `component` is put behind it.
void expand_component(FileSystem& files, Bytes component, std::vector<std::string>& paths) {
  std::vector<std::string> next;
  for (const std::string& path : paths) {
    if (glob_is_literal(component)) {
      next.push_back(path + std::string(component));
      continue;
    }
    const auto entries = files.list(path.empty() ? "." : path == "/" ? path : path.substr(0, path.size() - 1));
    if (!entries.ok()) continue;
    for (const DirectoryEntry& entry : *entries) {
      if (entry.name.starts_with('.') && !component.starts_with('.')) continue;
      if (glob_match(component, entry.name)) next.push_back(path + entry.name);
    }
  }
  paths = std::move(next);
}

}  // namespace

std::vector<std::string> expand_path_pattern(FileSystem& files, Bytes pattern) {
  if (glob_is_literal(pattern)) return {std::string(pattern)};
  std::vector<std::string> paths = {""};
  while (!pattern.empty() && !paths.empty()) {
    const size_t slash = pattern.find('/');
    expand_component(files, pattern.substr(0, slash), paths);
    if (slash == Bytes::npos) break;
    for (std::string& path : paths) path += '/';
    pattern.remove_prefix(slash + 1);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Status ConfReader::read_file(const std::string& path) {
  const auto text = larder::read_file(files_, path, kFileBytesMax);
  if (!text.ok()) {
    return {text.error().code, "Fatal error, can't open config file '" + path + "': " + text.error().message};
  }
  return read_lines(*text, {}, 0);
}

Status ConfReader::read_text(Bytes text) { return read_lines(text, {}, 0); }

Status ConfReader::read_option_words(std::span<const Bytes> words) {
  std::string line;
  for (const Bytes word : words) {
    if (!line.empty()) line += ' ';
    const bool plain = !word.empty() && word.find_first_of(" \t\r\n\"'") == Bytes::npos;
    line += plain ? std::string(word) : larder::quoted(word);
  }
  return read_directive(words, {{}, 0, line}, 0);
}

Status ConfReader::read_lines(Bytes text, Bytes file, uint32_t depth) {
  RequestArgs words;
  Place place{file, 0, {}};
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    place.text = trim(text.substr(0, end));
    ++place.line;
    text.remove_prefix(std::min(end + 1, text.size()));
    if (place.text.empty() || place.text.front() == '#') continue;
    words.clear();
    if (!split_quoted_words(place.text, words)) {
      LARDER_TRY(located(place, invalid("Unbalanced quotes in configuration line")));
    }
    if (words.size() == 0) continue;
    LARDER_TRY(read_directive(words.slice(0, words.size()), place, depth));
  }
  return {};
}

Status ConfReader::located(const Place& place, const Status& status) {
  if (status.ok()) return {};
  std::string text = "\n*** FATAL CONFIG FILE ERROR (Larder " + std::string(kVersion) + ") ***\n";
  if (place.line == 0) {
    text += "Reading the command line";
  } else {
    text += "Reading the configuration file";
    if (!place.file.empty()) text += " '" + std::string(place.file) + "'";
    text += ", at line " + to_text(static_cast<int64_t>(place.line));
  }
  text += "\n>>> '" + std::string(place.text) + "'\n" + std::string(status.message()) + "\n";
  return {status.code(), std::move(text)};
}

Status ConfReader::read_directive(std::span<const Bytes> words, const Place& place, uint32_t depth) {
  const Bytes name = words[0];
  const auto values = words.subspan(1);
  if (equals_ignore_case(name, "include")) {
    if (values.size() != 1) return located(place, invalid(kWrongCount));
    return read_included(values[0], place, depth);
  }
  if (equals_ignore_case(name, "rename-command")) {
    if (values.size() != 2) return located(place, invalid(kWrongCount));
    settings_.renamed_commands.push_back({std::string(values[0]), std::string(values[1])});
    return {};
  }
  for (const Refused& refused : kRefused) {
    if (equals_ignore_case(name, refused.name)) {
      return located(place, {ErrorCode::kUnsupported, std::string(refused.reason)});
    }
  }
  for (const Bytes forgotten : kForgotten) {
    if (equals_ignore_case(name, forgotten)) return {};
  }
  const OptionRow* row = find_option(name);
  if (row == nullptr) return located(place, unknown_directive(name));
  return located(place, read_row(*row, values));
}

Status ConfReader::read_row(const OptionRow& row, std::span<const Bytes> values) {
  if (values.empty()) return invalid(kWrongCount);
  // One quoted argument may hold all the words of an option that takes several: `save "60 1"`.
  std::vector<Bytes> split;
  if (row.has(kMultiArgument) && values.size() == 1) {
    split = split_at_spaces(values[0]);
    values = split;
  }
  const bool first = seen_.insert(&row).second;
  if (!first && row.special != nullptr && row.special->read_more != nullptr) {
    return row.special->read_more(values, settings_);
  }
  return read_option(row, values, settings_);
}

Status ConfReader::read_included(Bytes pattern, const Place& place, uint32_t depth) {
  if (depth == kIncludeDepthMax) return located(place, invalid("too many levels of include"));
  for (const std::string& path : expand_path_pattern(files_, pattern)) {
    const auto text = larder::read_file(files_, path, kFileBytesMax);
    if (!text.ok()) {
      return located(place, {text.error().code, "can't open config file '" + path + "': " + text.error().message});
    }
    LARDER_TRY(read_lines(*text, path, depth + 1));
  }
  return {};
}

}  // namespace larder
