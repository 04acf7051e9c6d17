#include "server/script/lua_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <string>

namespace larder {
namespace {

std::string read_all(Bytes text, size_t bytes_max = 1 << 16) {
  LuaSource source(text);
  std::string all;
  for (Bytes piece = source.next_piece(bytes_max); !piece.empty(); piece = source.next_piece(bytes_max)) all += piece;
  EXPECT_TRUE(source.next_piece(bytes_max).empty());
  return all;
}

// The message of a compiler that stopped at the last token of the text.
std::string mended(Bytes text, Bytes message) {
  LuaSource source(text);
  while (!source.next_piece(1 << 16).empty()) {
  }
  const LuaSource::Message parts = source.mended_error(message);
  std::string all(parts.place);
  all += parts.middle;
  return all += parts.rest;
}

TEST(LuaSource, UnknownEscapesAreTheirCharacter) {
  EXPECT_EQ(read_all(R"(return "a\-b")"), R"(return "a-b")");
  EXPECT_EQ(read_all(R"('\/' "\x41" '\z' "\u{41}")"), R"('/' "x41" 'z' "u{41}")");
  EXPECT_EQ(read_all(R"("\x\y\z")"), R"("xyz")");
  EXPECT_EQ(read_all("'\\\xff\\" + std::string(1, '\0') + "'"), "'\xff" + std::string(1, '\0') + "'");
}

TEST(LuaSource, WhatNeedsNothingComesInOnePieceAsItLies) {
  for (const Bytes text : {
           Bytes(""),
           Bytes("local a = {} -- \\x 1i ::\nreturn a[1]"),
           Bytes(R"('\a\b\f\n\r\t\v\\\"\'\065\1x' "it's" 'say "\\"')"),
           Bytes("'a\\\nb\\\r\nc\\\n\rd\\\re'"),
           Bytes("--[[ \\x 1i ]] --[==[ ]] ]=] 1i\n ]==] return 1"),
           Bytes("--[=x[ 1i\nreturn [=[ \\x ]] 1i ]=] .. [[\\x]]"),
           Bytes("[==[ ]=]==] x"),
           Bytes("0x1F 1e5 .5 5. 1.5e-3 1E+10 08 0xep1 0x1e+1 1-2 1 ..2 a..'' ... a.b t[1].b 2^53"),
           Bytes("x1i _1LL a0b1"),
       }) {
    LuaSource source(text);
    const Bytes piece = source.next_piece(1 << 16);
    EXPECT_EQ(piece, text);
    EXPECT_TRUE(text.empty() || piece.data() == text.data());
    EXPECT_TRUE(source.next_piece(1 << 16).empty());
  }
}

TEST(LuaSource, FunctionsWithDotsHaveATableOfThem) {
  const std::string table = " local arg={n=select('#',...),...} ";
  EXPECT_EQ(read_all("local function f(a, ...) return arg end"),
            "local function f(a, ...)" + table + " return arg end");
  EXPECT_EQ(read_all("function t.a:b( --[[)]] ...\n) g(function(x) end, ...) return arg.n end"),
            "function t.a:b( --[[)]] ...\n)" + table + " g(function(x) end, ...) return arg.n end");
  EXPECT_EQ(read_all("f(function(...) end) f(...) return arg"), "f(function(...)" + table + " end) f(...) return arg");
  for (const Bytes text :
       {Bytes("local function f(a, ...) return args, arg1, _arg, ARG end"),
        Bytes("local function f(a) return arg end g(...)"), Bytes("return 'function(...)' .. arg")}) {
    EXPECT_EQ(read_all(text), text);
  }
}

TEST(LuaSource, EndsAtNumbersThatLuaDoesNotKnow) {
  for (const Bytes number :
       {"1i",  "1LL", "1ULL",  "0b1",   "0b",   "0x1p+4", "0x",     "0xg",  "1e",   "1e+",   "3..2", "1..2",
        "3.x", ".1.", "5e5e5", "1_000", "00x1", "0x10i",  "10E+1i", "1nan", "0x1p", "0x1pf", "1.2.3"}) {
    const Bytes shown = number == "0x1p+4" ? Bytes("0x1p") : number;
    const std::string text = "return x, " + std::string(number) + " rest";
    EXPECT_EQ(read_all(text), "return x,  0x") << number;
    EXPECT_EQ(mended(text, "s:1: malformed number near '0x'"),
              "s:1: malformed number near '" + std::string(shown) + "'");
    EXPECT_EQ(mended(text, "s:1: '=' expected near 'x'"), "s:1: '=' expected near 'x'");
  }
  EXPECT_EQ(read_all("a..0b1"), "a.. 0x");
  EXPECT_EQ(read_all("...5i"), "... 0x");
}

TEST(LuaSource, SeparatesWhatIsTwoTokens) {
  EXPECT_EQ(read_all("1e5.5"), "1e5 .5");
  EXPECT_EQ(read_all("0x1.8"), "0x1 .8");
  EXPECT_EQ(read_all("a:b()"), "a:b()");
}

TEST(LuaSource, NamesAreAscii) {
  EXPECT_EQ(read_all("local a\xffz = 1"), "local a $");
  EXPECT_EQ(mended("local a\xffz = 1", "s:1: '=' expected near '$'"), "s:1: '=' expected near '\xff'");
  EXPECT_EQ(read_all("\xef\xbb\xbfreturn 1"), " $");
  EXPECT_EQ(read_all("'\xff' --\xff\n[[\xff]]"), "'\xff' --\xff\n[[\xff]]");
}

TEST(LuaSource, TheFirstByteMeansNothingSpecial) {
  EXPECT_EQ(read_all("#x\nreturn 1"), " #x\nreturn 1");
  EXPECT_EQ(read_all("\x1bLJ"), " \x1bLJ");
  EXPECT_EQ(read_all("\n#x"), "\n#x");
}

TEST(LuaSource, ErrorsOfEscapesSayWhatLuaSays) {
  EXPECT_EQ(mended("'\\300'", "s:1: invalid escape sequence near ''"), "s:1: escape sequence too large near ''");
  EXPECT_EQ(mended("x y", "s:1: '=' expected near 'y'"), "s:1: '=' expected near 'y'");
  EXPECT_EQ(mended("1i", ""), "");
}

// Wherever the spans are cut, the same text comes out; it has the same lines, unless it was refused.
TEST(LuaSource, RandomTextsInPiecesOfAnySize) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const Bytes parts[] = {"\\", "\"", "'", "\n", "\r", "[[", "]]", "[=[", "]=]", "--", "-", "x",
                         "1",  ".",  "i", "0x", "=",  "e",  " ",  "[",   "]",   "n",  "#"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t i = random() % 30; i > 0; --i) text += parts[random() % std::size(parts)];
    const std::string whole = read_all(text);
    for (const size_t bytes_max : {1, 2, 3, 7}) ASSERT_EQ(read_all(text, bytes_max), whole) << text;
    if (!whole.ends_with("0x") && !whole.ends_with("$")) {
      ASSERT_EQ(std::count(whole.begin(), whole.end(), '\n'), std::count(text.begin(), text.end(), '\n')) << text;
    }
  }
}

}  // namespace
}  // namespace larder
