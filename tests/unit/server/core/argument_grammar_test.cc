#include "server/core/argument_grammar.h"

#include <gtest/gtest.h>

namespace larder {
namespace {

using Type = GrammarArgument::Type;

// The tree as one line: type:name, {TOKEN}, '?' optional, '+' repeated, '*' repeated with its token.
std::string shown(const std::vector<GrammarArgument>& arguments) {
  std::string text;
  for (const GrammarArgument& argument : arguments) {
    if (!text.empty()) text += " ";
    text += std::string(grammar_type_name(argument.type)) + ":" + argument.name;
    if (!argument.token.empty()) text += "{" + argument.token + "}";
    if (argument.optional) text += "?";
    if (argument.multiple) text += argument.multiple_token ? "*" : "+";
    if (!argument.arguments.empty()) text += "(" + shown(argument.arguments) + ")";
  }
  return text;
}

std::string parsed(Bytes grammar) {
  auto arguments = parse_argument_grammar(grammar);
  return arguments.ok() ? shown(*arguments) : "error: " + arguments.error().message;
}

TEST(ArgumentGrammar, EmptyIsNoArguments) { EXPECT_EQ(parsed(""), ""); }

TEST(ArgumentGrammar, WordsAndTypes) {
  EXPECT_EQ(parsed("key value"), "key:key string:value");
  EXPECT_EQ(parsed("key seconds member:integer x:double"), "key:key integer:seconds integer:member double:x");
  EXPECT_EQ(parsed("unix-time-seconds pattern"), "unix-time:unix-time-seconds pattern:pattern");
}

TEST(ArgumentGrammar, TokensAndAlternatives) {
  EXPECT_EQ(parsed("[NX | XX]"), "oneof:nx-or-xx?(pure-token:nx{NX} pure-token:xx{XX})");
  EXPECT_EQ(parsed("[EX seconds | KEEPTTL]"),
            "oneof:seconds-or-keepttl?(integer:seconds{EX} pure-token:keepttl{KEEPTTL})");
  EXPECT_EQ(parsed("<ON | OFF>"), "oneof:on-or-off(pure-token:on{ON} pure-token:off{OFF})");
  EXPECT_EQ(parsed("TYPE <a | b>"), "oneof:a-or-b{TYPE}(string:a string:b)");
  EXPECT_EQ(parsed("ON | OFF"), parsed("<ON | OFF>"));
}

TEST(ArgumentGrammar, Repetition) {
  EXPECT_EQ(parsed("key [key ...]"), "key:key+");
  EXPECT_EQ(parsed("key ..."), "key:key+");
  EXPECT_EQ(parsed("key value [key value ...]"), "block:key-value+(key:key string:value)");
  EXPECT_EQ(parsed("[section ...]"), "string:section?+");
  EXPECT_EQ(parsed("[section [section ...]]"), "string:section?+");
  EXPECT_EQ(parsed("[GET pattern [GET pattern ...]]"), "pattern:pattern{GET}?*");
  EXPECT_EQ(parsed("STREAMS key [key ...] id [id ...]"), "key:key{STREAMS}+ string:id+");
}

TEST(ArgumentGrammar, Blocks) {
  EXPECT_EQ(parsed("[LIMIT offset count]"), "block:limit{LIMIT}?(integer:offset integer:count)");
  EXPECT_EQ(parsed("[username password]"), "block:username-password?(string:username string:password)");
}

TEST(ArgumentGrammar, Malformed) {
  EXPECT_EQ(parsed("[key"), "error: a closing bracket is missing at offset 4");
  EXPECT_TRUE(parsed("key]").starts_with("error"));
  EXPECT_TRUE(parsed("[]").starts_with("error"));
  EXPECT_TRUE(parsed("a |").starts_with("error"));
  EXPECT_TRUE(parsed("a:frog").starts_with("error"));
  EXPECT_TRUE(parsed(std::string(40, '[')).starts_with("error"));
  EXPECT_TRUE(parsed("...").starts_with("error"));
}

}  // namespace
}  // namespace larder
