#include "server/script/lua_pattern.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace larder {

LuaPattern::LuaPattern(lua_State* state, Bytes text, Bytes pattern, Caret caret)
    : state_(state),
      runtime_(LuaRuntime::of(state)),
      begin_(text.data()),
      end_(text.data() + text.size()),
      pattern_(pattern.data()),
      pattern_end_(pattern.data() + std::min(pattern.find('\0'), pattern.size())),
      is_anchored_(caret == Caret::kAnchor && pattern.starts_with('^')) {
  if (is_anchored_) ++pattern_;
}

size_t LuaPattern::match_at(size_t offset) {
  count_ = 0;
  nesting_ = 0;
  const At end = match(begin_ + offset, pattern_);
  return end == nullptr ? kNpos : static_cast<size_t>(end - begin_);
}

// ---- Items: a character, a class or a set

bool LuaPattern::matches_class(unsigned char c, char letter) {
  bool matches = false;
  switch (std::tolower(static_cast<unsigned char>(letter))) {
    case 'a':
      matches = std::isalpha(c) != 0;
      break;
    case 'c':
      matches = std::iscntrl(c) != 0;
      break;
    case 'd':
      matches = std::isdigit(c) != 0;
      break;
    case 'l':
      matches = std::islower(c) != 0;
      break;
    case 'p':
      matches = std::ispunct(c) != 0;
      break;
    case 's':
      matches = std::isspace(c) != 0;
      break;
    case 'u':
      matches = std::isupper(c) != 0;
      break;
    case 'w':
      matches = std::isalnum(c) != 0;
      break;
    case 'x':
      matches = std::isxdigit(c) != 0;
      break;
    case 'z':
      matches = c == 0;
      break;
    default:
      return static_cast<unsigned char>(letter) == c;
  }
  return matches != (std::isupper(static_cast<unsigned char>(letter)) != 0);
}

// `set` is at the '[', `set_end` at the ']'.
bool LuaPattern::matches_set(unsigned char c, At set, At set_end) {
  bool wanted = true;
  At at = set + 1;
  if (*at == '^') {
    wanted = false;
    ++at;
  }
  for (; at < set_end; ++at) {
    if (*at == '%') {
      ++at;
      if (matches_class(c, *at)) return wanted;
    } else if (at + 2 < set_end && at[1] == '-') {
      if (static_cast<unsigned char>(*at) <= c && c <= static_cast<unsigned char>(at[2])) return wanted;
      at += 2;
    } else if (static_cast<unsigned char>(*at) == c) {
      return wanted;
    }
  }
  return !wanted;
}

// Behind the ']' of a set that begins at `set`. A ']' right at its beginning is a member.
LuaPattern::At LuaPattern::end_of_set(At set) {
  At at = set + 1;
  if (at < pattern_end_ && *at == '^') ++at;
  bool first = true;
  while (true) {
    if (at >= pattern_end_) luaL_error(state_, "malformed pattern (missing ']')");
    if (*at == ']' && !first) return at + 1;
    if (*at == '%') {
      ++at;
      if (at >= pattern_end_) luaL_error(state_, "malformed pattern (missing ']')");
    }
    ++at;
    first = false;
  }
}

LuaPattern::At LuaPattern::end_of_item(At item) {
  if (*item == '[') return end_of_set(item);
  if (*item != '%') return item + 1;
  if (item + 1 >= pattern_end_) luaL_error(state_, "malformed pattern (ends with '%%')");
  return item + 2;
}

bool LuaPattern::matches_one(At text, At item, At item_end) const {
  if (text >= end_) return false;
  const auto c = static_cast<unsigned char>(*text);
  switch (*item) {
    case '.':
      return true;
    case '%':
      return matches_class(c, item[1]);
    case '[':
      return matches_set(c, item, item_end - 1);
    default:
      return static_cast<unsigned char>(*item) == c;
  }
}

// ---- Sequences

LuaPattern::At LuaPattern::match(At text, At pattern) {
  if (++nesting_ > kNestingMax) luaL_error(state_, "pattern too complex");
  const At end = match_here(text, pattern);
  --nesting_;
  return end;
}

LuaPattern::At LuaPattern::match_here(At text, At pattern) {
  while (pattern < pattern_end_) {
    runtime_.count_step(state_);
    if (*pattern == '(') {
      const bool is_position = pattern + 1 < pattern_end_ && pattern[1] == ')';
      return is_position ? open_capture(text, pattern + 2, kPosition) : open_capture(text, pattern + 1, kOpen);
    }
    if (*pattern == ')') return close_capture(text, pattern + 1);
    if (*pattern == '$' && pattern + 1 == pattern_end_) return text == end_ ? text : nullptr;
    const char next = *pattern == '%' && pattern + 1 < pattern_end_ ? pattern[1] : '\0';
    if (next == 'b') {
      text = match_balanced(text, pattern + 2);
      pattern += 4;
    } else if (next == 'f') {
      text = match_frontier(text, pattern + 2, pattern);
    } else if (next >= '0' && next <= '9') {
      text = match_back_reference(text, next);
      pattern += 2;
    } else {
      const At item_end = end_of_item(pattern);
      const char quantifier = item_end < pattern_end_ ? *item_end : '\0';
      if (quantifier == '?') {
        if (matches_one(text, pattern, item_end)) {
          if (const At end = match(text + 1, item_end + 1)) return end;
        }
        pattern = item_end + 1;
        continue;
      }
      if (quantifier == '*' || quantifier == '+' || quantifier == '-') return match_quantified(text, pattern, item_end);
      text = matches_one(text, pattern, item_end) ? text + 1 : nullptr;
      pattern = item_end;
    }
    if (text == nullptr) return nullptr;
  }
  return text;
}

LuaPattern::At LuaPattern::match_quantified(At text, At item, At item_end) {
  if (*item_end == '-') return match_shortest(text, item, item_end);
  if (*item_end == '*') return match_longest(text, item, item_end);
  return matches_one(text, item, item_end) ? match_longest(text + 1, item, item_end) : nullptr;
}

LuaPattern::At LuaPattern::match_longest(At text, At item, At item_end) {
  ptrdiff_t count = 0;
  while (matches_one(text + count, item, item_end)) {
    ++count;
    runtime_.count_step(state_);
  }
  for (; count >= 0; --count) {
    if (const At end = match(text + count, item_end + 1)) return end;
    runtime_.count_step(state_);
  }
  return nullptr;
}

LuaPattern::At LuaPattern::match_shortest(At text, At item, At item_end) {
  while (true) {
    if (const At end = match(text, item_end + 1)) return end;
    if (!matches_one(text, item, item_end)) return nullptr;
    ++text;
    runtime_.count_step(state_);
  }
}

LuaPattern::At LuaPattern::match_balanced(At text, At pair) {
  if (pair + 1 >= pattern_end_) luaL_error(state_, "unbalanced pattern");
  if (text >= end_ || *text != pair[0]) return nullptr;
  int open = 1;
  for (At at = text + 1; at < end_; ++at) {
    runtime_.count_step(state_);
    if (*at == pair[1]) {
      if (--open == 0) return at + 1;
    } else if (*at == pair[0]) {
      ++open;
    }
  }
  return nullptr;
}

// %f[set]: the border between a character outside of the set and one inside; both ends of the text count as '\0'.
LuaPattern::At LuaPattern::match_frontier(At text, At set, At& next) {
  if (set >= pattern_end_ || *set != '[') luaL_error(state_, "missing '[' after '%%f' in pattern");
  next = end_of_set(set);
  const auto before = static_cast<unsigned char>(text == begin_ ? '\0' : text[-1]);
  const auto after = static_cast<unsigned char>(text == end_ ? '\0' : *text);
  return !matches_set(before, set, next - 1) && matches_set(after, set, next - 1) ? text : nullptr;
}

// ---- Captures

LuaPattern::At LuaPattern::open_capture(At text, At pattern, ptrdiff_t size) {
  if (count_ >= kCapturesMax) luaL_error(state_, "too many captures");
  captures_[count_++] = {text, size};
  const At end = match(text, pattern);
  if (end == nullptr) --count_;
  return end;
}

LuaPattern::At LuaPattern::close_capture(At text, At pattern) {
  int index = count_ - 1;
  while (index >= 0 && captures_[index].size != kOpen) --index;
  if (index < 0) luaL_error(state_, "invalid pattern capture");
  captures_[index].size = text - captures_[index].begin;
  const At end = match(text, pattern);
  if (end == nullptr) captures_[index].size = kOpen;
  return end;
}

LuaPattern::At LuaPattern::match_back_reference(At text, char digit) {
  const int index = digit - '1';
  if (index < 0 || index >= count_ || captures_[index].size == kOpen) luaL_error(state_, "invalid capture index");
  const ptrdiff_t size = captures_[index].size;
  if (size == kPosition) return nullptr;  // the text of a position matches nothing in Lua 5.1
  if (end_ - text < size || std::memcmp(captures_[index].begin, text, static_cast<size_t>(size)) != 0) return nullptr;
  return text + size;
}

void LuaPattern::push_capture(int index, size_t begin, size_t end) {
  if (index >= count_) {
    if (index != 0) luaL_error(state_, "invalid capture index");
    push_text(state_, {begin_ + begin, end - begin});
    return;
  }
  const Capture& capture = captures_[index];
  if (capture.size == kOpen) luaL_error(state_, "unfinished capture");
  if (capture.size == kPosition) {
    lua_pushinteger(state_, capture.begin - begin_ + 1);
  } else {
    push_text(state_, {capture.begin, static_cast<size_t>(capture.size)});
  }
}

int LuaPattern::push_captures(size_t begin, size_t end) {
  const int count = count_ == 0 ? 1 : count_;
  luaL_checkstack(state_, count, "too many captures");
  for (int i = 0; i < count; ++i) push_capture(i, begin, end);
  return count;
}

}  // namespace larder
