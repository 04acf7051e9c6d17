#include "server/script/script_flags.h"

#include <algorithm>
#include <iterator>

#include "protocol/request_parser.h"

namespace larder {
namespace {

Error reply_error(std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; }

Result<uint32_t> read_flags(Bytes list) {
  uint32_t flags = 0;
  for (bool more = !list.empty(); more;) {
    const size_t size = std::min(list.find(','), list.size());
    const Bytes word = list.substr(0, size);
    more = size < list.size();
    list.remove_prefix(size + (more ? 1 : 0));
    const auto* const found = std::find(std::begin(kScriptFlagWords), std::end(kScriptFlagWords), word);
    if (found == std::end(kScriptFlagWords)) {
      return reply_error("ERR Unexpected flag in script shebang: " + std::string(word));
    }
    flags |= 1u << (found - std::begin(kScriptFlagWords));
  }
  return flags;
}

// Where the first line ends. Redis looks for it up to the first zero byte.
size_t end_of_header(Bytes source) { return source.substr(0, source.find('\0')).find('\n'); }

bool starts_with_name(Bytes word) { return equals_ignore_case(word.substr(0, 5), "name="); }

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
  const size_t end = end_of_header(source);
  if (end == Bytes::npos) return reply_error("ERR Invalid script shebang");
  header.flags = 0;
  header.code = source.substr(end);
  RequestArgs words;
  if (!split_quoted_words(source.substr(0, end), words)) return reply_error("ERR Invalid engine in script shebang");
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
  const size_t end = end_of_header(source);
  if (end == Bytes::npos) return reply_error("ERR Invalid library metadata");
  RequestArgs words;
  if (!split_quoted_words(source.substr(0, end), words)) return reply_error("ERR Invalid library metadata");
  LibraryHeader header;
  header.engine = words[0].substr(2);
  header.code = source.substr(end);
  bool has_name = false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (!starts_with_name(words[i])) {
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
