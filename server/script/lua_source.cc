#include "server/script/lua_source.h"

#include <algorithm>
#include <utility>

namespace larder {
namespace {

// In the compiler's messages these are named as what cannot be read. The space separates them from what stands before.
constexpr Bytes kNumberMarker = " 0x";
constexpr Bytes kSymbolMarker = " $";

constexpr Bytes kArgTable = " local arg={n=select('#',...),...} ";

bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '_'; }
bool is_line_end(char c) { return c == '\n' || c == '\r'; }
bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

template <class Test>
size_t skip(Bytes text, size_t at, Test belongs) {
  while (at < text.size() && belongs(text[at])) ++at;
  return at;
}

// Lua 5.1 looks for a character among others with C's strchr(), which finds a zero byte in every text: behind the digits it
// stands for the 'e', behind an 'e' for the sign.
bool begins_exponent(char c) { return to_lower(c) == 'e' || c == '\0'; }
bool is_exponent_sign(char c) { return c == '+' || c == '-' || c == '\0'; }

// Behind the token that Lua 5.1 takes for a number, right or wrong.
size_t end_of_number(Bytes text, size_t begin) {
  size_t at = skip(text, begin, [](char c) { return is_digit(c) || c == '.'; });
  if (at < text.size() && begins_exponent(text[at])) {
    ++at;
    if (at < text.size() && is_exponent_sign(text[at])) ++at;
  }
  return skip(text, at, is_name_part);
}

// Whether C's strtod() reads all of the token: decimal, or hexadecimal, which may have a binary exponent.
bool is_number(Bytes token) {
  const bool is_hex = token.size() > 2 && token[0] == '0' && to_lower(token[1]) == 'x';
  size_t at = is_hex ? 2 : 0;
  const size_t digits = at;
  size_t points = 0;
  for (; at < token.size(); ++at) {
    if (token[at] == '.' && !is_hex) {
      ++points;
    } else if (!(is_hex ? hex_value(token[at]) >= 0 : is_digit(token[at]))) {
      break;
    }
  }
  if (points > 1 || at - digits == points) return false;
  if (at == token.size()) return true;
  if (to_lower(token[at]) != (is_hex ? 'p' : 'e')) return false;
  ++at;
  if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
  return at < token.size() && skip(token, at, is_digit) == token.size();
}

// Whether the text has that name somewhere, maybe in a string or a comment.
bool has_name(Bytes text, Bytes name) {
  for (size_t at = text.find(name); at != Bytes::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    if ((at == 0 || !is_name_part(text[at - 1])) && (end == text.size() || !is_name_part(text[end]))) return true;
  }
  return false;
}

// Escapes that Lua 5.1 knows, beside digits and line ends.
bool is_known_escape(char c) { return is_digit(c) || is_line_end(c) || Bytes("abfnrtv\\\"'").find(c) != Bytes::npos; }

}  // namespace

// The compiler would skip a first line with '#', and take the mark of bytecode for bytecode.
LuaSource::LuaSource(Bytes text) : text_(text), names_arg_(has_name(text, "arg")) {
  if (text.starts_with('#') || text.starts_with('\x1b')) inserted_ = " ";
}

Bytes LuaSource::next_piece(size_t bytes_max) {
  while (inserted_.empty() && at_ < text_.size()) {
    const Bytes span = next_span(bytes_max);
    if (!span.empty()) return span;
  }
  return std::exchange(inserted_, {});
}

// Up to the next cut. May be empty: when that is where the span begins.
Bytes LuaSource::next_span(size_t bytes_max) {
  const size_t begin = at_;
  const size_t end = begin + std::min(bytes_max, text_.size() - begin);
  cut_ = kNowhere;
  while (at_ < end && cut_ == kNowhere) {
    switch (inside_) {
      case Inside::kCode:
        walk_code();
        break;
      case Inside::kLineComment:
        at_ = std::min(text_.substr(0, end).find_first_of("\n\r", at_), end);
        if (at_ < end) inside_ = Inside::kCode;
        break;
      case Inside::kShortString:
        walk_short_string(end);
        break;
      case Inside::kLongBracket:
        walk_long_bracket(end);
        break;
    }
  }
  return text_.substr(begin, std::min(cut_, at_) - begin);
}

void LuaSource::cut(Bytes inserted, size_t resume) {
  cut_ = at_;
  inserted_ = inserted;
  at_ = resume;
}

void LuaSource::stop(Bytes marker, Bytes shown) {
  stopped_marker_ = marker;
  stopped_shown_ = shown;
  cut(marker, text_.size());
}

// ---- One token, or the beginning of one that may be long

void LuaSource::walk_code() {
  const char c = text_[at_];
  const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (c == ' ') {
    ++at_;
  } else if (is_letter(c) || c == '_') {
    walk_word();
  } else if (is_digit(c) || (c == '.' && is_digit(next))) {
    walk_number();
  } else if (is_beyond_ascii(c)) {
    stop(kSymbolMarker, text_.substr(at_, 1));
  } else if (c == '"' || c == '\'') {
    quote_ = c;
    inside_ = Inside::kShortString;
    ++at_;
  } else if (c == '-' && next == '-') {
    at_ += 2;
    if (!opens_long_bracket()) inside_ = Inside::kLineComment;
  } else if (c == '.' && next == '.') {
    walk_dots();
  } else if (!opens_long_bracket()) {
    walk_symbol();
  }
}

void LuaSource::walk_word() {
  const size_t begin = at_;
  at_ = skip(text_, at_, is_name_part);
  if (names_arg_ && text_.substr(begin, at_ - begin) == "function") head_ = Head::kName;
}

void LuaSource::walk_dots() {
  const size_t begin = at_;
  at_ = skip(text_, at_, [](char point) { return point == '.'; });
  if (head_ == Head::kParameters && at_ - begin == 3) head_ = Head::kDots;
}

void LuaSource::walk_symbol() {
  const char c = text_[at_++];
  if (c == '(' && head_ == Head::kName) {
    head_ = Head::kParameters;
  } else if (c == ')' && head_ != Head::kNone) {
    if (head_ == Head::kDots) cut(kArgTable, at_);
    head_ = Head::kNone;
  }
}

void LuaSource::walk_number() {
  const size_t end = end_of_number(text_, at_);
  const Bytes whole = text_.substr(at_, end - at_);
  const Bytes token = whole.substr(0, whole.find('\0'));  // what the conversion to a number sees
  if (!is_number(token)) return stop(kNumberMarker, token);
  at_ += token.size();
  if (token.size() < whole.size() || (end < text_.size() && text_[end] == '.')) cut(" ", end);
}

// Up to an escape, or one escape, or the end. A string that its line does not end is the compiler's to refuse.
void LuaSource::walk_short_string(size_t end) {
  const size_t plain =
      skip(text_.substr(0, end), at_, [this](char c) { return c != quote_ && c != '\\' && !is_line_end(c); });
  if (plain > at_) {
    at_ = plain;
    return;
  }
  const char c = text_[at_];
  if (c == quote_ || is_line_end(c)) inside_ = Inside::kCode;
  if (c != '\\' || at_ + 1 == text_.size()) {
    ++at_;
  } else if (is_known_escape(text_[at_ + 1])) {
    const bool is_pair = is_line_end(text_[at_ + 1]) && at_ + 2 < text_.size() && is_line_end(text_[at_ + 2]) &&
                         text_[at_ + 1] != text_[at_ + 2];
    at_ += is_pair ? 3 : 2;
  } else {
    cut({}, at_ + 1);  // the character behind it is no quote and no backslash: it is plain
  }
}

// "[[", "[=[" ... at the current position.
bool LuaSource::opens_long_bracket() {
  if (at_ >= text_.size() || text_[at_] != '[') return false;
  const size_t end = skip(text_, at_ + 1, [](char c) { return c == '='; });
  if (end >= text_.size() || text_[end] != '[') return false;
  bracket_level_ = end - at_ - 1;
  inside_ = Inside::kLongBracket;
  at_ = end + 1;
  return true;
}

void LuaSource::walk_long_bracket(size_t end) {
  at_ = std::min(text_.substr(0, end).find(']', at_), end);
  if (at_ == end) return;
  const size_t second = skip(text_, at_ + 1, [](char c) { return c == '='; });
  const bool is_level = second - at_ - 1 == bracket_level_;
  const bool closes = is_level && second < text_.size() && text_[second] == ']';
  at_ = closes ? second + 1 : second;  // another ']' may begin there
  if (closes) inside_ = Inside::kCode;
}

LuaSource::Message LuaSource::mended_error(Bytes message) const {
  constexpr Bytes kNear = " near '";
  if (!stopped_marker_.empty() && message.ends_with('\'')) {
    const Bytes rest = message.substr(0, message.size() - 1);
    const Bytes marker = stopped_marker_.substr(1);
    const Bytes place = rest.substr(0, rest.size() - std::min(rest.size(), marker.size()));
    if (rest.ends_with(marker) && place.ends_with(kNear)) return {place, stopped_shown_, "'"};
  }
  // Of all escapes only "\\300" and the like are left to be refused.
  constexpr Bytes kInvalid = "invalid escape sequence near";
  const size_t found = message.find(kInvalid);
  if (found == Bytes::npos) return {message, {}, {}};
  return {message.substr(0, found), "escape sequence too large near", message.substr(found + kInvalid.size())};
}

}  // namespace larder
