#include "storage/set_value.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/encoding_name.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/storage/test_clock.h"

namespace larder {
namespace {

class SetValueTest : public testing::Test {
 protected:
  SetValueTest() : store_(StoreOptions{.hash_seed = 7}), keyspace_(store_.database(0)) {}
  SetValue set(Bytes name = "s") { return *keyspace_.edit_or_create<SetValue>(store_.hashed(name), kNowMs); }
  std::set<std::string> members(Bytes name = "s") {
    std::set<std::string> all;
    size_t count = 0;
    set(name).for_each([&](Bytes member) {
      all.emplace(member);
      count++;
    });
    EXPECT_EQ(count, all.size());
    return all;
  }
  Bytes encoding() { return encoding_name(set().entry()); }

  SetLimits limits_;
  Store store_;
  Keyspace& keyspace_;
};

TEST_F(SetValueTest, IntegersGetWiderInOrder) {
  for (const Bytes number : {"5", "-1", "40000", "-40000", "5000000000", "-5000000000", "6"}) {
    EXPECT_TRUE(set().add(number, limits_));
    EXPECT_FALSE(set().add(number, limits_));
    set().check_integrity();
  }
  EXPECT_EQ(encoding(), "intset");
  EXPECT_EQ(members(), (std::set<std::string>{"-1", "-40000", "-5000000000", "40000", "5", "5000000000", "6"}));
  EXPECT_FALSE(set().contains("05"));
}

TEST_F(SetValueTest, FormsThatAreShownFollowTheThresholds) {
  for (int i = 0; i < 512; i++) set().add(std::to_string(i), limits_);
  EXPECT_EQ(encoding(), "intset");
  set().add("512", limits_);
  EXPECT_EQ(encoding(), "hashtable");
  set().check_integrity();

  limits_.intset_entries = 100'000;
  for (int i = 0; i < 1000; i++) EXPECT_TRUE(set("wide").add(std::to_string(i), limits_));
  EXPECT_EQ(encoding_name(set("wide").entry()), "intset");
  EXPECT_FALSE(set("wide").add("999", limits_));
  set("wide").add("text", limits_);
  EXPECT_EQ(encoding_name(set("wide").entry()), "hashtable");
  EXPECT_EQ(set("wide").size(), 1001u);
}

TEST_F(SetValueTest, AnEmptiedSetIsNoKey) {
  set().add("a", limits_);
  EXPECT_TRUE(set().remove("a"));
  EXPECT_FALSE(set().exists());
  EXPECT_EQ(keyspace_.size(), 0u);
  for (int i = 0; i < 300; i++) set().add("m" + std::to_string(i), limits_);
  for (int i = 0; i < 300; i++) EXPECT_TRUE(set().remove("m" + std::to_string(i)));
  EXPECT_EQ(keyspace_.size(), 0u);
  EXPECT_EQ(store_.blocks().used_bytes(), 0u);
}

TEST_F(SetValueTest, ATableIsReplacedByAnother) {
  const auto fill = [&](const std::string& front) {
    for (int i = 0; i < 1000; i++) set().add(front + std::to_string(i), limits_);
  };
  fill("member:");
  const std::vector<Bytes> few = {"member:1", "member:2"};
  set().replace_table(few, limits_);
  set().check_integrity();
  EXPECT_EQ(members(), (std::set<std::string>{"member:1", "member:2"}));
  EXPECT_EQ(encoding(), "listpack");
  const std::string long_member(limits_.listpack_value_bytes + 1, 'l');
  const std::vector<Bytes> with_long = {"member:1", long_member};
  set().replace_table(with_long, limits_);
  EXPECT_EQ(encoding(), "listpack");  // that is no new form for a set that has one already
  fill("other:");
  set().replace_table(with_long, limits_);
  EXPECT_EQ(encoding(), "hashtable");
  EXPECT_EQ(set().size(), 2u);
  EXPECT_TRUE(keyspace_.erase(store_.hashed("s"), kNowMs));
  while (store_.free_some(SIZE_MAX)) {
  }
  EXPECT_EQ(store_.blocks().used_bytes(), 0u);

  limits_.intset_entries = 100'000;
  fill("");
  set().replace_table(std::vector<Bytes>{"7"}, limits_);
  EXPECT_EQ(encoding(), "intset");
}

TEST_F(SetValueTest, MemoryIsAccountedAndFreedInPieces) {
  for (int i = 0; i < 20'000; i++) set().add("member:" + std::to_string(i), limits_);
  const Entry& entry = set().entry();
  EXPECT_GT(keyspace_.entry_memory_bytes(entry), 20'000u * 24);
  EXPECT_LT(keyspace_.entry_memory_bytes(entry), 20'000u * 36);
  keyspace_.copy_entry(store_.hashed("s"), keyspace_, store_.hashed("copy"), kNowMs);
  set("copy").check_integrity();
  EXPECT_LT(keyspace_.entry_memory_bytes(set("copy").entry()), keyspace_.entry_memory_bytes(entry) * 21 / 20);
  keyspace_.erase(store_.hashed("s"), kNowMs);
  int pieces = 0;
  while (store_.free_some(1000)) pieces++;
  EXPECT_GT(pieces, 5);
  EXPECT_EQ(set("copy").size(), 20'000u);
  keyspace_.erase(store_.hashed("copy"), kNowMs);
  while (store_.free_some(1000)) {
  }
  EXPECT_EQ(store_.blocks().used_bytes(), 0u);
}

// Fewer come than were expected, none at all, and so few that there is no table.
TEST_F(SetValueTest, WhatWasExpectedAndDidNotComeIsGivenBack) {
  const int64_t table_bytes = store_.table_account().bytes;
  for (const int count : {0, 20, 500, 9'000}) {
    SetValue value = set();
    value.expect(10'000);
    for (int i = 0; i < count; i++) value.add("member:" + std::to_string(i), limits_);
    value.settle();
    EXPECT_EQ(value.size(), static_cast<size_t>(count));
    EXPECT_LE(store_.table_account().bytes - table_bytes, count * 18);
    if (value.exists()) value.check_integrity();
    keyspace_.erase(store_.hashed("s"), kNowMs);
    while (store_.free_some(1000)) {
    }
  }
}

TEST_F(SetValueTest, AWalkMeetsWhatStays) {
  for (int i = 0; i < 1000; i++) set().add("stays:" + std::to_string(i), limits_);
  std::set<std::string> met;
  uint64_t cursor = 0;
  int step = 0;
  do {
    cursor = set().scan(cursor, [&](Bytes member) { met.emplace(member); });
    for (int i = 0; i < 3; i++) set().add("comes:" + std::to_string(step * 3 + i), limits_);
    if (step > 200) {
      for (int i = 0; i < 20; i++) set().remove("comes:" + std::to_string((step - 200) * 20 + i));
    }
    step++;
  } while (cursor != 0);
  for (int i = 0; i < 1000; i++) EXPECT_TRUE(met.contains("stays:" + std::to_string(i)));
}

TEST_F(SetValueTest, RandomMembersAreSpreadEvenly) {
  Random random(test_seed());
  for (const int size : {10, 60, 200}) {
    const std::string name = "s" + std::to_string(size);
    for (int i = 0; i < size; i++) set(name).add((size == 10 ? "" : "m") + std::to_string(i), limits_);
    std::map<std::string, int> drawn;
    for (int i = 0; i < size * 200; i++) {
      set(name).visit_random(random, [&](Bytes member) { drawn[std::string(member)]++; });
    }
    EXPECT_EQ(drawn.size(), static_cast<size_t>(size));
    for (const auto& [member, count] : drawn) EXPECT_GT(count, 50) << member;
  }
}

// Random operations on a set and a std::set, through all forms and with changing thresholds.
TEST_F(SetValueTest, AgreesWithAModel) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 24; round++) {
    std::set<std::string> model;
    limits_ = {random.uniform(600), random.uniform(200), 1 + random.uniform(100)};
    const uint64_t pool = 1 + random.uniform(round % 3 == 0 ? 2000 : 100);
    const bool integers = random.one_in(2);
    const auto draw = [&]() -> std::string {
      const uint64_t which = random.uniform(pool);
      if (integers && !random.one_in(200)) return std::to_string(static_cast<int64_t>(which * which * which) - 5000);
      return std::string(random.uniform(3) * which % 150, 'x') + std::to_string(which);
    };
    for (int i = 0; i < 400; i++) {
      const uint64_t operation = random.uniform(10);
      if (operation < 5) {
        const std::string member = draw();
        ASSERT_EQ(set().add(member, limits_), model.insert(member).second);
      } else if (operation == 5) {
        std::vector<std::string> texts(1 + random.uniform(20));
        std::vector<Bytes> given;
        size_t added = 0;
        for (std::string& text : texts) {
          text = draw();
          given.push_back(text);
          added += model.insert(text).second;
        }
        ASSERT_EQ(set().add_all(given, limits_), added);
      } else if (operation < 8) {
        const std::string member = draw();
        ASSERT_EQ(set().remove(member), model.erase(member) == 1);
      } else if (operation == 8 && !model.empty()) {
        set().pop(random, [&](Bytes member) { ASSERT_EQ(model.erase(std::string(member)), 1u); });
      } else {
        const std::string member = draw();
        ASSERT_EQ(set().contains(member), model.contains(member));
      }
      ASSERT_EQ(set().size(), model.size());
      set().check_integrity();
    }
    ASSERT_EQ(members(), model);
    keyspace_.erase(store_.hashed("s"), kNowMs);
  }
  while (store_.free_some(SIZE_MAX)) {
  }
  EXPECT_EQ(store_.blocks().used_bytes(), 0u);
}

}  // namespace
}  // namespace larder
