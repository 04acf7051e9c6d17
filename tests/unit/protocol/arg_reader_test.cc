#include "protocol/arg_reader.h"

#include <gtest/gtest.h>

#include "protocol/option_grammar.h"

namespace larder {
namespace {

struct Written {
  Buffer out;
  ReplyWriter reply{out};
};

TEST(ArgReader, TakesTypedArguments) {
  const Bytes words[] = {"key", "42", "1.5", "value"};
  ArgReader args(words);
  const auto [key, count, number, value] = args.take<Key, int64_t, Double, Bytes>();
  EXPECT_EQ(key.bytes, "key");
  EXPECT_EQ(count, 42);
  EXPECT_EQ(number.value, 1.5);
  EXPECT_EQ(value, "value");
  Written written;
  EXPECT_TRUE(args.done(written.reply));
  EXPECT_TRUE(written.out.empty());
}

TEST(ArgReader, OneTypeGivesTheValueItself) {
  const Bytes words[] = {"7", "0.25"};
  ArgReader args(words);
  const int64_t count = args.take<int64_t>();
  const long double number = args.take<long double>();
  EXPECT_EQ(count, 7);
  EXPECT_EQ(number, 0.25L);
}

TEST(ArgReader, LatchesTheFirstError) {
  const Bytes words[] = {"x", "y", "9"};
  ArgReader args(words);
  const auto [first, second, third] = args.take<int64_t, Double, int64_t>();
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second.value, 0);
  EXPECT_EQ(third, 0);
  EXPECT_TRUE(args.rest().empty());
  args.fail(kSyntax);
  EXPECT_FALSE(args.ok());
  Written written;
  EXPECT_FALSE(args.done(written.reply));
  EXPECT_EQ(written.out.bytes(), "-ERR value is not an integer or out of range\r\n");
}

TEST(ArgReader, TooFewOrTooManyAreSyntaxErrors) {
  const Bytes words[] = {"a"};
  for (const int taken : {0, 2}) {
    ArgReader args(words);
    for (int i = 0; i < taken; i++) (void)args.take<Bytes>();
    Written written;
    EXPECT_FALSE(args.done(written.reply));
    EXPECT_EQ(written.out.bytes(), "-ERR syntax error\r\n");
  }
  ArgReader args(words);
  EXPECT_TRUE(args.take_many(2).empty());
  EXPECT_EQ(args.error(), kSyntax);
}

TEST(ArgReader, BoundedIntegers) {
  const Bytes words[] = {"1", "10", "11", "x"};
  ArgReader in_bounds(words);
  EXPECT_EQ(in_bounds.take_int(1, 10), 1);
  EXPECT_EQ(in_bounds.take_int(1, 10), 10);
  EXPECT_TRUE(in_bounds.ok());
  EXPECT_EQ(in_bounds.take_int(1, 10, kOutOfRange), 0);
  EXPECT_EQ(in_bounds.error(), kOutOfRange);
  ArgReader no_integer(std::span<const Bytes>(words).subspan(3));
  (void)no_integer.take_int(1, 10, kOutOfRange, kTimeoutNotFloat);
  EXPECT_EQ(no_integer.error(), kTimeoutNotFloat);
}

TEST(ArgReader, WordsPeekAndRest) {
  const Bytes words[] = {"wiTHscores", "LIMIT", "1", "2"};
  ArgReader args(words);
  EXPECT_FALSE(args.take_word("LIMIT"));
  EXPECT_TRUE(args.take_word("WITHSCORES"));
  EXPECT_EQ(args.peek(), "LIMIT");
  EXPECT_EQ(args.remaining(), 3u);
  args.skip();
  EXPECT_EQ(args.take_many(1)[0], "1");
  EXPECT_EQ(args.rest().size(), 1u);
  EXPECT_TRUE(args.at_end());
  EXPECT_EQ(args.peek(), "");
  EXPECT_FALSE(args.take_word(""));
}

enum SetOption : size_t { kNx, kXx, kGet, kEx, kPx, kKeepTtl, kScore, kIfEq };
constexpr OptionRule kRules[] = {
    {"NX", OptionArgument::kNone, 1},    {"XX", OptionArgument::kNone, 1},    {"GET"},
    {"EX", OptionArgument::kInteger, 2}, {"PX", OptionArgument::kInteger, 2}, {"KEEPTTL", OptionArgument::kNone, 2},
    {"SCORE", OptionArgument::kDouble},  {"IFEQ", OptionArgument::kBytes, 1},
};

std::string option_error(std::initializer_list<Bytes> words) {
  const std::vector<Bytes> all(words);
  ArgReader args(all);
  (void)parse_options(args, kRules);
  return std::string(args.error().text());
}

TEST(OptionGrammar, ReadsOptionsInAnyOrder) {
  const Bytes words[] = {"get", "Px", "100", "score", "2.5", "ifeq", "NX"};
  ArgReader args(words);
  const auto options = parse_options(args, kRules);
  EXPECT_TRUE(args.ok() && args.at_end());
  EXPECT_TRUE(options.has(kGet));
  EXPECT_FALSE(options.has(kNx));  // it was IFEQ's argument
  EXPECT_FALSE(options.has(kEx));
  EXPECT_EQ(options.integer(kPx), 100);
  EXPECT_EQ(options.number(kScore), 2.5);
  EXPECT_EQ(options.bytes(kIfEq), "NX");
}

TEST(OptionGrammar, NoOptionsIsFine) {
  ArgReader args({});
  const auto options = parse_options(args, kRules);
  EXPECT_TRUE(args.ok());
  EXPECT_FALSE(options.has(kNx));
}

TEST(OptionGrammar, ErrorsAreRedisErrors) {
  const std::string syntax(kSyntax.text());
  EXPECT_EQ(option_error({"NX", "XX"}), syntax);
  EXPECT_EQ(option_error({"EX", "1", "KEEPTTL"}), syntax);
  EXPECT_EQ(option_error({"NX", "IFEQ", "a"}), syntax);
  EXPECT_EQ(option_error({"EX"}), syntax);
  EXPECT_EQ(option_error({"FOO"}), syntax);
  EXPECT_EQ(option_error({"EX", "x"}), kNotInteger.text());
  EXPECT_EQ(option_error({"SCORE", "x"}), kNotFloat.text());
  EXPECT_EQ(option_error({"EX", "x", "FOO"}), syntax);  // words before numbers
  EXPECT_EQ(option_error({"NX", "NX", "GET", "GET"}), "");
  EXPECT_EQ(option_error({"EX", "1", "EX", "2"}), "");
}

TEST(OptionGrammar, LeadingOptionsStopAtTheFirstOtherWord) {
  const Bytes words[] = {"NX", "GET", "1.5", "member"};
  ArgReader args(words);
  const auto options = parse_leading_options(args, kRules);
  EXPECT_TRUE(options.has(kNx) && options.has(kGet));
  EXPECT_EQ(args.remaining(), 2u);
  EXPECT_TRUE(args.ok());
}

}  // namespace
}  // namespace larder
