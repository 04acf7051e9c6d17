#include "protocol/reply_reader.h"

#include <gtest/gtest.h>

#include <cmath>

#include "protocol/reply_writer.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

Reply read_one(Bytes input) {
  ReplyReader reader;
  reader.feed(input);
  Reply reply;
  EXPECT_EQ(reader.next(&reply), ReplyOutcome::kReply) << quoted(input) << ": " << reader.error();
  EXPECT_TRUE(reader.idle());
  return reply;
}

std::string read_error(Bytes input, ReplyLimits limits = {}) {
  ReplyReader reader(limits);
  reader.feed(input);
  Reply reply;
  for (;;) {
    const ReplyOutcome outcome = reader.next(&reply);
    if (outcome == ReplyOutcome::kReply) continue;
    return outcome == ReplyOutcome::kError ? std::string(reader.error()) : "incomplete";
  }
}

TEST(ReplyReader, ScalarsOfBothVersions) {
  EXPECT_EQ(read_one("+OK\r\n").text, "OK");
  EXPECT_EQ(read_one(":-42\r\n").integer, -42);
  EXPECT_EQ(read_one("$5\r\na\r\nbc\r\n").text, "a\r\nbc");
  EXPECT_EQ(read_one("$0\r\n\r\n").kind, ReplyKind::kBulk);
  EXPECT_TRUE(read_one("$-1\r\n").is_null());
  EXPECT_FALSE(read_one("$-1\r\n").null_array);
  EXPECT_TRUE(read_one("*-1\r\n").null_array);
  EXPECT_TRUE(read_one("_\r\n").is_null());
  EXPECT_EQ(read_one("#t\r\n").integer, 1);
  EXPECT_EQ(read_one("#f\r\n").integer, 0);
  EXPECT_EQ(read_one(",1.5\r\n").number, 1.5);
  EXPECT_EQ(read_one(",-inf\r\n").number, -HUGE_VAL);
  EXPECT_TRUE(std::isnan(read_one(",nan\r\n").number));
  EXPECT_EQ(read_one("(123456789012345678901234567890\r\n").text, "123456789012345678901234567890");
  const Reply verbatim = read_one("=7\r\ntxt:abc\r\n");
  EXPECT_EQ(verbatim.text, "abc");
  EXPECT_EQ(verbatim.verbatim_format, "txt");
  const Reply error = read_one("-WRONGTYPE Operation\r\n");
  EXPECT_TRUE(error.is_error());
  EXPECT_EQ(error.error_code(), "WRONGTYPE");
  EXPECT_EQ(read_one("!8\r\nERR a\r\nb\r\n").text, "ERR a\r\nb");
}

TEST(ReplyReader, Aggregates) {
  const Reply array = read_one("*3\r\n:1\r\n*0\r\n*2\r\n+a\r\n$-1\r\n");
  ASSERT_EQ(array.elements.size(), 3u);
  EXPECT_EQ(array.elements[1].kind, ReplyKind::kArray);
  EXPECT_EQ(array.elements[2].elements[0].text, "a");
  const Reply map = read_one("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n:2\r\n");
  EXPECT_EQ(map.kind, ReplyKind::kMap);
  ASSERT_EQ(map.elements.size(), 4u);
  EXPECT_EQ(map.elements[3].kind, ReplyKind::kSet);
  EXPECT_EQ(read_one(">2\r\n+message\r\n+x\r\n").kind, ReplyKind::kPush);
}

TEST(ReplyReader, AttributesBelongToTheNextItem) {
  const Reply reply = read_one("|1\r\n+ttl\r\n:9\r\n*2\r\n:1\r\n|1\r\n+k\r\n*1\r\n+v\r\n:2\r\n");
  ASSERT_EQ(reply.attributes.size(), 2u);
  EXPECT_EQ(reply.attributes[0].text, "ttl");
  EXPECT_EQ(reply.attributes[1].integer, 9);
  ASSERT_EQ(reply.elements.size(), 2u);
  EXPECT_TRUE(reply.elements[0].attributes.empty());
  ASSERT_EQ(reply.elements[1].attributes.size(), 2u);
  EXPECT_EQ(reply.elements[1].attributes[1].elements[0].text, "v");
  EXPECT_EQ(read_one("|0\r\n+x\r\n").text, "x");
}

TEST(ReplyReader, BrokenStreamsAreNamed) {
  EXPECT_EQ(read_error("+OK\r\n?\r\n"), "unknown reply type");
  EXPECT_EQ(read_error("\r\n"), "empty line");
  EXPECT_EQ(read_error("+a\nb\r\n"), "line feed without carriage return");
  EXPECT_EQ(read_error("\n"), "line feed without carriage return");
  EXPECT_EQ(read_error(":1a\r\n"), "invalid integer");
  EXPECT_EQ(read_error("$x\r\n"), "invalid length");
  EXPECT_EQ(read_error("$-2\r\n"), "invalid length");
  EXPECT_EQ(read_error("$2\r\nabcd"), "text without its line end");
  EXPECT_EQ(read_error("=2\r\nab\r\n"), "invalid verbatim text");
  EXPECT_EQ(read_error("*-2\r\n"), "invalid element count");
  EXPECT_EQ(read_error("%-1\r\n"), "invalid element count");
  EXPECT_EQ(read_error("#x\r\n"), "invalid boolean");
  EXPECT_EQ(read_error("_x\r\n"), "invalid null");
  EXPECT_EQ(read_error(",x\r\n"), "invalid double");
  EXPECT_EQ(read_error("$?\r\n"), "invalid length");
  EXPECT_EQ(read_error("+O"), "incomplete");
}

TEST(ReplyReader, LimitsHold) {
  ReplyLimits limits;
  limits.depth_max = 3;
  limits.text_bytes_max = 10;
  limits.line_bytes_max = 20;
  limits.element_count_max = 5;
  EXPECT_EQ(read_error("*1\r\n*1\r\n*1\r\n*1\r\n", limits), "nested too deeply");
  EXPECT_EQ(read_error("*1\r\n*1\r\n*1\r\n:1\r\n", limits), "incomplete");
  EXPECT_EQ(read_error("$11\r\n", limits), "text too long");
  EXPECT_EQ(read_error("+" + std::string(30, 'x'), limits), "line too long");
  EXPECT_EQ(read_error("*6\r\n", limits), "too many elements");
  EXPECT_EQ(read_error("*1000000000\r\n"), "incomplete");  // and no memory for them
}

TEST(ReplyReader, ResetStartsAnew) {
  ReplyReader reader;
  Reply reply;
  reader.feed("*2\r\n:1\r\n?");
  (void)reader.next(&reply);
  reader.reset();
  EXPECT_TRUE(reader.idle());
  reader.feed("+OK\r\n");
  EXPECT_EQ(reader.next(&reply), ReplyOutcome::kReply);
}

// Writes one random reply, nested up to `depth`, and returns the number of nulls and errors at its top (0 or 1 each).
void write_random(Random& random, ReplyWriter& writer, int depth) {
  switch (random.uniform(depth > 0 ? 16 : 11)) {
    case 0:
      return writer.simple("some text");
    case 1:
      return writer.error(Bytes("ERR something"));
    case 2:
      return writer.integer(static_cast<int64_t>(random.next()));
    case 3:
      return writer.bulk(std::string(random.uniform(50), '\r'));
    case 4:
      return writer.null();
    case 5:
      return writer.null_array();
    case 6:
      return writer.double_value(random.real());
    case 7:
      return writer.boolean(random.one_in(2));
    case 8:
      return writer.big_number("12345678901234567890");
    case 9:
      return writer.verbatim("txt", "verbatim text");
    case 10:
      return writer.raw("!5\r\nERR x\r\n");
    case 11:
      if (writer.attribute(1)) {
        write_random(random, writer, 0);
        write_random(random, writer, depth - 1);
      }
      return write_random(random, writer, depth - 1);
    default:
      break;
  }
  const size_t count = random.uniform(5);
  const uint64_t kind = random.uniform(3);
  if (kind == 0) writer.array(count);
  if (kind == 1) writer.set(count);
  if (kind == 2) writer.map(count);
  for (size_t i = 0; i < (kind == 2 ? 2 * count : count); i++) write_random(random, writer, depth - 1);
}

TEST(ReplyReader, RandomStreamsDoNotDependOnTheSplitAndTheScannerAgrees) {
  Random random(test_seed());
  for (int i = 0; i < 3000; i++) {
    Buffer out;
    ReplyWriter writer(out, random.one_in(2) ? 2 : 3);
    const size_t count = random.uniform(6) + 1;
    for (size_t k = 0; k < count; k++) {
      if (random.one_in(10)) {
        writer.push(1);
        writer.bulk("x");
      } else {
        write_random(random, writer, 4);
      }
    }
    const Bytes stream = out.bytes();

    std::vector<Reply> whole;
    ReplyReader whole_reader;
    whole_reader.feed(stream);
    Reply reply;
    while (whole_reader.next(&reply) == ReplyOutcome::kReply) whole.push_back(std::move(reply));
    ASSERT_TRUE(whole_reader.idle()) << whole_reader.error();
    ASSERT_EQ(whole.size(), count);
    ReplyScanner::Counts expected;
    for (const Reply& one : whole) {
      if (one.kind == ReplyKind::kPush) {
        expected.pushes++;
        continue;
      }
      expected.replies++;
      expected.errors += one.is_error() ? 1 : 0;
      expected.nulls += one.is_null() ? 1 : 0;
    }

    std::vector<Reply> pieces;
    ReplyReader piece_reader;
    ReplyScanner scanner;
    ReplyScanner::Counts counts;
    for (size_t at = 0; at < stream.size();) {
      const Bytes piece = stream.substr(at, random.uniform(20) + 1);
      at += piece.size();
      piece_reader.feed(piece);
      while (piece_reader.next(&reply) == ReplyOutcome::kReply) pieces.push_back(std::move(reply));
      ASSERT_TRUE(scanner.feed(piece, &counts));
    }
    ASSERT_EQ(pieces, whole) << quoted(stream);
    ASSERT_EQ(counts, expected) << quoted(stream);
  }
}

TEST(ReplyScanner, CountsAndKeepsTheFirstError) {
  ReplyScanner scanner;
  ReplyScanner::Counts counts;
  ASSERT_TRUE(scanner.feed("+OK\r\n*2\r\n-ERR inner\r\n$-1\r\n$-1\r\n>1\r\n:1\r\n-ERR fir", &counts));
  EXPECT_EQ(counts, (ReplyScanner::Counts{3, 0, 1, 1}));
  ASSERT_TRUE(scanner.feed("st\r\n-ERR second\r\n", &counts));
  EXPECT_EQ(counts, (ReplyScanner::Counts{5, 2, 1, 1}));
  EXPECT_EQ(scanner.first_error(), "ERR first");
}

TEST(ReplyScanner, RefusesWhatIsNoReply) {
  for (const Bytes input :
       {Bytes("HTTP/1.1 200 OK\r\n"), Bytes("$x\r\n"), Bytes("*99999999999999999\r\n"), Bytes("$\r\n")}) {
    ReplyScanner scanner;
    ReplyScanner::Counts counts;
    EXPECT_FALSE(scanner.feed(input, &counts)) << quoted(input);
    EXPECT_FALSE(scanner.feed("+OK\r\n", &counts));
  }
}

}  // namespace
}  // namespace larder
