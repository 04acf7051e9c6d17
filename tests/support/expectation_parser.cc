// The text form of expectations: a recursive reader over one text. Depth is bounded by what a person writes in a file.

#include <algorithm>

#include "base/number_text.h"
#include "tests/support/expectation.h"

namespace larder::testing {
namespace {

using Kind = Pattern::Kind;

constexpr uint64_t kFillBytesMax = 64 * 1024 * 1024;
constexpr int kDepthMax = 32;

class PatternReader {
 public:
  explicit PatternReader(Bytes text) : text_(text) {}

  PatternParse parse() {
    PatternParse result;
    if (read_line_form(result.pattern) || read_value(result.pattern, 0)) {
      skip_space();
      if (at_ == text_.size()) {
        result.outcome = PatternOutcome::kComplete;
        return result;
      }
      fail("text after the value: " + std::string(text_.substr(at_)));
    }
    result.outcome = needs_more_ ? PatternOutcome::kNeedsMore : PatternOutcome::kMalformed;
    result.mistake = mistake_;
    return result;
  }

 private:
  bool fail(std::string mistake) {
    if (mistake_.empty()) mistake_ = std::move(mistake);
    return false;
  }
  bool end_of_text() {
    needs_more_ = true;
    return fail("a bracket is not closed");
  }
  bool done() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }
  void skip_space() {
    while (!done() && (is_space(peek()))) ++at_;
  }
  bool eat(Bytes word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  // Up to the next space or bracket.
  Bytes word() {
    const size_t from = at_;
    while (!done() && !is_space(peek()) && Bytes("[]{}:<>").find(peek()) == Bytes::npos) ++at_;
    return text_.substr(from, at_ - from);
  }

  // Forms that take the rest of the line: +text -text ~regex -~regex.
  bool read_line_form(Pattern& out) {
    if (text_.empty() || (text_[0] != '+' && text_[0] != '-' && text_[0] != '~')) return false;
    if (text_[0] == '-' && parse_int64(text_)) return false;
    Bytes rest = text_.substr(1);
    const bool is_error_regex = text_[0] == '-' && !rest.empty() && rest[0] == '~';
    if (is_error_regex) rest.remove_prefix(1);
    std::string value(rest);
    if (!rest.empty() && rest[0] == '"') {
      size_t at = 0;
      if (!read_quoted(rest, at, value) || at != rest.size()) return false;
    }
    at_ = text_.size();
    if (is_error_regex) return make_regex(Kind::kErrorRegex, value, out);
    if (text_[0] == '~') return make_regex(Kind::kTextRegex, value, out);
    out.kind = text_[0] == '+' ? Kind::kSimple : Kind::kError;
    out.text = value;
    return true;
  }

  bool make_regex(Kind kind, const std::string& expression, Pattern& out) {
    out.kind = kind;
    out.text = expression;
    try {
      out.regex = std::make_shared<const std::regex>(expression, std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
      return fail("not a regular expression: " + expression);
    }
    return true;
  }

  bool read_value(Pattern& out, int depth) {
    if (depth > kDepthMax) return fail("nested too deeply");
    skip_space();
    if (done()) return depth > 0 ? end_of_text() : fail("a value is missing");
    switch (peek()) {
      case '"':
        out.kind = Kind::kBulk;
        return read_quoted(text_, at_, out.text) || fail("a quoted text is not well formed");
      case '[':
        ++at_;
        out.kind = Kind::kArray;
        return read_elements(out, depth);
      case '{':
        ++at_;
        return read_map(out, depth);
      case '(':
        return read_parenthesized(out);
      case '<':
        return read_matcher(out, depth);
      case '+':
      case '~':
        return read_status(out);
      case '$':
        ++at_;
        out.kind = Kind::kVariable;
        out.text = word();
        return !out.text.empty() || fail("a name is missing after $");
      default:
        return read_word_form(out, depth);
    }
  }

  bool read_parenthesized(Pattern& out) {
    if (eat("(nil-array)")) {
      out.kind = Kind::kNilArray;
    } else if (eat("(nil)")) {
      out.kind = Kind::kNil;
    } else if (eat("(no-reply)")) {
      out.kind = Kind::kNoReply;
    } else {
      return fail("(nil), (nil-array) or (no-reply) expected");
    }
    return true;
  }

  // Inside brackets: +word, +"words", -"words", ~"regex".
  bool read_status(Pattern& out) {
    const char mark = text_[at_++];
    const bool is_error_regex = mark == '-' && !done() && peek() == '~';
    if (is_error_regex) ++at_;
    std::string value;
    if (!done() && peek() == '"') {
      if (!read_quoted(text_, at_, value)) return fail("a quoted text is not well formed");
    } else {
      value = word();
    }
    if (is_error_regex) return make_regex(Kind::kErrorRegex, value, out);
    if (mark == '~') return make_regex(Kind::kTextRegex, value, out);
    out.kind = mark == '+' ? Kind::kSimple : Kind::kError;
    out.text = value;
    return true;
  }

  bool read_word_form(Pattern& out, int depth) {
    const size_t start = at_;
    const Bytes name = word();
    if (const auto integer = parse_int64(name)) {
      out.kind = Kind::kInteger;
      out.low = *integer;
      return true;
    }
    if (name == "true" || name == "false") {
      out.kind = Kind::kBoolean;
      out.low = name == "true" ? 1 : 0;
      return true;
    }
    if (name == "double" || name == "big") {
      skip_space();
      out.kind = name == "double" ? Kind::kDouble : Kind::kBigNumber;
      out.text = word();
      return !out.text.empty() || fail("a number is missing");
    }
    if (name == "verbatim") {
      skip_space();
      out.kind = Kind::kVerbatim;
      out.format = word();
      skip_space();
      return (!done() && peek() == '"' && read_quoted(text_, at_, out.text)) ||
             fail("verbatim FORMAT \"text\" expected");
    }
    if (name == "set" || name == "push" || name == "unordered") {
      skip_space();
      if (done() || peek() != '[') return fail("'[' expected after " + std::string(name));
      ++at_;
      out.kind = name == "set" ? Kind::kSet : name == "push" ? Kind::kPush : Kind::kUnordered;
      return read_elements(out, depth);
    }
    at_ = start;
    if (peek() == '-') return read_status(out);
    return fail("not a value: " + std::string(text_.substr(start, 40)));
  }

  bool read_elements(Pattern& out, int depth) {
    while (true) {
      skip_space();
      if (done()) return end_of_text();
      if (eat("]")) return true;
      if (out.open_ended) return fail("'...' must be the last element");
      if (eat("...")) {
        out.open_ended = true;
        continue;
      }
      if (!read_value(out.elements.emplace_back(), depth + 1)) return false;
    }
  }

  bool read_map(Pattern& out, int depth) {
    out.kind = Kind::kMap;
    while (true) {
      skip_space();
      if (done()) return end_of_text();
      if (eat("}")) return true;
      if (out.open_ended) return fail("'...' must be the last element");
      if (eat("...")) {
        out.open_ended = true;
        continue;
      }
      if (!read_value(out.elements.emplace_back(), depth + 1)) return false;
      skip_space();
      if (done()) return end_of_text();
      if (!eat(":")) return fail("':' expected between key and value");
      if (!read_value(out.elements.emplace_back(), depth + 1)) return false;
    }
  }

  bool read_matcher(Pattern& out, int depth) {
    const size_t close = text_.find('>', at_);
    if (close == Bytes::npos) return fail("'>' is missing");
    if (expand_fill(text_.substr(at_, close + 1 - at_), out.text)) {
      at_ = close + 1;
      out.kind = Kind::kBulk;
      return true;
    }
    ++at_;
    const Bytes name = word();
    if (!read_matcher_arguments(name, out, depth)) return fail("bad matcher <" + std::string(name) + " ...>");
    skip_space();
    return eat(">") || fail("'>' expected");
  }

  bool read_matcher_arguments(Bytes name, Pattern& out, int depth) {
    static constexpr std::pair<Bytes, Kind> kPlain[] = {{"any", Kind::kAny},
                                                        {"any-integer", Kind::kAnyInteger},
                                                        {"any-bulk", Kind::kAnyBulk},
                                                        {"any-error", Kind::kAnyError},
                                                        {"any-array", Kind::kAnyArray}};
    for (const auto& [plain, kind] : kPlain) {
      if (plain != name) continue;
      out.kind = kind;
      return true;
    }
    skip_space();
    if (name == "error" || name == "save") {
      out.kind = name == "error" ? Kind::kErrorCode : Kind::kSave;
      out.text = word();
      return !out.text.empty();
    }
    if (name == "int") {
      out.kind = Kind::kIntegerRange;
      return read_range(out);
    }
    if (name == "near") {
      out.kind = Kind::kNear;
      return read_number(out.number) && read_number(out.tolerance);
    }
    if (name == "bytes") {
      out.kind = Kind::kByteCount;
      return read_range(out);
    }
    if (name == "array") {
      out.kind = Kind::kElementCount;
      return read_range(out);
    }
    if (name == "each") {
      out.kind = Kind::kEach;
      return read_range(out) && read_value(out.elements.emplace_back(), depth + 1);
    }
    if (name != "any-of") return false;
    out.kind = Kind::kAnyOf;
    while (skip_space(), !done() && peek() != '>') {
      if (!read_value(out.elements.emplace_back(), depth + 1)) return false;
    }
    return !out.elements.empty();
  }

  // "3" or "1..3".
  bool read_range(Pattern& out) {
    const Bytes range = word();
    const size_t dots = range.find("..");
    const auto low = parse_int64(range.substr(0, dots));
    const auto high = dots == Bytes::npos ? low : parse_int64(range.substr(dots + 2));
    if (!low || !high || *low > *high) return false;
    out.low = *low;
    out.high = *high;
    return true;
  }

  bool read_number(double& out) {
    skip_space();
    const auto number = parse_double(word());
    if (!number) return false;
    out = *number;
    return true;
  }

  Bytes text_;
  size_t at_ = 0;
  bool needs_more_ = false;
  std::string mistake_;
};

}  // namespace

PatternParse parse_pattern(Bytes text) { return PatternReader(text).parse(); }

bool read_quoted(Bytes text, size_t& at, std::string& out) {
  out.clear();
  for (++at; at < text.size(); ++at) {
    if (text[at] == '"') {
      ++at;
      return true;
    }
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    if (++at >= text.size()) return false;
    static constexpr Bytes kLetters = "nrtab\"\\";
    static constexpr Bytes kMeanings = "\n\r\t\a\b\"\\";
    const size_t found = kLetters.find(text[at]);
    if (found != Bytes::npos) {
      out += kMeanings[found];
      continue;
    }
    if (text[at] != 'x' || at + 2 >= text.size()) return false;
    const int high = hex_value(text[at + 1]);
    const int low = hex_value(text[at + 2]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return false;
}

bool expand_fill(Bytes word, std::string& out) {
  if (word.size() < 4 || word.front() != '<' || word.back() != '>') return false;
  const size_t star = word.rfind('*');
  if (star == Bytes::npos || star < 2) return false;
  const Bytes piece = word.substr(1, star - 1);
  const auto times = parse_uint64(word.substr(star + 1, word.size() - star - 2));
  if (!times || *times * piece.size() > kFillBytesMax) return false;
  out.clear();
  out.reserve(*times * piece.size());
  for (uint64_t i = 0; i < *times; ++i) out += piece;
  return true;
}

}  // namespace larder::testing
