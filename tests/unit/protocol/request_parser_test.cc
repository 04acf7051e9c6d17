#include "protocol/request_parser.h"

#include <gtest/gtest.h>

#include "base/number_text.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/protocol/request_splits.h"

namespace larder {
namespace {

using Request = std::vector<std::string>;

std::string encode(const Request& request) {
  std::string out = "*" + std::to_string(request.size()) + "\r\n";
  for (const std::string& arg : request) {
    out += '$';
    out += std::to_string(arg.size()) + "\r\n";
    out += arg;
    out += "\r\n";
  }
  return out;
}

// Every way to cut the stream in two, and byte by byte, gives what the whole gives.
void expect_same_for_every_split(Bytes input, const RequestLimits& limits = {}) {
  const ParsedStream whole = parse_whole(input, limits);
  for (size_t cut = 1; cut < input.size(); cut++) {
    StreamParser parser(limits);
    if (parser.feed(input.substr(0, cut))) parser.feed(input.substr(cut));
    ASSERT_EQ(parser.parsed().requests, whole.requests) << quoted(input) << " cut at " << cut;
    ASSERT_EQ(parser.parsed().error, whole.error) << quoted(input) << " cut at " << cut;
    if (whole.error.empty()) {
      ASSERT_EQ(parser.parsed().unread_bytes, whole.unread_bytes);
    }
  }
  const ParsedStream bytewise = parse_in_pieces(input, limits, [] { return 1; });
  ASSERT_EQ(bytewise.requests, whole.requests) << quoted(input);
  ASSERT_EQ(bytewise.error, whole.error) << quoted(input);
}

void expect_requests(Bytes input, const std::vector<Request>& requests) {
  const ParsedStream whole = parse_whole(input);
  EXPECT_EQ(whole.error, "") << quoted(input);
  EXPECT_EQ(whole.requests, requests) << quoted(input);
  expect_same_for_every_split(input);
}

void expect_error(Bytes input, const std::string& error, const RequestLimits& limits = {}) {
  EXPECT_EQ(parse_whole(input, limits).error, "Protocol error: " + error) << quoted(input);
  if (input.size() < 1000) expect_same_for_every_split(input, limits);
}

TEST(RequestParser, ReadsArraysOfBulkStrings) {
  expect_requests("*1\r\n$4\r\nPING\r\n", {{"PING"}});
  expect_requests("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", {{"SET", "k", ""}});
  expect_requests("*2\r\n$3\r\nGET\r\n$4\r\n\r\n\r\n\r\n*1\r\n$4\r\nPING\r\n", {{"GET", "\r\n\r\n"}, {"PING"}});
  Request many(300);
  for (size_t i = 0; i < many.size(); i++) many[i] = std::string(i % 13, static_cast<char>(i));
  expect_requests(encode(many) + encode({"x"}), {many, {"x"}});
}

TEST(RequestParser, ReadsLongStringsAndCounts) {
  const std::string large(200000, 'v');
  EXPECT_EQ(parse_whole(encode({"SET", "k", large})).requests, (std::vector<Request>{{"SET", "k", large}}));
  const Request many(20000, "ab");
  EXPECT_EQ(parse_whole(encode(many)).requests, (std::vector<Request>{many}));
  size_t step = 0;
  EXPECT_EQ(parse_in_pieces(encode(many), {}, [&] { return step++ % 100; }).requests, (std::vector<Request>{many}));
}

// What is known of them is kept in runs of some thousands.
TEST(RequestParser, VeryManyArgumentsArriveInPieces) {
  for (const size_t count : {4096u, 4097u, 10'000u}) {
    Request many;
    for (size_t i = 0; i < count; i++) many.push_back(std::to_string(i));
    EXPECT_EQ(parse_in_pieces(encode(many) + encode({"PING"}), {}, [] { return 7000; }).requests,
              (std::vector<Request>{many, {"PING"}}));
  }
  ParseProgress progress;
  RequestArgs args;
  std::string input = "*20000\r\n";
  for (int i = 0; i < 10'000; i++) input += "$1\r\nx\r\n";
  EXPECT_EQ(parse_request(input, {}, progress, args).outcome, ParseOutcome::kIncomplete);
  EXPECT_GE(progress.memory_bytes(), 10'000u * 16);
  EXPECT_LE(progress.memory_bytes(), 3 * 4096u * 16 + 1024);
}

TEST(RequestParser, KnowsWhatIsAnEncoding) {
  const auto is_encoding = [](Bytes input) {
    RequestArgs args;
    ParseProgress progress;
    const ParseResult result = parse_request(input, {}, progress, args);
    EXPECT_EQ(result.outcome, ParseOutcome::kRequest) << input;
    EXPECT_EQ(result.consumed, input.size()) << input;
    return result.is_encoding;
  };
  EXPECT_TRUE(is_encoding(encode({"SET", "k", std::string(1000, 'v')})));
  for (const Bytes other :
       {"*2\rx$3\r\nGET\r\n$1\r\nk\r\n", "*2\r\n$3\rxGET\r\n$1\r\nk\r\n", "*2\r\n$3\r\nGETxx$1\r\nk\r\n",
        "*2\r\n$3\r\nGET\r\n$1\r\nk\rx", "\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "GET k\r\n"}) {
    EXPECT_FALSE(is_encoding(other)) << other;
  }
}

TEST(RequestParser, SkipsEmptyRequests) {
  expect_requests("\r\n\n*0\r\n*-1\r\n  \r\n*-5\r\nPING\r\n*0\r\n\r\n", {{"PING"}});
  expect_requests("\r\n", {});
  EXPECT_EQ(parse_whole("*0\r\n\r\nPI").unread_bytes, 2u);
}

TEST(RequestParser, ReportsWhereTheUnfinishedRequestStarts) {
  RequestArgs args;
  ParseProgress progress;
  const ParseResult result = parse_request("*0\r\n\r\n*1\r\n$4\r\nPI", {}, progress, args);
  EXPECT_EQ(result.outcome, ParseOutcome::kIncomplete);
  EXPECT_EQ(result.consumed, 6u);
  EXPECT_EQ(result.needed_bytes, 14u);  // "*1\r\n$4\r\nPING\r\n"
  EXPECT_TRUE(progress.active());
  const ParseResult rest = parse_request("*1\r\n$4\r\nPING\r\nx", {}, progress, args);
  EXPECT_EQ(rest.outcome, ParseOutcome::kRequest);
  EXPECT_EQ(rest.consumed, 14u);
  EXPECT_EQ(args.slice(rest)[0], "PING");
  EXPECT_FALSE(progress.active());
}

TEST(RequestParser, NamesTheExactNeedOfALargeValue) {
  RequestArgs args;
  ParseProgress progress;
  const Bytes head = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n";
  const ParseResult result = parse_request(head, {}, progress, args);
  EXPECT_EQ(result.outcome, ParseOutcome::kIncomplete);
  EXPECT_EQ(result.needed_bytes, head.size() + 1000000 + 2);
  EXPECT_EQ(args.size(), 0u);
}

TEST(RequestParser, ErrorTextsAreTheOnesClientsKnow) {
  expect_error("*abc\r\n", "invalid multibulk length");
  expect_error("*\r\n", "invalid multibulk length");
  expect_error("*+1\r\n", "invalid multibulk length");
  expect_error("*01\r\n$4\r\nPING\r\n", "invalid multibulk length");
  expect_error("* 1\r\n", "invalid multibulk length");
  expect_error("*2147483648\r\n", "invalid multibulk length");
  expect_error("*9223372036854775808\r\n", "invalid multibulk length");
  expect_error("*1\r\n:1\r\n", "expected '$', got ':'");
  expect_error("*1\r\n\r\n", "expected '$', got '\r'");
  expect_error("*2\r\n$3\r\nGET\r\n@\r\n", "expected '$', got '@'");
  expect_error("*1\r\n$\r\n", "invalid bulk length");
  expect_error("*1\r\n$-1\r\n", "invalid bulk length");
  expect_error("*1\r\n$04\r\nPING\r\n", "invalid bulk length");
  expect_error("*1\r\n$4x\r\nPING\r\n", "invalid bulk length");
  expect_error("*1\r\n$536870913\r\n", "invalid bulk length");
  expect_error("SET k \"v\r\n", "unbalanced quotes in request");
  expect_error("SET k 'v\r\n", "unbalanced quotes in request");
  expect_error("SET k \"v\"x\r\n", "unbalanced quotes in request");
}

TEST(RequestParser, RequestsBeforeAnErrorCount) {
  const ParsedStream stream = parse_whole("PING\r\n*1\r\n$4\r\nPING\r\n*x\r\n");
  EXPECT_EQ(stream.requests.size(), 2u);
  EXPECT_EQ(stream.error, "Protocol error: invalid multibulk length");
}

TEST(RequestParser, LinesAreBounded) {
  const std::string long_line(RequestLimits::kInlineBytesMax + 1, 'x');
  expect_error(long_line, "too big inline request");
  expect_error("*" + std::string(RequestLimits::kInlineBytesMax, '1'), "too big mbulk count string");
  expect_error("*1\r\n$" + std::string(RequestLimits::kInlineBytesMax, '1'), "too big bulk count string");
  EXPECT_EQ(parse_whole(long_line.substr(1)).error, "");
  EXPECT_EQ(parse_whole(long_line.substr(1) + "\n").requests.size(), 1u);
  RequestLimits limits;
  limits.inline_bytes_max = 20;
  for (const Bytes input : {Bytes("*12345678901234567890123\r\n"), Bytes("PING 12345678901234567890\r\n"),
                            Bytes("*1\r\n$12345678901234567890123\r\n"), Bytes("PING 12345678901234\r\n")}) {
    expect_same_for_every_split(input, limits);
  }
}

TEST(RequestParser, LimitsAreTaken) {
  RequestLimits limits;
  limits.bulk_bytes_max = 10;
  limits.argument_count_max = 3;
  EXPECT_EQ(parse_whole(encode({"SET", "k", std::string(10, 'v')}), limits).error, "");
  expect_error(encode({"SET", "k", std::string(11, 'v')}), "invalid bulk length", limits);
  expect_error(encode({"SET", "k", "v", "NX"}), "invalid multibulk length", limits);
}

TEST(RequestParser, BeforeLoginLimitsAreTight) {
  RequestLimits limits;
  limits.authenticated = false;
  EXPECT_EQ(parse_whole(encode(Request(10, "x")), limits).requests.size(), 1u);
  expect_error(encode(Request(11, "x")), "unauthenticated multibulk length", limits);
  expect_error("*1\r\n$16385\r\n", "unauthenticated bulk length", limits);
  EXPECT_EQ(parse_whole(encode({std::string(16384, 'x')}), limits).requests.size(), 1u);
  expect_same_for_every_split(encode({"AUTH", "user", "password"}) + encode({"PING"}), limits);
}

TEST(RequestParser, AClaimedCountReservesNothing) {
  RequestArgs args;
  ParseProgress progress;
  const ParseResult result = parse_request("*2147483647\r\n$3\r\nfoo\r\n", {}, progress, args);
  EXPECT_EQ(result.outcome, ParseOutcome::kIncomplete);
  EXPECT_LT(args.memory_bytes(), 10000u);
  EXPECT_LT(progress.memory_bytes(), 10000u);
}

TEST(RequestParser, ProgressIsOnePointerBetweenRequests) {
  static_assert(sizeof(ParseProgress) == sizeof(void*));
  RequestArgs args;
  ParseProgress progress;
  (void)parse_request("*1\r\n$4\r\nPI", {}, progress, args);
  EXPECT_GT(progress.memory_bytes(), 0u);
  progress.clear();
  EXPECT_EQ(progress.memory_bytes(), 0u);
}

TEST(RequestParser, ArgumentsOfManyRequestsLieBackToBack) {
  RequestArgs args;
  ParseProgress progress;
  const std::string input = encode({"GET", "a"}) + encode({"SET", "b", "c"});
  const ParseResult first = parse_request(input, {}, progress, args);
  const ParseResult second = parse_request(Bytes(input).substr(first.consumed), {}, progress, args);
  EXPECT_EQ(first.first_arg, 0u);
  EXPECT_EQ(second.first_arg, 2u);
  EXPECT_EQ(args.slice(first)[1], "a");
  EXPECT_EQ(args.slice(second)[2], "c");
  args.clear();
  EXPECT_EQ(args.size(), 0u);
}

TEST(RequestParser, InlineRequests) {
  expect_requests("PING\r\n", {{"PING"}});
  expect_requests("PING\n", {{"PING"}});
  expect_requests("  SET  k\tv  \r\n", {{"SET", "k", "v"}});
  expect_requests("SET k \"a b\"\r\n", {{"SET", "k", "a b"}});
  expect_requests("SET k \"\\x41\\n\\r\\t\\b\\a\\\"\\\\\\q\\xzz\"\r\n", {{"SET", "k", "A\n\r\t\b\a\"\\qxzz"}});
  expect_requests("SET k 'a\\'b\\n\"'\r\n", {{"SET", "k", "a'b\\n\""}});
  expect_requests("SET k \"\" ''\r\n", {{"SET", "k", "", ""}});
  expect_requests("SET k pre\"post\"\r\n", {{"SET", "k", "prepost"}});
  expect_requests("a\\b\r\n", {{"a\\b"}});
  expect_requests(Bytes("SET k a\0b\r\n", 11), {{"SET", "k", std::string("a\0b", 3)}});
  expect_requests("PING\r\r\n", {{"PING"}});
}

TEST(RequestParser, QuotedInlineWordsStayValidTogether) {
  RequestArgs args;
  ParseProgress progress;
  std::vector<ParseResult> results;
  for (int i = 0; i < 2000; i++) {
    const std::string input = "SET \"key" + std::to_string(i) + "\" 'value'\r\n";
    results.push_back(parse_request(input, {}, progress, args));
    ASSERT_EQ(results.back().outcome, ParseOutcome::kRequest);
  }
  for (int i = 0; i < 2000; i++) {
    ASSERT_EQ(args.slice(results[static_cast<size_t>(i)])[1], "key" + std::to_string(i));
    ASSERT_EQ(args.slice(results[static_cast<size_t>(i)])[2], "value");
  }
}

TEST(RequestParser, SplitWordsReportsUnbalancedQuotesAndLeavesNothing) {
  RequestArgs args;
  ASSERT_TRUE(split_quoted_words("a 'b c'", args));
  EXPECT_EQ(args.size(), 2u);
  EXPECT_FALSE(split_quoted_words("d \"e", args));
  EXPECT_EQ(args.size(), 2u);
  EXPECT_TRUE(split_quoted_words("", args));
  EXPECT_EQ(args.size(), 2u);
}

// Streams of valid requests, damaged now and then.
std::string random_stream(Random& random) {
  static constexpr Bytes kPieces[] = {"*",  "$",  "\r\n", "\n",   "\r", "0",        "-1",    "3",
                                      "12", "\"", "'",    "\\x4", " ",  "PING\r\n", "*0\r\n"};
  std::string stream;
  for (uint64_t left = random.between(1, 5); left > 0; left--) {
    Request request(static_cast<size_t>(random.between(1, 12)));
    for (std::string& arg : request) {
      arg.assign(random.uniform(random.one_in(20) ? 1200 : 14), 'a');
      for (char& c : arg) c = static_cast<char>(random.next());
    }
    stream += encode(request);
    if (random.one_in(4)) stream += "SET k \"v w\"\r\n";
  }
  for (uint64_t damage = random.one_in(2) ? random.uniform(4) : 0; damage > 0; damage--) {
    const Bytes piece = kPieces[random.uniform(std::size(kPieces))];
    stream.replace(random.uniform(stream.size()), random.uniform(2), piece);
  }
  return stream;
}

TEST(RequestParser, RandomStreamsDoNotDependOnTheSplit) {
  Random random(test_seed());
  int errors = 0;
  for (int i = 0; i < 4000; i++) {
    const std::string stream = random_stream(random);
    RequestLimits limits;
    limits.authenticated = !random.one_in(4);
    if (random.one_in(4)) limits.inline_bytes_max = 40;
    const ParsedStream whole = parse_whole(stream, limits);
    errors += whole.error.empty() ? 0 : 1;
    const uint64_t piece_max = random.between(1, 60);
    const ParsedStream pieces = parse_in_pieces(stream, limits, [&] { return random.uniform(piece_max) + 1; });
    ASSERT_EQ(pieces.requests, whole.requests) << quoted(stream);
    ASSERT_EQ(pieces.error, whole.error) << quoted(stream);
    if (whole.error.empty()) {
      ASSERT_EQ(pieces.unread_bytes, whole.unread_bytes) << quoted(stream);
    }
  }
  EXPECT_GT(errors, 100);
}

}  // namespace
}  // namespace larder
