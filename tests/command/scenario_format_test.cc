// The tests' own tools: a scenario that is malformed must be refused by line, a reply that differs must not match.

#include <gtest/gtest.h>

#include <string>

#include "tests/support/expectation.h"
#include "tests/support/reply_text.h"
#include "tests/support/scenario.h"

namespace larder::testing {
namespace {

Reply reply_from(Bytes bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  Reply reply;
  EXPECT_EQ(reader.next(&reply), ReplyOutcome::kReply) << bytes;
  return reply;
}

bool fits(Bytes expectation, Bytes bytes, int protocol = 2) {
  const PatternParse parsed = parse_pattern(expectation);
  EXPECT_EQ(parsed.outcome, PatternOutcome::kComplete) << expectation << ": " << parsed.mistake;
  Variables variables{{"known", "42"}};
  return matches(parsed.pattern, reply_from(bytes), protocol, variables);
}

TEST(Expectations, ExactValues) {
  EXPECT_TRUE(fits("+OK", "+OK\r\n"));
  EXPECT_FALSE(fits("+OK", "$2\r\nOK\r\n"));
  EXPECT_FALSE(fits("+OK", "+OKAY\r\n"));
  EXPECT_TRUE(fits("-ERR no", "-ERR no\r\n"));
  EXPECT_FALSE(fits("-ERR no", "-ERR no!\r\n"));
  EXPECT_TRUE(fits("-5", ":-5\r\n"));
  EXPECT_FALSE(fits("5", "$1\r\n5\r\n"));
  EXPECT_TRUE(fits("\"a\\x00\\r\\n\"", Bytes("$4\r\na\0\r\n\r\n", 10)));
  EXPECT_TRUE(fits("[\"a\" 1 [] (nil)]", "*4\r\n$1\r\na\r\n:1\r\n*0\r\n$-1\r\n"));
  EXPECT_FALSE(fits("[\"a\" \"b\"]", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"));
  EXPECT_TRUE(fits("double 1.5", ",1.5\r\n", 3));
  EXPECT_FALSE(fits("double 1.5", "$3\r\n1.5\r\n", 3));
  EXPECT_TRUE(fits("true", "#t\r\n", 3));
  EXPECT_FALSE(fits("true", "#f\r\n", 3));
  EXPECT_TRUE(fits("big 123", "(123\r\n", 3));
  EXPECT_TRUE(fits("verbatim txt \"hi\"", "=6\r\ntxt:hi\r\n", 3));
  EXPECT_TRUE(fits("push [\"x\"]", ">1\r\n$1\r\nx\r\n", 3));
  EXPECT_FALSE(fits("push [\"x\"]", "*1\r\n$1\r\nx\r\n", 3));
  EXPECT_TRUE(fits("<ab*3>", "$6\r\nababab\r\n"));
}

TEST(Expectations, NullsAreToldApartInResp2Only) {
  EXPECT_TRUE(fits("(nil)", "$-1\r\n"));
  EXPECT_FALSE(fits("(nil)", "*-1\r\n"));
  EXPECT_TRUE(fits("(nil-array)", "*-1\r\n"));
  EXPECT_FALSE(fits("(nil-array)", "$-1\r\n"));
  EXPECT_TRUE(fits("(nil)", "_\r\n", 3));
  EXPECT_TRUE(fits("(nil-array)", "_\r\n", 3));
  EXPECT_FALSE(fits("(nil)", "$0\r\n\r\n"));
}

TEST(Expectations, OrderMattersOnlyWhereItShould) {
  EXPECT_TRUE(fits("unordered [\"a\" \"b\"]", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"));
  EXPECT_FALSE(fits("unordered [\"a\" \"a\"]", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"));
  EXPECT_TRUE(fits("unordered [<any> \"b\"]", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"));
  EXPECT_TRUE(fits("set [\"a\" \"b\"]", "~2\r\n$1\r\nb\r\n$1\r\na\r\n", 3));
  EXPECT_TRUE(fits("{\"a\": 1 \"b\": 2}", "%2\r\n$1\r\nb\r\n:2\r\n$1\r\na\r\n:1\r\n", 3));
  EXPECT_FALSE(fits("{\"a\": 2 \"b\": 1}", "%2\r\n$1\r\nb\r\n:2\r\n$1\r\na\r\n:1\r\n", 3));
  EXPECT_TRUE(fits("{\"b\": 2 ...}", "%2\r\n$1\r\nb\r\n:2\r\n$1\r\na\r\n:1\r\n", 3));
  EXPECT_TRUE(fits("[\"b\" ...]", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"));
  EXPECT_FALSE(fits("[\"a\" ...]", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"));
}

TEST(Expectations, Matchers) {
  EXPECT_TRUE(fits("~^a.c$", "$3\r\nabc\r\n"));
  EXPECT_FALSE(fits("~^a.c$", "$4\r\nabcd\r\n"));
  EXPECT_FALSE(fits("~a", "-a\r\n"));
  EXPECT_TRUE(fits("-~^ERR .*no", "-ERR oh no\r\n"));
  EXPECT_FALSE(fits("-~^ERR", "+ERR\r\n"));
  EXPECT_TRUE(fits("<error WRONGTYPE>", "-WRONGTYPE x\r\n"));
  EXPECT_FALSE(fits("<error WRONGTYPE>", "-WRONGTYPES x\r\n"));
  EXPECT_TRUE(fits("<int 1..3>", ":3\r\n"));
  EXPECT_FALSE(fits("<int 1..3>", ":4\r\n"));
  EXPECT_FALSE(fits("<int 1..3>", "$1\r\n2\r\n"));
  EXPECT_TRUE(fits("<near 1.5 0.1>", "$4\r\n1.45\r\n"));
  EXPECT_FALSE(fits("<near 1.5 0.1>", "$3\r\n1.7\r\n"));
  EXPECT_TRUE(fits("<bytes 3>", "$3\r\nabc\r\n"));
  EXPECT_FALSE(fits("<bytes 3>", "$2\r\nab\r\n"));
  EXPECT_TRUE(fits("<any-of 1 (nil) \"x\">", "$-1\r\n"));
  EXPECT_FALSE(fits("<any-of 1 (nil) \"x\">", ":2\r\n"));
  EXPECT_TRUE(fits("<array 2..3>", "*2\r\n:1\r\n:2\r\n"));
  EXPECT_FALSE(fits("<array 3>", "*2\r\n:1\r\n:2\r\n"));
  EXPECT_TRUE(fits("<each 0..3 <any-of \"a\" \"b\">>", "*2\r\n$1\r\na\r\n$1\r\na\r\n"));
  EXPECT_FALSE(fits("<each 0..3 <any-of \"a\" \"b\">>", "*2\r\n$1\r\na\r\n$1\r\nc\r\n"));
  EXPECT_FALSE(fits("<any-error>", "+OK\r\n"));
  EXPECT_TRUE(fits("$known", ":42\r\n"));
  EXPECT_FALSE(fits("$known", ":43\r\n"));
  EXPECT_FALSE(fits("$unknown", ":42\r\n"));
  EXPECT_FALSE(fits("<save x>", "-ERR\r\n"));
}

TEST(Expectations, TheTextOfAReplyMatchesIt) {
  for (const Bytes bytes :
       {Bytes("+OK\r\n"), Bytes("+two words\r\n"), Bytes("-ERR \"quoted\" text\r\n"), Bytes(":-7\r\n"),
        Bytes("$3\r\na\"\\\r\n"), Bytes("*-1\r\n"), Bytes("$-1\r\n"), Bytes("*0\r\n"),
        Bytes("*3\r\n+a b\r\n-ERR x y\r\n*1\r\n:1\r\n"), Bytes("%1\r\n$1\r\na\r\n~1\r\n,inf\r\n"),
        Bytes("=6\r\ntxt:a \r\n"), Bytes("(99999999999999999999\r\n"), Bytes("#t\r\n")}) {
    EXPECT_TRUE(fits(reply_text(reply_from(bytes)), bytes, 3)) << bytes;
  }
}

TEST(Scenarios, MalformedFilesAreRefusedByLine) {
  const struct {
    const char* text;
    const char* mistake;
  } kCases[] = {
      {"", "x.spec:1: there is no case"},
      {"> SET a b\n", "x.spec:1: a case must come before"},
      {"case no quotes\n", "x.spec:1: case \"title\" expected"},
      {"case \"a\"\n+OK\n", "x.spec:2: no request"},
      {"case \"a\"\n> GET \"k\n", "x.spec:2: the request's arguments"},
      {"case \"a\"\n> GET k\n[1\n", "x.spec:3: a bracket is not closed"},
      {"case \"a\"\n> GET k\nnonsense\n", "x.spec:3: not a value"},
      {"case \"a\"\n> GET k\n\"v\" \"w\"\n", "x.spec:3: text after the value"},
      {"case \"a\"\n> GET k\n~([\n", "x.spec:3: not a regular expression"},
      {"case \"a\"\n> GET k\n<nosuch>\n", "x.spec:3: bad matcher"},
      {"case \"a\"\nadvance soon\n", "x.spec:2: advance"},
      {"case \"a\"\n@b GET k\n", "x.spec:2: a request, '<', raw"},
      {"proto 4\n", "x.spec:1: proto 2"},
      {"larder only\n", "x.spec:1: larder only: REASON"},
      {"case \"a\"\nexpect-close\n+OK\n", "x.spec:3: no request"},
  };
  for (const auto& each : kCases) {
    const Result<Scenario> parsed = parse_scenario("x.spec", each.text);
    ASSERT_FALSE(parsed.ok()) << each.text;
    EXPECT_EQ(parsed.error().message.rfind(each.mistake, 0), 0u) << parsed.error().message;
  }
}

TEST(Scenarios, HeadersHoldForEveryCaseAndCasesForThemselves) {
  const Result<Scenario> parsed = parse_scenario("x.spec",
                                                 "proto 2 3\n"
                                                 "config maxmemory 1mb\n"
                                                 "case \"one\"\n"
                                                 "> GET k\n"
                                                 "2: 1\n"
                                                 "3: [1\n"
                                                 "# comment\n"
                                                 "2]\n"
                                                 "case \"two\"\n"
                                                 "proto 3\n"
                                                 "slow\n"
                                                 "@b raw \"x\" <y*3>\n"
                                                 "@b expect-close\n");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  ASSERT_EQ(parsed->cases.size(), 2u);
  const ScenarioCase& one = parsed->cases[0];
  EXPECT_TRUE(one.rules.protocol2 && one.rules.protocol3 && !one.rules.slow);
  ASSERT_EQ(one.steps.size(), 2u);
  EXPECT_EQ(one.steps[0].kind, ScenarioStep::Kind::kConfig);
  ASSERT_EQ(one.steps[1].expectations.size(), 2u);
  EXPECT_EQ(one.steps[1].expectations[1].protocol, 3);
  EXPECT_EQ(one.steps[1].expectations[1].pattern.elements.size(), 2u);
  const ScenarioCase& two = parsed->cases[1];
  EXPECT_TRUE(!two.rules.protocol2 && two.rules.protocol3 && two.rules.slow);
  EXPECT_EQ(two.steps[1].bytes, "xyyy");
  EXPECT_EQ(two.steps[1].connection, "b");
}

}  // namespace
}  // namespace larder::testing
