#include "storage/compaction.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "storage/hash_value.h"
#include "storage/keyspace.h"
#include "storage/set_value.h"
#include "storage/string_value.h"
#include "storage/zset_value.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/storage/test_clock.h"

namespace larder {
namespace {

constexpr int kKeys = 8'000;
constexpr int kMembers = 4'000;

// Strings of mixed sizes and three large collections, next to maps that say what should be in them.
class CompactionTest : public testing::Test {
 protected:
  CompactionTest() : random_(test_seed()), store_(StoreOptions{.database_count = 2}), compactor_(store_) {}

  template <class Value>
  Value edit(Bytes name) {
    return *store_.database(1).edit_or_create<Value>(store_.hashed(name), kNowMs);
  }
  void put_string(int number) {
    const std::string key = "key:" + std::to_string(number);
    std::string& value = strings_[key];
    value.assign(1 + random_.uniform(400), static_cast<char>('a' + number % 26));
    const bool is_volatile = number % 3 == 0;
    store_.database(0).assign_string(store_.hashed(key), value,
                                     is_volatile ? DeadlineRule::at(kNowMs + 1000) : DeadlineRule::none(), kNowMs);
  }
  void drop_string(int number) {
    const std::string key = "key:" + std::to_string(number);
    EXPECT_EQ(store_.database(0).erase(store_.hashed(key), kNowMs), strings_.erase(key) == 1);
  }
  void put_member(int number) {
    const std::string member = "member:" + std::to_string(number);
    members_[member] = static_cast<double>(random_.uniform(1000));
    edit<SetValue>("set").add(member, {});
    edit<HashValue>("hash").set(member, member + "-value", {});
    edit<ZsetValue>("zset").put(member, members_[member], {}, {});
  }
  void drop_member(int number) {
    const std::string member = "member:" + std::to_string(number);
    if (members_.erase(member) == 0) return;
    EXPECT_TRUE(edit<SetValue>("set").remove(member));
    EXPECT_TRUE(edit<HashValue>("hash").remove(member));
    EXPECT_TRUE(edit<ZsetValue>("zset").remove(member));
  }
  void fill_and_thin_out(int keys = kKeys) {
    for (int i = 0; i < keys; i++) put_string(i);
    for (int i = 0; i < kMembers; i++) put_member(i);
    for (int i = 0; i < keys; i++) {
      if (random_.uniform(4) != 0) drop_string(i);
    }
    for (int i = 0; i < kMembers; i++) {
      if (random_.uniform(4) != 0) drop_member(i);
    }
  }
  void check() {
    for (int db = 0; db < 2; db++) store_.database(db).check_integrity();
    store_.blocks().check_integrity();
    EXPECT_EQ(store_.database(0).size(), strings_.size());
    for (const auto& [key, value] : strings_) {
      const auto found = store_.database(0).read<StringValue>(store_.hashed(key), kNowMs);
      ASSERT_TRUE(found);
      EXPECT_EQ(Bytes(found->text()), value);
    }
    edit<SetValue>("set").check_integrity();
    edit<HashValue>("hash").check_integrity();
    edit<ZsetValue>("zset").check_integrity();
    EXPECT_EQ(edit<SetValue>("set").size(), members_.size());
    for (const auto& [member, score] : members_) {
      EXPECT_TRUE(edit<SetValue>("set").contains(member));
      HashText text;
      ASSERT_TRUE(edit<HashValue>("hash").get(member, &text));
      EXPECT_EQ(edit<ZsetValue>("zset").score(member), score);
    }
  }
  double waste() const {
    return static_cast<double>(store_.blocks().slack_bytes()) / static_cast<double>(store_.blocks().used_bytes());
  }

  Random random_;
  Store store_;
  Compactor compactor_;
  std::map<std::string, std::string> strings_;
  std::map<std::string, double> members_;
};

TEST_F(CompactionTest, EmptyStore) {
  while (compactor_.step()) {
  }
  EXPECT_EQ(compactor_.counts().moved, 0u);
}

TEST_F(CompactionTest, GivesBackWhatIsLostInSparsePages) {
  fill_and_thin_out(60'000);  // many pages of each size
  const double before = waste();
  while (compactor_.step()) {
  }
  check();
  EXPECT_GT(before, 1.0);
  EXPECT_LT(waste(), before / 2);
  EXPECT_GT(compactor_.counts().moved, strings_.size() / 2);
}

TEST_F(CompactionTest, NoStepWhileSomebodyRemembersEntries) {
  class Guard final : public ChangeGuard {
    void changing(Keyspace&, Entry&) override {}
    void added(Keyspace&, Entry&) override {}
    void flushed(Keyspace&, FlushedKeyspace&) override {}
    void swapping(Keyspace&, Keyspace&) override {}
  };
  fill_and_thin_out();
  Guard guard;
  store_.set_guard(&guard);
  for (int i = 0; i < 1000; i++) EXPECT_TRUE(compactor_.step());
  EXPECT_EQ(compactor_.counts().moved + compactor_.counts().left, 0u);
  store_.set_guard(nullptr);
}

TEST_F(CompactionTest, TheStoreChangesBetweenSteps) {
  fill_and_thin_out();
  while (compactor_.step()) {
    const auto number = static_cast<int>(random_.uniform(kKeys));
    switch (random_.uniform(16)) {
      case 0:
        put_string(number);
        break;
      case 1:
        drop_string(number);
        break;
      case 2:
        put_member(number % kMembers);
        break;
      case 3:
        drop_member(number % kMembers);
        break;
      default:
        break;
    }
  }
  check();
}

TEST_F(CompactionTest, ACollectionGoesWhileItsMembersAreMoved) {
  fill_and_thin_out();
  for (int i = 0; i < 2000 && compactor_.step(); i++) {
  }
  compactor_.restart();
  const FlushedKeyspace flushed = store_.database(0).flush();
  strings_.clear();
  for (int i = 0; i < 5; i++) compactor_.step();
  for (const Bytes name : {"set", "hash", "zset"}) store_.database(1).erase(store_.hashed(name), kNowMs);
  while (store_.free_some(1000)) {
  }
  while (compactor_.step()) {
  }
  store_.blocks().check_integrity();
  EXPECT_EQ(store_.database(1).size(), 0u);
}

}  // namespace
}  // namespace larder
