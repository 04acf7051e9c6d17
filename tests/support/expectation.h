#pragma once

// What a scenario expects of one reply: a pattern, its text form, and whether a reply fits it.
//
// The notation is described in docs/design/spec_format.md. Parsing reports mistakes as values with the position, so that a
// malformed file is named by line and never taken for a pass.

#include <cstdint>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/reply_reader.h"

namespace larder::testing {

struct Pattern {
  enum class Kind : uint8_t {
    kSimple,   // text
    kError,    // text
    kInteger,  // low
    kBulk,     // text
    kNil,
    kNilArray,
    kArray,      // elements, open_ended
    kMap,        // elements: key, value, key, value ...
    kSet,        // elements in any order
    kPush,       // elements
    kDouble,     // text
    kBoolean,    // low is 1 or 0
    kBigNumber,  // text
    kVerbatim,   // format, text
    kNoReply,
    kTextRegex,   // regex
    kErrorRegex,  // regex
    kErrorCode,   // text
    kUnordered,   // elements
    kAny,
    kAnyInteger,
    kAnyBulk,
    kAnyError,
    kAnyArray,
    kIntegerRange,  // low, high
    kNear,          // number, tolerance
    kByteCount,     // low
    kAnyOf,         // elements: the alternatives
    kElementCount,  // low, high
    kEach,          // low, high, elements[0]
    kSave,          // text: the variable's name
    kVariable,      // text: the variable's name
  };
  Kind kind = Kind::kAny;
  std::string text;
  std::string format;
  int64_t low = 0;
  int64_t high = 0;
  double number = 0;
  double tolerance = 0;
  bool open_ended = false;
  std::vector<Pattern> elements;
  std::shared_ptr<const std::regex> regex;
};

// Texts kept by <save name>.
using Variables = std::map<std::string, std::string>;

// True when the reply fits. `protocol` decides how null arrays read. Saves into `variables`.
bool matches(const Pattern& pattern, const Reply& reply, int protocol, Variables& variables);

// The text of an expectation that may need more lines: complete, or a bracket is still open, or a mistake.
enum class PatternOutcome : uint8_t { kComplete, kNeedsMore, kMalformed };
struct PatternParse {
  PatternOutcome outcome = PatternOutcome::kMalformed;
  Pattern pattern;
  std::string mistake;
};
PatternParse parse_pattern(Bytes text);

// Reads the double-quoted text that starts at `text[at]`, moving `at` behind it. False when it is not well formed.
bool read_quoted(Bytes text, size_t& at, std::string& out);
// "<x*1000>" -> 1000 times x. False when `word` is not of that form; `out` is limited to 64 MiB.
bool expand_fill(Bytes word, std::string& out);

}  // namespace larder::testing
