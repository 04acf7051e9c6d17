#include "server/script/script_flags.h"

#include <iterator>
#include <vector>

namespace larder {
namespace {

Error reply_error(std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; }

// Words of a line, at any number of spaces.
std::vector<Bytes> words_of(Bytes line) {
  std::vector<Bytes> words;
  while (true) {
    line = trim(line);
    if (line.empty()) return words;
    const size_t size = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, size));
    line.remove_prefix(size);
  }
}

Result<uint32_t> read_flags(Bytes list) {
  uint32_t flags = 0;
  while (!list.empty()) {
    const size_t size = std::min(list.find(','), list.size());
    const Bytes word = list.substr(0, size);
    list.remove_prefix(std::min(size + 1, list.size()));
    if (word.empty()) continue;
    const uint32_t flag = script_flag_of(word);
    if (flag == 0) return reply_error("ERR Unexpected flag in script shebang: " + std::string(word));
    flags |= flag;
  }
  return flags;
}

}  // namespace

uint32_t script_flag_of(Bytes word) {
  for (size_t i = 0; i < std::size(kScriptFlagWords); ++i) {
    if (equals_ignore_case(word, kScriptFlagWords[i])) return 1u << i;
  }
  return 0;
}

Result<ScriptHeader> read_script_header(Bytes source) {
  ScriptHeader header;
  header.code = source;
  if (!source.starts_with("#!")) return header;
  const size_t end = source.find('\n');
  if (end == Bytes::npos) return reply_error("ERR Invalid script shebang");
  header.flags = 0;
  header.code = source.substr(end);
  const std::vector<Bytes> words = words_of(source.substr(0, end));
  if (words[0] != "#!lua") {
    return reply_error("ERR Unexpected engine in script shebang: " + std::string(words[0]));
  }
  for (size_t i = 1; i < words.size(); ++i) {
    if (!words[i].starts_with("flags=")) return reply_error("ERR Unknown lua shebang option: " + std::string(words[i]));
    LARDER_TRY_ASSIGN(const uint32_t flags, read_flags(words[i].substr(6)));
    header.flags |= flags;
  }
  return header;
}

Result<LibraryHeader> read_library_header(Bytes source) {
  if (!source.starts_with("#!")) return reply_error("ERR Missing library metadata");
  const size_t end = source.find('\n');
  if (end == Bytes::npos) return reply_error("ERR Invalid library metadata");
  const std::vector<Bytes> words = words_of(source.substr(0, end));
  LibraryHeader header;
  header.engine = words[0].substr(2);
  header.code = source.substr(end);
  bool has_name = false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (!words[i].starts_with("name=")) {
      return reply_error("ERR Invalid metadata value given: " + std::string(words[i]));
    }
    if (has_name) return reply_error("ERR Invalid metadata value, name argument was given multiple times");
    has_name = true;
    header.name = words[i].substr(5);
  }
  if (!has_name) return reply_error("ERR Library name was not given");
  return header;
}

}  // namespace larder
