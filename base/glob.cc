// Glob matching with one saved position.
//
// Matching goes forward through pattern and text together. At a '*' the place is saved (behind the star, at the current
// text position) and the star takes nothing. On a mismatch the latest saved star takes one more byte and matching
// resumes behind it. Going back to an earlier star is never needed: whatever text the earlier star would give up, the
// latest one can take. Where a plain byte follows a star, only the places of that byte in the text are tried.
#include "base/glob.h"

#include <utility>

namespace larder {

namespace {

constexpr size_t kNoStar = static_cast<size_t>(-1);

constexpr bool is_special(char c) { return c == '*' || c == '?' || c == '[' || c == '\\'; }

char fold(char c, bool ignore_case) { return ignore_case ? to_lower(c) : c; }

// Matches `c` against the bracket whose '[' is at `*at` and moves `*at` behind the bracket (or to the end of an
// unclosed one).
bool match_bracket(Bytes pattern, size_t* at, char c, bool ignore_case) {
  const auto wanted = static_cast<unsigned char>(fold(c, ignore_case));
  size_t i = *at + 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) i++;
  bool matched = false;
  while (i < pattern.size() && pattern[i] != ']') {
    char low = pattern[i];
    if (low == '\\' && i + 1 < pattern.size()) {
      // An escaped byte stands for itself and starts no range.
      low = pattern[i + 1];
      i += 2;
      if (fold(low, ignore_case) == static_cast<char>(wanted)) matched = true;
      continue;
    }
    if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      auto first = static_cast<unsigned char>(low);
      auto last = static_cast<unsigned char>(pattern[i + 2]);
      if (first > last) std::swap(first, last);
      // Folding comes after ordering the ends: the order that Redis has.
      first = static_cast<unsigned char>(fold(static_cast<char>(first), ignore_case));
      last = static_cast<unsigned char>(fold(static_cast<char>(last), ignore_case));
      if (wanted >= first && wanted <= last) matched = true;
      i += 3;
      continue;
    }
    if (fold(low, ignore_case) == static_cast<char>(wanted)) matched = true;
    i++;
  }
  *at = i < pattern.size() ? i + 1 : i;
  return matched != negated;
}

// Matches one byte against the pattern item at `*at` (not a star) and moves `*at` behind the item.
bool match_item(Bytes pattern, size_t* at, char c, bool ignore_case) {
  switch (pattern[*at]) {
    case '?':
      ++*at;
      return true;
    case '[':
      return match_bracket(pattern, at, c, ignore_case);
    case '\\':
      if (*at + 1 < pattern.size()) ++*at;
      [[fallthrough]];
    default:
      return fold(pattern[(*at)++], ignore_case) == fold(c, ignore_case);
  }
}

// Where, from `from` on, the part of the pattern behind a star can begin to match. Bytes::npos: nowhere.
size_t find_first_byte(Bytes pattern, Bytes text, size_t from, bool ignore_case) {
  const char first = pattern.front();
  if (is_special(first) || ignore_case) return from;
  return text.find(first, from);
}

}  // namespace

bool glob_match(Bytes pattern, Bytes text, bool ignore_case) {
  size_t in_pattern = 0;
  size_t in_text = 0;
  size_t star_pattern = kNoStar;
  size_t star_text = 0;
  while (in_text < text.size()) {
    if (in_pattern < pattern.size()) {
      const char item = pattern[in_pattern];
      if (item == text[in_text] && !is_special(item)) {
        in_pattern++;
        in_text++;
        continue;
      }
      if (item == '*') {
        while (in_pattern < pattern.size() && pattern[in_pattern] == '*') in_pattern++;
        if (in_pattern == pattern.size()) return true;
        star_pattern = in_pattern;
        star_text = find_first_byte(pattern.substr(star_pattern), text, in_text, ignore_case);
        if (star_text == Bytes::npos) return false;
        in_text = star_text;
        continue;
      }
      if (match_item(pattern, &in_pattern, text[in_text], ignore_case)) {
        in_text++;
        continue;
      }
    }
    if (star_pattern == kNoStar) return false;
    in_pattern = star_pattern;
    star_text = find_first_byte(pattern.substr(star_pattern), text, star_text + 1, ignore_case);
    if (star_text == Bytes::npos) return false;
    in_text = star_text;
  }
  while (in_pattern < pattern.size() && pattern[in_pattern] == '*') in_pattern++;
  return in_pattern == pattern.size();
}

bool glob_is_literal(Bytes pattern) { return pattern.find_first_of("*?[\\") == Bytes::npos; }

}  // namespace larder
