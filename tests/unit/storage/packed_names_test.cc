// What of a packed sequence from outside may be kept as it lies, and the handles that do so.

#include "storage/packed_names.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/encoding_name.h"
#include "storage/hash_value.h"
#include "storage/set_value.h"
#include "storage/zset_value.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/storage/test_clock.h"

namespace larder {
namespace {

std::string packed(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const std::string& text : texts) {
    const PackedText element(text);
    bytes.resize(bytes.size() + element.total_bytes());
    element.write(bytes.data() + bytes.size() - element.total_bytes());
  }
  return bytes;
}

bool all_can_stay(Bytes sequence, size_t count_max = PackedNames::kCountMax) {
  PackedNames names(count_max);
  for (const PackedElement& element : PackedRange(sequence)) {
    if (!names.add(element)) return false;
  }
  return true;
}

TEST(PackedNamesTest, FindsRepetitions) {
  Random random(test_seed());
  for (int round = 0; round < 5000; round++) {
    std::vector<std::string> texts;
    const size_t count = random.uniform(PackedNames::kCountMax + 1);
    for (size_t i = 0; i < count; i++) {
      texts.push_back((random.one_in(2) ? "" : "x") + std::to_string(random.uniform(20 * count + 1)));
    }
    const std::set<std::string> distinct(texts.begin(), texts.end());
    ASSERT_EQ(all_can_stay(packed(texts)), distinct.size() == texts.size());
    ASSERT_EQ(all_can_stay(packed(texts), count), distinct.size() == texts.size());
  }
}

TEST(PackedNamesTest, OnlyAsManyAsItHasRoomFor) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < PackedNames::kCountMax; i++) texts.push_back("m" + std::to_string(i));
  EXPECT_TRUE(all_can_stay(packed(texts)));
  texts.emplace_back("one more");
  EXPECT_FALSE(all_can_stay(packed(texts)));
  EXPECT_FALSE(all_can_stay(packed(texts), 2 * PackedNames::kCountMax));
  EXPECT_TRUE(all_can_stay(packed({"a", "b"}), 2));
  EXPECT_FALSE(all_can_stay(packed({"a", "b"}), 1));
  EXPECT_FALSE(all_can_stay(packed({"a"}), 0));
}

TEST(PackedNamesTest, OtherFormsOfTheSameText) {
  EXPECT_TRUE(all_can_stay(packed({"5", "05", "", "-0", "12345678901234567890", "-5"})));
  // "5" as a string, as an integer of two bytes and of three; a short string with a long head.
  for (const Bytes bytes : {Bytes("\x81"
                                  "5\x02",
                                  3),
                            Bytes("\xc0\x05\x02", 3), Bytes("\xf1\x05\x00\x03", 4),
                            Bytes("\xe0\x01"
                                  "a\x03",
                                  4)}) {
    size_t count = 0;
    ASSERT_TRUE(validate_packed(bytes, &count));
    EXPECT_FALSE(all_can_stay(bytes));
  }
}

class LoadPackedTest : public testing::Test {
 protected:
  LoadPackedTest() : store_(StoreOptions{.hash_seed = 7}), keyspace_(store_.database(0)) {}
  template <class Value>
  Value value() {
    return *keyspace_.edit_or_create<Value>(store_.hashed("key"), kNowMs);
  }
  void remove() { keyspace_.erase(store_.hashed("key"), kNowMs); }

  Store store_;
  Keyspace& keyspace_;
};

TEST_F(LoadPackedTest, Hashes) {
  const HashLimits limits;
  const std::string pairs = packed({"a", "1", "b", "two"});
  EXPECT_FALSE(value<HashValue>().load_packed(pairs, 3, limits));
  EXPECT_FALSE(value<HashValue>().load_packed(packed({"a", "1", "a", "2"}), 4, limits));
  EXPECT_FALSE(value<HashValue>().exists());
  ASSERT_TRUE(value<HashValue>().load_packed(pairs, 4, limits));
  value<HashValue>().check_integrity();
  EXPECT_EQ(value<HashValue>().size(), 2u);
  EXPECT_EQ(encoding_name(value<HashValue>().entry()), "listpack");
  remove();
  ASSERT_TRUE(value<HashValue>().load_packed(packed({"a", std::string(65, 'x')}), 2, limits));
  EXPECT_EQ(encoding_name(value<HashValue>().entry()), "hashtable");
}

TEST_F(LoadPackedTest, Sets) {
  SetLimits limits;
  EXPECT_FALSE(value<SetValue>().load_packed(packed({"1", "2"}), 2, limits)) << "an intset";
  EXPECT_FALSE(value<SetValue>().load_packed(packed({"a", "a"}), 2, limits));
  ASSERT_TRUE(value<SetValue>().load_packed(packed({"a", "2", "c"}), 3, limits));
  value<SetValue>().check_integrity();
  EXPECT_EQ(encoding_name(value<SetValue>().entry()), "listpack");
  EXPECT_TRUE(value<SetValue>().contains("2"));
  remove();
  limits.listpack_entries = 2;
  ASSERT_TRUE(value<SetValue>().load_packed(packed({"a", "2", "c"}), 3, limits));
  EXPECT_EQ(encoding_name(value<SetValue>().entry()), "hashtable");
}

TEST_F(LoadPackedTest, SetsOfIntegers) {
  SetLimits limits;
  const SetIntegers numbers(2, Bytes("\x01\x00\x02\x00\x00\x01", 6));
  ASSERT_TRUE(value<SetValue>().load_integers(numbers, limits));
  value<SetValue>().check_integrity();
  EXPECT_EQ(value<SetValue>().size(), 3u);
  EXPECT_TRUE(value<SetValue>().contains("256"));
  EXPECT_EQ(encoding_name(value<SetValue>().entry()), "intset");
  remove();
  limits.intset_entries = 2;
  EXPECT_FALSE(value<SetValue>().load_integers(numbers, limits));
}

TEST_F(LoadPackedTest, SortedSetsStayOnlyInOrder) {
  const ZsetLimits limits;
  for (const auto& texts : std::vector<std::vector<std::string>>{{"a", "1", "b", "1", "c", "2.5"},
                                                                 {"b", "1", "a", "1"},
                                                                 {"a", "2", "b", "1"},
                                                                 {"a", "0x10", "b", "17"},
                                                                 {"a", "-0", "b", "0"},
                                                                 {"a", "9007199254740993", "b", "9007199254740993"},
                                                                 {"a", "1e3"},
                                                                 {"a", "-inf"}}) {
    SCOPED_TRACE(texts[0] + texts[1]);
    ASSERT_TRUE(value<ZsetValue>().load_packed(packed(texts), texts.size(), limits));
    value<ZsetValue>().check_integrity();
    for (size_t i = 0; i < texts.size(); i += 2) {
      EXPECT_EQ(value<ZsetValue>().score(texts[i]), parse_double(texts[i + 1]));
    }
    remove();
  }
}

}  // namespace
}  // namespace larder
