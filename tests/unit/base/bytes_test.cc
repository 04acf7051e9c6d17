#include "base/bytes.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(Bytes, ComparesAsciiLettersWithoutCase) {
  EXPECT_TRUE(equals_ignore_case("GeT", "gEt"));
  EXPECT_TRUE(equals_ignore_case("", ""));
  EXPECT_FALSE(equals_ignore_case("get", "gets"));
  EXPECT_FALSE(equals_ignore_case("[", "{"));  // differ by 32 but are no letters
  EXPECT_FALSE(equals_ignore_case("@", "`"));
  EXPECT_FALSE(equals_ignore_case("\xc4", "\xe4"));
  EXPECT_TRUE(starts_with_ignore_case("CONFIG", "con"));
  EXPECT_FALSE(starts_with_ignore_case("con", "CONFIG"));
}

TEST(Bytes, ChangesCaseOfLettersOnly) {
  EXPECT_EQ(to_lower(Bytes("Ab[Z]\xc4")), "ab[z]\xc4");
  EXPECT_EQ(to_upper(Bytes("Ab{z}\xe4")), "AB{Z}\xe4");
}

TEST(Bytes, TrimsWhiteSpace) {
  EXPECT_EQ(trim(" \t\r\n a b \v\f"), "a b");
  EXPECT_EQ(trim("   "), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Bytes, HexRoundTrip) {
  std::string all;
  for (int i = 0; i < 256; i++) all.push_back(static_cast<char>(i));
  std::string back;
  ASSERT_TRUE(from_hex(to_hex(all), &back));
  EXPECT_EQ(back, all);
  EXPECT_EQ(to_hex("\x01\xab"), "01ab");
  ASSERT_TRUE(from_hex("aBCd", &back));
  EXPECT_EQ(back, "\xab\xcd");
  EXPECT_FALSE(from_hex("abc", &back));
  EXPECT_FALSE(from_hex("0g", &back));
}

TEST(Bytes, QuotesWhatDoesNotPrint) {
  EXPECT_EQ(quoted(Bytes("a\"b\\c\n\r\t\a\b\x01\xff", 13)), "\"a\\\"b\\\\c\\n\\r\\t\\a\\b\\x01\\xff\\x00\"");
  EXPECT_EQ(quoted(""), "\"\"");
}

TEST(SameBytes, AgreesWithCompare) {
  Random random(test_seed());
  for (int i = 0; i < 100000; i++) {
    std::string a(random.uniform(50), 'x');
    std::string b = a;
    if (random.one_in(8)) b.resize(random.uniform(50), 'x');
    if (!b.empty() && random.one_in(2)) b[random.uniform(b.size())] = 'y';
    ASSERT_EQ(same_bytes(a, b), a == b);
  }
}

}  // namespace
}  // namespace larder
