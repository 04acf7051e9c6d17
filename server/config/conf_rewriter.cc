#include "server/config/conf_rewriter.h"

#include <algorithm>
#include <vector>

#include "base/number_text.h"
#include "protocol/request_parser.h"
#include "server/config/conf_reader.h"
#include "server/config/option_rows.h"

namespace larder {
namespace {

struct Line {
  std::string text;
  const OptionRow* row = nullptr;  // null: a comment, an include or another directive
};

const OptionRow* row_of_line(Bytes text) {
  text = trim(text);
  if (text.empty() || text.front() == '#') return nullptr;
  RequestArgs words;
  if (!split_quoted_words(text, words) || words.size() == 0) return nullptr;
  return find_option(words[0]);
}

std::vector<Line> split_lines(Bytes text) {
  std::vector<Line> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const Bytes line = text.substr(0, end);
    lines.push_back({std::string(line), row_of_line(line)});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string join_lines(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) {
    text += line.text;
    text += '\n';
  }
  return text;
}

// "1gb" where that says it exactly.
std::string memory_word(int64_t bytes) {
  constexpr struct {
    int64_t bytes;
    const char* word;
  } kUnits[] = {{1024 * 1024 * 1024, "gb"}, {1024 * 1024, "mb"}, {1024, "kb"}};
  for (const auto& unit : kUnits) {
    if (bytes > 0 && bytes % unit.bytes == 0) return to_text(bytes / unit.bytes) + unit.word;
  }
  return to_text(bytes);
}

std::string word_of(Bytes value) {
  const auto needs_quotes = [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\'; };
  if (!value.empty() && std::none_of(value.begin(), value.end(), needs_quotes)) return std::string(value);
  return larder::quoted(value);
}

// The lines that give an option its value.
std::vector<std::string> lines_of(const OptionRow& row, const Settings& settings) {
  const std::string name(row.name);
  if (row.special != nullptr && row.special->lines != nullptr) {
    std::vector<std::string> lines = row.special->lines(settings);
    for (std::string& line : lines) line = name + " " + line;
    return lines;
  }
  const std::string value = write_option(row, settings);
  if (row.type == OptionType::kMemory || row.type == OptionType::kMemoryOrPercent) {
    const auto bytes = parse_int64(value);
    return {name + " " + (bytes ? memory_word(*bytes) : value)};
  }
  if (row.has(kMultiArgument) && !value.empty()) return {name + " " + value};
  return {name + " " + word_of(value)};
}

Result<Settings> load(FileSystem& files, Bytes text) {
  Settings settings;
  ConfReader reader(files, settings);
  LARDER_TRY(reader.read_text(text));
  return settings;
}

// Puts the option's new lines in place of its old ones. False when there was no old one.
bool replace_lines(std::vector<Line>& lines, const OptionRow& row, const std::vector<std::string>& wanted) {
  std::vector<Line> result;
  size_t used = 0;
  bool found = false;
  const auto is_row = [&](const Line& line) { return line.row == &row; };
  const auto last = std::find_if(lines.rbegin(), lines.rend(), is_row);
  const size_t last_index = last == lines.rend() ? SIZE_MAX : static_cast<size_t>(lines.rend() - last) - 1;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!is_row(lines[i])) {
      result.push_back(std::move(lines[i]));
      continue;
    }
    found = true;
    if (used < wanted.size()) result.push_back({wanted[used++], &row});
    while (i == last_index && used < wanted.size()) result.push_back({wanted[used++], &row});
  }
  lines = std::move(result);
  return found;
}

void append_lines(std::vector<Line>& lines, const OptionRow& row, const std::vector<std::string>& wanted) {
  const auto is_marker = [](const Line& line) { return line.text == kRewriteMarker; };
  if (std::none_of(lines.begin(), lines.end(), is_marker)) lines.push_back({std::string(kRewriteMarker), nullptr});
  for (const std::string& text : wanted) lines.push_back({text, &row});
}

// An include below a line may overrule it: such options are given their value again at the end.
void overrule_includes(std::vector<Line>& lines, const Settings& loaded, const Settings& settings) {
  for (const OptionRow& row : option_rows()) {
    if (same_value(row, loaded, settings)) continue;
    std::vector<std::string> wanted = lines_of(row, settings);
    // Lines that add up start from nothing.
    const bool adds_up = row.special != nullptr && row.special->read_more != nullptr;
    if (adds_up) wanted.insert(wanted.begin(), std::string(row.name) + " \"\"");
    append_lines(lines, row, wanted);
  }
}

}  // namespace

Result<std::string> rewritten_conf(FileSystem& files, Bytes old_text, const Settings& settings) {
  LARDER_TRY_ASSIGN(const Settings before, load(files, old_text));
  std::vector<Line> lines = split_lines(old_text);
  bool unchanged = true;
  for (const OptionRow& row : option_rows()) {
    if (same_value(row, before, settings)) continue;
    unchanged = false;
    const std::vector<std::string> wanted = lines_of(row, settings);
    if (!replace_lines(lines, row, wanted)) append_lines(lines, row, wanted);
  }
  if (unchanged) return std::string(old_text);
  LARDER_TRY_ASSIGN(const Settings first_try, load(files, join_lines(lines)));
  overrule_includes(lines, first_try, settings);

  std::string text = join_lines(lines);
  LARDER_TRY_ASSIGN(const Settings after, load(files, text));
  for (const OptionRow& row : option_rows()) {
    if (same_value(row, after, settings)) continue;
    return Error{ErrorCode::kUnsupported, "the value of '" + std::string(row.name) + "' cannot be written down"};
  }
  return text;
}

Status rewrite_conf_file(FileSystem& files, const std::string& path, const Settings& settings) {
  LARDER_TRY_ASSIGN(const bool exists, files.exists(path));
  std::string old_text;
  if (exists) {
    LARDER_TRY_ASSIGN(old_text, read_file(files, path, ConfReader::kFileBytesMax));
  }
  LARDER_TRY_ASSIGN(const std::string text, rewritten_conf(files, old_text, settings));
  if (exists && text == old_text) return {};
  return replace_file(files, path, text);
}

}  // namespace larder
