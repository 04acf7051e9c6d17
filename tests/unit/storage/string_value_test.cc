#include "storage/string_value.h"
#include "storage/encoding_name.h"
#include "tests/unit/storage/test_clock.h"

#include <gtest/gtest.h>

#include <string>

namespace larder {
namespace {

constexpr size_t kSizeMax = 512 << 20;

class StringValueTest : public testing::Test {
 protected:
  StringValue value(Bytes name) { return *keyspace_.edit_or_create<StringValue>(store_.hashed(name), kNowMs); }
  std::string text(Bytes name) { return std::string(value(name).text().bytes()); }
  Bytes encoding(Bytes name) { return encoding_name(value(name).entry()); }

  StringValueTest() : store_(StoreOptions{}), keyspace_(store_.database(0)) {}
  Store store_;
  Keyspace& keyspace_;
};

TEST_F(StringValueTest, EncodingsByNameAsClientsKnowThem) {
  value("number").assign("12345");
  EXPECT_EQ(encoding("number"), "int");
  value("no number").assign("012345");
  EXPECT_EQ(encoding("no number"), "embstr");
  value("text").assign("12345", DeadlineRule::none(), StringForm::kAsText);
  EXPECT_EQ(encoding("text"), "embstr");
  value("44").assign(std::string(44, 'x'));
  EXPECT_EQ(encoding("44"), "embstr");
  value("45").assign(std::string(45, 'x'));
  EXPECT_EQ(encoding("45"), "raw");
  value("large").assign(std::string(100000, 'x'));
  EXPECT_EQ(encoding("large"), "raw");
  ASSERT_TRUE(value("44").append("x", kSizeMax));
  EXPECT_EQ(encoding("44"), "raw");
  ASSERT_TRUE(value("number").append("6", kSizeMax));
  EXPECT_EQ(encoding("number"), "raw");
  EXPECT_EQ(text("number"), "123456");
  ASSERT_TRUE(value("appended").append("77", kSizeMax));
  EXPECT_EQ(encoding("appended"), "int");
  ASSERT_TRUE(value("ranged").set_range(0, "77", kSizeMax));
  EXPECT_EQ(encoding("ranged"), "raw");
  value("ranged").set_integer(78);
  EXPECT_EQ(encoding("ranged"), "int");
}

TEST_F(StringValueTest, IntegersKeepTheirTextExactly) {
  for (const Bytes number : {"0", "-1", "127", "128", "-32769", "9223372036854775807", "-9223372036854775808"}) {
    value("k").assign(number);
    EXPECT_TRUE(value("k").is_integer());
    EXPECT_EQ(text("k"), number);
    EXPECT_EQ(value("k").size(), number.size());
  }
  for (const Bytes other : {"", "-", "-0", "+1", "01", " 1", "1 ", "9223372036854775808", "1.0"}) {
    value("k").assign(other);
    EXPECT_FALSE(value("k").is_integer());
    EXPECT_EQ(text("k"), other);
    int64_t parsed = 0;
    EXPECT_FALSE(value("k").to_integer(&parsed));
  }
}

TEST_F(StringValueTest, CountersGrowWider) {
  int64_t expected = 0;
  for (int i = 0; i < 62; i++) {
    StringValue counter = value("counter");
    int64_t number = 0;
    ASSERT_TRUE(counter.to_integer(&number));
    ASSERT_EQ(number, expected);
    expected = expected * 2 + 1;
    counter.set_integer(expected);
    EXPECT_EQ(text("counter"), std::to_string(expected));
  }
  value("counter").set_integer(-1);
  EXPECT_EQ(text("counter"), "-1");
}

TEST_F(StringValueTest, AppendsInLinearTimeAndWithinTheLimit) {
  std::string expected;
  for (int i = 0; i < 30000; i++) {
    const std::string tail(1 + i % 7, static_cast<char>('a' + i % 26));
    StringValue appended = value("k");
    ASSERT_TRUE(appended.append(tail, kSizeMax));
    expected += tail;
    ASSERT_EQ(appended.size(), expected.size());
  }
  EXPECT_EQ(text("k"), expected);
  EXPECT_FALSE(value("k").append("xx", expected.size() + 1));
  EXPECT_TRUE(value("k").append("x", expected.size() + 1));
  EXPECT_FALSE(value("new").append("xx", 1));
  EXPECT_FALSE(value("new").exists());
}

TEST_F(StringValueTest, SetRange) {
  StringValue fresh = value("k");
  ASSERT_TRUE(fresh.set_range(3, "", kSizeMax));
  EXPECT_FALSE(fresh.exists());
  ASSERT_TRUE(fresh.set_range(3, "abc", kSizeMax));
  EXPECT_EQ(text("k"), std::string("\0\0\0abc", 6));
  EXPECT_FALSE(value("k").set_range(SIZE_MAX, "x", kSizeMax));
  EXPECT_FALSE(value("k").set_range(kSizeMax, "x", kSizeMax));
  ASSERT_TRUE(value("k").set_range(2000, "end", kSizeMax));
  EXPECT_EQ(value("k").size(), 2003u);
  EXPECT_EQ(text("k").substr(0, 7), std::string("\0\0\0abc\0", 7));
  value("n").assign("12");
  ASSERT_TRUE(value("n").set_range(1, "9", kSizeMax));
  EXPECT_EQ(text("n"), "19");
}

TEST_F(StringValueTest, EditsKeepDeadlineAndAccessState) {
  value("k").assign("abc", DeadlineRule::at(kNowMs + 99));
  ASSERT_TRUE(value("k").append(std::string(3000, 'x'), kSizeMax));
  EXPECT_EQ(value("k").deadline_ms(), kNowMs + 99);
  value("k").assign("z");
  EXPECT_EQ(value("k").deadline_ms(), kNowMs + 99);
  value("k").assign("z", DeadlineRule::none());
  EXPECT_EQ(value("k").deadline_ms(), kNoDeadline);
}

TEST_F(StringValueTest, AssigningAPartOfTheOldText) {
  for (const size_t size : {40u, 900u, 9000u}) {
    std::string old_text;
    for (size_t i = 0; i < size; i++) old_text += static_cast<char>('a' + i % 26);
    for (const size_t start : {0u, 1u, 20u}) {
      value("k").assign(old_text);
      StringValue edited = value("k");
      edited.assign(edited.text().bytes().substr(start), DeadlineRule::keep());
      EXPECT_EQ(text("k"), old_text.substr(start));
    }
  }
}

TEST_F(StringValueTest, APinnedTextDoesNotChange) {
  const std::string large(5000, 'x');
  value("k").assign(large);
  const BlobPin pin = value("k").pin();
  ASSERT_TRUE(pin);
  ASSERT_TRUE(value("k").set_range(0, "yyy", kSizeMax));
  ASSERT_TRUE(value("k").append("tail", kSizeMax));
  EXPECT_EQ(pin.bytes(), large);
  EXPECT_EQ(text("k"), "yyy" + large.substr(3) + "tail");
  EXPECT_FALSE(value("small").pin());
  value("small").assign("x");
  EXPECT_FALSE(value("small").pin());
}

TEST_F(StringValueTest, OverwritingALargeValueReusesItsBlobUnlessItIsPinned) {
  value("k").assign(std::string(5000, 'x'));
  const Blob* before = value("k").entry().blob();
  value("k").assign(std::string(4500, 'y'));
  EXPECT_EQ(value("k").entry().blob(), before);
  EXPECT_EQ(text("k"), std::string(4500, 'y'));
  {
    const BlobPin pin = value("k").pin();
    value("k").assign(std::string(4500, 'z'));
    EXPECT_EQ(pin.bytes(), std::string(4500, 'y'));
  }
  value("k").assign(std::string(2000, 'a'));
  EXPECT_LT(value("k").entry().blob()->capacity(), 3000u);
  EXPECT_EQ(text("k"), std::string(2000, 'a'));
}

TEST_F(StringValueTest, OverwritingWithTheSameSizeKeepsTheBlock) {
  value("k").assign("abcdefgh");
  const Entry* before = &value("k").entry();
  value("k").assign("hgfedcba");
  EXPECT_EQ(&value("k").entry(), before);
  EXPECT_EQ(text("k"), "hgfedcba");
}

}  // namespace
}  // namespace larder
