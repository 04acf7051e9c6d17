#include "protocol/reply_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "protocol/reply_reader.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

std::string written(int version, const std::function<void(ReplyWriter&)>& write) {
  Buffer out;
  ReplyWriter writer(out, version);
  write(writer);
  return std::string(out.bytes());
}

void expect_both(const std::function<void(ReplyWriter&)>& write, Bytes resp2, Bytes resp3) {
  EXPECT_EQ(written(2, write), resp2);
  EXPECT_EQ(written(3, write), resp3);
}
void expect_same(const std::function<void(ReplyWriter&)>& write, Bytes text) { expect_both(write, text, text); }

TEST(ReplyWriter, Scalars) {
  expect_same([](auto& w) { w.simple("PONG"); }, "+PONG\r\n");
  expect_same([](auto& w) { w.simple(""); }, "+\r\n");
  expect_same([](auto& w) { w.ok(); }, "+OK\r\n");
  expect_same([](auto& w) { w.integer(0); }, ":0\r\n");
  expect_same([](auto& w) { w.integer(9); }, ":9\r\n");
  expect_same([](auto& w) { w.integer(10); }, ":10\r\n");
  expect_same([](auto& w) { w.integer(-1); }, ":-1\r\n");
  expect_same([](auto& w) { w.integer(INT64_MIN); }, ":-9223372036854775808\r\n");
  expect_same([](auto& w) { w.bulk(""); }, "$0\r\n\r\n");
  expect_same([](auto& w) { w.bulk("a\r\nb"); }, "$4\r\na\r\nb\r\n");
  expect_same([](auto& w) { w.bulk(std::string(1000, 'x')); }, "$1000\r\n" + std::string(1000, 'x') + "\r\n");
  expect_same([](auto& w) { w.literal(""); }, "$0\r\n\r\n");
  expect_same([](auto& w) { w.literal("remaining"); }, "$9\r\nremaining\r\n");
  expect_same([](auto& w) { w.literal("limited_by"); }, "$10\r\nlimited_by\r\n");
  expect_same([](auto& w) { w.bulk_integer(-12345); }, "$6\r\n-12345\r\n");
  expect_same([](auto& w) { w.bulk_double(0.5); }, "$3\r\n0.5\r\n");
  expect_same([](auto& w) { w.raw("+x\r\n"); }, "+x\r\n");
}

TEST(ReplyWriter, VersionsDifferWhereTheyMust) {
  expect_both([](auto& w) { w.null(); }, "$-1\r\n", "_\r\n");
  expect_both([](auto& w) { w.null_array(); }, "*-1\r\n", "_\r\n");
  expect_both([](auto& w) { w.boolean(true); }, ":1\r\n", "#t\r\n");
  expect_both([](auto& w) { w.boolean(false); }, ":0\r\n", "#f\r\n");
  expect_both([](auto& w) { w.double_value(1.5); }, "$3\r\n1.5\r\n", ",1.5\r\n");
  expect_both([](auto& w) { w.double_value(HUGE_VAL); }, "$3\r\ninf\r\n", ",inf\r\n");
  expect_both([](auto& w) { w.big_number("-123"); }, "$4\r\n-123\r\n", "(-123\r\n");
  expect_both([](auto& w) { w.big_number("1\r\n:2"); }, "$5\r\n1  :2\r\n", "(1  :2\r\n");
  expect_same([](auto& w) { w.simple_line("a\r\n+b\n"); }, "+a  +b \r\n");
  expect_both([](auto& w) { w.verbatim("txt", "a"); }, "$1\r\na\r\n", "=5\r\ntxt:a\r\n");
  expect_both([](auto& w) { w.map(2); }, "*4\r\n", "%2\r\n");
  expect_both([](auto& w) { w.set(12); }, "*12\r\n", "~12\r\n");
  expect_both([](auto& w) { w.push(3); }, "*3\r\n", ">3\r\n");
  expect_same([](auto& w) { w.array(1048576); }, "*1048576\r\n");
  expect_same([](auto& w) { w.empty_array(); }, "*0\r\n");
  expect_both(
      [](auto& w) {
        if (w.attribute(1)) {
          w.bulk("ttl");
          w.integer(1);
        }
        w.ok();
      },
      "+OK\r\n", "|1\r\n$3\r\nttl\r\n:1\r\n+OK\r\n");
}

TEST(ReplyWriter, ErrorsCannotForgeReplies) {
  expect_same([](auto& w) { w.error(kWrongType); },
              "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
  expect_same([](auto& w) { w.error(Bytes("ERR unknown 'a\r\n+OK'")); }, "-ERR unknown 'a  +OK'\r\n");
  Buffer out;
  ReplyWriter writer(out);
  EXPECT_EQ(writer.error_count(), 0u);
  writer.error(kSyntax);
  EXPECT_EQ(writer.error_count(), 1u);
}

TEST(ReplyWriter, DeferredHeadersOfEveryKind) {
  const auto deferred = [](void (ReplyWriter::*end)(ReplyWriter::Mark, size_t), size_t count) {
    return [end, count](ReplyWriter& w) {
      w.ok();
      const auto mark = w.begin_deferred();
      w.integer(1);
      (w.*end)(mark, count);
      w.ok();
    };
  };
  expect_same(deferred(&ReplyWriter::end_deferred_array, 1), "+OK\r\n*1\r\n:1\r\n+OK\r\n");
  expect_both(deferred(&ReplyWriter::end_deferred_map, 7), "+OK\r\n*14\r\n:1\r\n+OK\r\n", "+OK\r\n%7\r\n:1\r\n+OK\r\n");
  expect_both(deferred(&ReplyWriter::end_deferred_set, 100), "+OK\r\n*100\r\n:1\r\n+OK\r\n",
              "+OK\r\n~100\r\n:1\r\n+OK\r\n");
  expect_both(deferred(&ReplyWriter::end_deferred_push, 0), "+OK\r\n*0\r\n:1\r\n+OK\r\n", "+OK\r\n>0\r\n:1\r\n+OK\r\n");
}

TEST(ReplyWriter, DeferredHeadersMatchPlainOnesForAnyCountAndGuess) {
  Random random(test_seed());
  for (int i = 0; i < 3000; i++) {
    const size_t outer = random.uniform(15);
    const size_t guess = random.one_in(2) ? 0 : random.uniform(100000);
    std::vector<size_t> inner(outer);
    for (size_t& count : inner) count = random.uniform(random.one_in(20) ? 1200 : 12);
    const auto plain = [&](ReplyWriter& w) {
      w.array(outer);
      for (const size_t count : inner) {
        w.map(count);
        for (size_t k = 0; k < 2 * count; k++) w.integer(static_cast<int64_t>(k));
      }
    };
    const auto deferred = [&](ReplyWriter& w) {
      const auto outer_mark = w.begin_deferred(guess);
      for (const size_t count : inner) {
        const auto mark = w.begin_deferred(random.one_in(2) ? count : guess);
        for (size_t k = 0; k < 2 * count; k++) w.integer(static_cast<int64_t>(k));
        w.end_deferred_map(mark, count);
      }
      w.end_deferred_array(outer_mark, outer);
    };
    for (const int version : {2, 3}) ASSERT_EQ(written(version, deferred), written(version, plain));
  }
}

// Puts the pinned pieces where they belong, as writev would.
class TestSink final : public PinnedSink {
 public:
  void pin(size_t offset, PinnedBytes pinned) override { pins_.push_back({offset, pinned}); }
  void source(size_t, std::unique_ptr<ReplySource>) override { FAIL() << "nothing here has a source"; }
  void shift(size_t from_offset, ptrdiff_t by_bytes) override {
    for (auto& [offset, pinned] : pins_) {
      if (offset >= from_offset) offset = static_cast<size_t>(static_cast<ptrdiff_t>(offset) + by_bytes);
    }
  }
  std::string join(Bytes buffer) const {
    std::string out;
    size_t at = 0;
    for (const auto& [offset, pinned] : pins_) {
      out += buffer.substr(at, offset - at);
      out += pinned.bytes();
      at = offset;
    }
    out += buffer.substr(at);
    return out;
  }
  void release_all() {
    for (auto& [offset, pinned] : pins_) pinned.release(pinned.owner);
    pins_.clear();
  }
  size_t count() const { return pins_.size(); }

 private:
  std::vector<std::pair<size_t, PinnedBytes>> pins_;
};

TEST(ReplyWriter, LargeValuesArePinnedInPlace) {
  int released = 0;
  const std::string large(ReplyWriter::kPinBytesMin, 'p');
  const std::string small(100, 's');
  const auto pinned = [&released](const std::string& text) {
    return PinnedBytes{text.data(), text.size(), &released, [](void* owner) { ++*static_cast<int*>(owner); }};
  };
  TestSink sink;
  Buffer out;
  ReplyWriter writer(out, 3, &sink);
  EXPECT_TRUE(writer.wants_pin(large.size()));
  EXPECT_FALSE(writer.wants_pin(small.size()));
  const auto mark = writer.begin_deferred();
  for (int i = 0; i < 12; i++) writer.pinned(pinned(i % 2 == 0 ? large : small));
  EXPECT_EQ(released, 6);  // the small ones were copied
  EXPECT_EQ(sink.count(), 6u);
  writer.end_deferred_array(mark, 12);  // one digit more than was set aside: pins move
  EXPECT_LT(out.size(), large.size());

  ReplyReader reader;
  reader.feed(sink.join(out.bytes()));
  Reply reply;
  ASSERT_EQ(reader.next(&reply), ReplyOutcome::kReply);
  ASSERT_EQ(reply.elements.size(), 12u);
  for (size_t i = 0; i < 12; i++) EXPECT_EQ(reply.elements[i].text, i % 2 == 0 ? large : small);
  sink.release_all();
  EXPECT_EQ(released, 12);

  ReplyWriter without_sink(out, 3);
  out.clear();
  without_sink.pinned(pinned(large));
  EXPECT_EQ(released, 13);
  EXPECT_EQ(out.bytes(), "$" + std::to_string(large.size()) + "\r\n" + large + "\r\n");
}

TEST(ReplyWriter, TruncateDropsAReply) {
  Buffer out;
  ReplyWriter writer(out);
  writer.ok();
  const size_t before = writer.position();
  writer.bulk("dropped");
  writer.truncate_to(before);
  writer.integer(1);
  EXPECT_EQ(out.bytes(), "+OK\r\n:1\r\n");
}

TEST(ReplyWriter, RedirectServesAnotherClient) {
  Buffer first;
  Buffer second;
  ReplyWriter writer(first, 2);
  writer.null();
  writer.error(kSyntax);
  writer.redirect(second, 3, nullptr);
  writer.null();
  EXPECT_EQ(first.bytes(), "$-1\r\n-ERR syntax error\r\n");
  EXPECT_EQ(second.bytes(), "_\r\n");
  EXPECT_EQ(writer.error_count(), 0u);
}

}  // namespace
}  // namespace larder
