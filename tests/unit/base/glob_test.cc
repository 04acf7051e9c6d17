#include "base/glob.h"

#include <gtest/gtest.h>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(Glob, Basics) {
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("***", "abc"));
  EXPECT_TRUE(glob_match("h?llo", "hello"));
  EXPECT_FALSE(glob_match("h?llo", "hllo"));
  EXPECT_TRUE(glob_match("h*llo", "heeeello"));
  EXPECT_TRUE(glob_match("user:*:name", "user:42:name"));
  EXPECT_FALSE(glob_match("user:*:name", "user:42:names"));
  EXPECT_TRUE(glob_match("*a*b*c", "xxaxxbxxc"));
  EXPECT_FALSE(glob_match("*a*b*c", "xxaxxcxxb"));
  EXPECT_FALSE(glob_match("a?", "a"));
}

// What follows a star is looked for by its first byte when that is a plain one.
TEST(Glob, APlainByteBehindAStar) {
  EXPECT_TRUE(glob_match("*b", "ab"));
  EXPECT_TRUE(glob_match("*b", "bb"));
  EXPECT_FALSE(glob_match("*b", "ba"));
  EXPECT_FALSE(glob_match("*b", ""));
  EXPECT_FALSE(glob_match("*b", "aaa"));
  EXPECT_TRUE(glob_match("a*bc*d", "abbcbcxd"));
  EXPECT_FALSE(glob_match("a*bc*d", "abbxbxcd"));
  EXPECT_TRUE(glob_match("*\\*", "a*"));
  EXPECT_TRUE(glob_match("*?b", "bb"));
  EXPECT_FALSE(glob_match("*?b", "b"));
  EXPECT_TRUE(glob_match("*[b]c", "abc"));
  EXPECT_TRUE(glob_match("*B", "ab", true));
}

TEST(Glob, Brackets) {
  EXPECT_TRUE(glob_match("h[ae]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[ae]llo", "hillo"));
  EXPECT_TRUE(glob_match("h[^e]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[^e]llo", "hello"));
  EXPECT_TRUE(glob_match("h[a-c]llo", "hbllo"));
  EXPECT_TRUE(glob_match("h[c-a]llo", "hbllo"));
  EXPECT_FALSE(glob_match("h[a-c]llo", "hdllo"));
  EXPECT_FALSE(glob_match("[]", "a"));
  EXPECT_FALSE(glob_match("[]a]", "a"));  // an empty bracket, then "a]"
  EXPECT_TRUE(glob_match("[\\]]", "]"));
  EXPECT_TRUE(glob_match("[\\-a]", "-"));
  EXPECT_TRUE(glob_match("[a", "a"));  // never closed
  EXPECT_FALSE(glob_match("[a", "b"));
  EXPECT_TRUE(glob_match("[^a", "b"));
  EXPECT_FALSE(glob_match("a[", "ab"));
}

TEST(Glob, BackslashTakesTheNextByteLiterally) {
  EXPECT_TRUE(glob_match("a\\*c", "a*c"));
  EXPECT_FALSE(glob_match("a\\*c", "abc"));
  EXPECT_TRUE(glob_match("\\\\", "\\"));
  EXPECT_TRUE(glob_match("a\\", "a\\"));
}

TEST(Glob, IgnoresCaseWhenAsked) {
  EXPECT_FALSE(glob_match("ABC*", "abcd"));
  EXPECT_TRUE(glob_match("ABC*", "abcd", true));
  EXPECT_TRUE(glob_match("[A-C]x", "bX", true));
  EXPECT_TRUE(glob_match("max*", "MAXMEMORY", true));
}

TEST(Glob, AnyBytes) {
  EXPECT_TRUE(glob_match(Bytes("a\0*", 3), Bytes("a\0b", 3)));
  EXPECT_TRUE(glob_match("[\x80-\xff]", "\x90"));
  EXPECT_FALSE(glob_match("[\x80-\xff]", "\x7f"));
}

TEST(Glob, Literal) {
  EXPECT_TRUE(glob_is_literal("user:1"));
  EXPECT_TRUE(glob_is_literal("a]b"));
  for (const char* pattern : {"a*", "?", "[a]", "a\\b"}) EXPECT_FALSE(glob_is_literal(pattern)) << pattern;
}

// The definition, without any thought of speed. Understands the same items.
bool naive_match(Bytes pattern, Bytes text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    for (size_t i = 0; i <= text.size(); i++) {
      if (naive_match(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern[0] == '?') return naive_match(pattern.substr(1), text.substr(1));
  if (pattern[0] == '[') {
    Bytes rest = pattern.substr(1);
    const bool negated = !rest.empty() && rest[0] == '^';
    if (negated) rest.remove_prefix(1);
    bool matched = false;
    while (!rest.empty() && rest[0] != ']') {
      if (rest[0] == '\\' && rest.size() >= 2) {
        matched = matched || rest[1] == text[0];
        rest.remove_prefix(2);
      } else if (rest.size() >= 3 && rest[1] == '-') {
        const char low = std::min(rest[0], rest[2]);
        const char high = std::max(rest[0], rest[2]);
        matched = matched || (text[0] >= low && text[0] <= high);
        rest.remove_prefix(3);
      } else {
        matched = matched || rest[0] == text[0];
        rest.remove_prefix(1);
      }
    }
    if (!rest.empty()) rest.remove_prefix(1);
    return matched != negated && naive_match(rest, text.substr(1));
  }
  if (pattern[0] == '\\' && pattern.size() >= 2) pattern.remove_prefix(1);
  return pattern[0] == text[0] && naive_match(pattern.substr(1), text.substr(1));
}

TEST(Glob, RandomPatternsAgreeWithTheDefinition) {
  Random random(test_seed());
  static constexpr char kPatternBytes[] = "aabbc**?[]^-\\";
  static constexpr char kTextBytes[] = "aaabbbcc-]^\\";
  int matches = 0;
  for (int i = 0; i < 300000; i++) {
    std::string pattern(random.uniform(10), ' ');
    for (char& c : pattern) c = kPatternBytes[random.uniform(sizeof kPatternBytes - 1)];
    std::string text(random.uniform(8), ' ');
    for (char& c : text) c = kTextBytes[random.uniform(sizeof kTextBytes - 1)];
    const bool expected = naive_match(pattern, text);
    matches += expected ? 1 : 0;
    ASSERT_EQ(glob_match(pattern, text), expected) << "pattern " << quoted(pattern) << " text " << quoted(text);
    if (pattern.find('[') != std::string::npos) continue;  // the ends of a range may change their order with their case
    ASSERT_EQ(glob_match(to_upper(pattern), text, true), expected) << quoted(pattern);
  }
  EXPECT_GT(matches, 3000);
}

TEST(Glob, ManyStarsStayCheap) {
  std::string pattern;
  for (int i = 0; i < 500; i++) pattern += "a*";
  pattern += "b";
  EXPECT_FALSE(glob_match(pattern, std::string(20000, 'a')));  // exponential when stars are tried anew
}

}  // namespace
}  // namespace larder
