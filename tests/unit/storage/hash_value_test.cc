#include "storage/hash_value.h"

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

class FieldObserver final : public KeyspaceObserver {
 public:
  void expired(Keyspace&, Bytes) override {}
  void evicted(Keyspace&, Bytes) override {}
  void fields_expired(Keyspace&, Bytes, std::span<const Bytes> fields, bool key_removed) override {
    for (const Bytes field : fields) names.emplace(field);
    keys_removed += key_removed;
  }
  std::set<std::string> names;
  int keys_removed = 0;
};

class HashValueTest : public testing::Test {
 protected:
  HashValueTest() : store_({.hash_seed = 7, .observer = &observer_}), keyspace_(store_.database(0)) {}
  HashValue hash(Bytes name = "h") { return *keyspace_.edit_or_create<HashValue>(store_.hashed(name), now_ms_); }
  std::string get(Bytes field) {
    HashText value;
    return hash().get(field, &value) ? std::string(value.bytes()) : "(none)";
  }
  Bytes encoding() { return encoding_name(hash().entry()); }
  void advance(int64_t ms) {
    for (const int64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      now_ms_ += 2;
      while (keyspace_.advance_expiry(now_ms_, 30).more_due) {
      }
    }
  }
  static std::string field(int i) { return "field:" + std::to_string(i); }

  FieldObserver observer_;
  HashLimits limits_;
  Store store_;
  Keyspace& keyspace_;
  int64_t now_ms_ = kNowMs;
};

TEST_F(HashValueTest, KeepsTheOrderWhileSmall) {
  hash().set("z", "1", limits_);
  hash().set("a", "two", limits_);
  hash().set("z", std::string(100, 'x'), limits_);
  std::string names;
  hash().for_each([&](const HashFieldView& view) { names += view.name; });
  EXPECT_EQ(names, "za");
  EXPECT_EQ(encoding(), "hashtable");
  EXPECT_EQ(hash().table(), nullptr);
}

TEST_F(HashValueTest, MemoryIsAccountedAndFreedInPieces) {
  for (int i = 0; i < 20'000; i++) hash().set(field(i), "a value of 16 by", limits_);
  EXPECT_LT(keyspace_.entry_memory_bytes(hash().entry()), 20'000u * 52);
  keyspace_.copy_entry(store_.hashed("h"), keyspace_, store_.hashed("copy"), now_ms_);
  hash("copy").check_integrity();
  keyspace_.erase(store_.hashed("h"), now_ms_);
  int pieces = 0;
  while (store_.free_some(1000)) pieces++;
  EXPECT_GT(pieces, 5);
  EXPECT_EQ(hash("copy").size(), 20'000u);
  keyspace_.erase(store_.hashed("copy"), now_ms_);
  while (store_.free_some(1000)) {
  }
  EXPECT_EQ(store_.blocks().used_bytes(), 0u);
}

TEST_F(HashValueTest, FieldsExpireByThemselves) {
  for (const int count : {3, 40, 300, 3000}) {
    observer_.names.clear();
    for (int i = 0; i < count; i++) hash().set(field(i), "v", limits_);
    for (int i = 0; i < count; i += 2) EXPECT_TRUE(hash().set_field_deadline(field(i), now_ms_ + 50 + i));
    keyspace_.check_integrity();
    hash().check_integrity();
    advance(50 + count + 4);
    EXPECT_EQ(observer_.names.size(), static_cast<size_t>((count + 1) / 2)) << count;
    EXPECT_EQ(hash().size(), static_cast<size_t>(count / 2)) << count;
    keyspace_.check_integrity();
    keyspace_.erase(store_.hashed("h"), now_ms_);
  }
}

TEST_F(HashValueTest, TheLastFieldTakesTheKeyAlong) {
  for (const int count : {1, 50, 800}) {
    observer_.keys_removed = 0;
    for (int i = 0; i < count; i++) {
      hash().set(field(i), "v", limits_);
      hash().set_field_deadline(field(i), now_ms_ + 20);
    }
    advance(30);
    EXPECT_EQ(observer_.keys_removed, 1) << count;
    EXPECT_EQ(keyspace_.size(), 0u) << count;
    keyspace_.check_integrity();
  }
}

TEST_F(HashValueTest, ALookUpTakesDueFieldsOut) {
  hash().set("a", "1", limits_);
  hash().set("b", "2", limits_, DeadlineRule::at(now_ms_ + 10));
  now_ms_ += 10;
  EXPECT_EQ(hash().size(), 1u);
  EXPECT_EQ(get("b"), "(none)");
  EXPECT_EQ(observer_.names, std::set<std::string>{"b"});
  keyspace_.check_integrity();
}

TEST_F(HashValueTest, OnAReplicaTheyAreOnlyHidden) {
  store_.set_expiry_mode(ExpiryMode::kHide);
  hash().set("a", "1", limits_);
  hash().set("b", "2", limits_, DeadlineRule::at(now_ms_ + 10));
  hash("all").set("b", "2", limits_, DeadlineRule::at(now_ms_ + 10));
  now_ms_ += 10;
  EXPECT_EQ(hash().size(), 1u);
  EXPECT_FALSE(hash().contains("b"));
  EXPECT_EQ(keyspace_.find(store_.hashed("all"), now_ms_), nullptr);
  EXPECT_TRUE(observer_.names.empty());
  EXPECT_TRUE(hash("all").set("b", "3", limits_));
  EXPECT_EQ(keyspace_.size(), 2u);
  keyspace_.check_integrity();
}

TEST_F(HashValueTest, DeadlinesMoveWithTheKey) {
  for (const int count : {2, 800}) {
    for (int i = 0; i < count; i++) hash().set(field(i), "v", limits_, DeadlineRule::at(now_ms_ + 100 + i % 2));
    Keyspace& other = store_.database(1);
    ASSERT_TRUE(keyspace_.copy_entry(store_.hashed("h"), other, store_.hashed("h"), now_ms_));
    ASSERT_TRUE(keyspace_.move_entry(store_.hashed("h"), keyspace_, store_.hashed("g"), now_ms_));
    keyspace_.check_integrity();
    other.check_integrity();
    advance(110);
    EXPECT_EQ(keyspace_.size(), 0u);
    EXPECT_EQ(other.size(), 1u);
    for (int i = 0; i < 10; i++) other.advance_expiry(now_ms_ += 2, 30);
    EXPECT_EQ(other.size(), 0u);
  }
}

TEST_F(HashValueTest, ManyFieldsAtOnceGoInPieces) {
  constexpr int kCount = 5000;
  for (int i = 0; i < kCount; i++) hash().set(field(i), "v", limits_, DeadlineRule::at(now_ms_ + 10));
  hash().set("stays", "v", limits_);
  now_ms_ += 10;
  EXPECT_EQ(hash().size(), 1u);
  EXPECT_LT(observer_.names.size(), static_cast<size_t>(kCount));
  EXPECT_TRUE(hash().contains("stays"));
  EXPECT_FALSE(hash().contains(field(kCount - 1)));
  advance(40);
  EXPECT_EQ(observer_.names.size(), static_cast<size_t>(kCount));
  EXPECT_EQ(hash().table()->volatile_count(), 0u);
}

// Fields get deadlines again and again, each of which leaves an item in the index. Nothing that takes time in proportion to
// the hash happens at once, which its memory would show, and nothing is forgotten.
TEST_F(HashValueTest, StaleDeadlinesAreTidiedInPieces) {
  constexpr int kCount = 20'000;
  const int64_t due_ms = now_ms_ + 10'000'000;
  for (int i = 0; i < kCount; i++) hash().set(field(i), "v", limits_, DeadlineRule::at(due_ms + i % 100));
  const size_t before_bytes = hash().table()->memory_bytes();
  size_t last_bytes = before_bytes;
  size_t most_bytes = 0;
  size_t largest_step = 0;
  for (int i = 0; i < 10 * kCount; i++) {
    const std::string name = field(i * 7 % kCount);
    hash().set_field_deadline(name, kNoDeadline);
    hash().set_field_deadline(name, due_ms + i % 100);
    const size_t bytes = hash().table()->memory_bytes();
    largest_step = std::max(largest_step, bytes > last_bytes ? bytes - last_bytes : last_bytes - bytes);
    most_bytes = std::max(most_bytes, bytes);
    last_bytes = bytes;
  }
  hash().check_integrity();
  EXPECT_LT(largest_step, 30'000u);
  EXPECT_LT(most_bytes - before_bytes, kCount * 3 * 5 + 16'384 * 5 + 50'000u);
  now_ms_ = due_ms;
  EXPECT_GT(hash().size(), static_cast<size_t>(kCount) * 9 / 10);
  now_ms_ = due_ms + 100;
  advance(200);
  EXPECT_EQ(observer_.names.size(), static_cast<size_t>(kCount));
}

// Of which there are many without one.
TEST_F(HashValueTest, TheFirstDeadlineOfALargeHashLooksAtNoOther) {
  for (int i = 0; i < 5000; i++) hash().set(field(i), "v", limits_);
  hash().set_field_deadline(field(77), now_ms_ + 100);
  hash().check_integrity();
  advance(110);
  EXPECT_EQ(hash().size(), 4999u);
}

struct ModelField {
  std::string value;
  int64_t deadline_ms;
};
using HashModel = std::map<std::string, ModelField>;

void expire(HashModel& model, int64_t now_ms) {
  std::erase_if(model, [&](const auto& entry) { return entry.second.deadline_ms <= now_ms; });
}

void expect_same(const HashValue& hash, const HashModel& model) {
  HashModel seen;
  hash.for_each([&](const HashFieldView& view) {
    seen[std::string(view.name)] = {std::string(view.value), view.deadline_ms};
  });
  ASSERT_EQ(seen.size(), model.size());
  for (const auto& [name, wanted] : model) {
    ASSERT_EQ(seen[name].value, wanted.value);
    ASSERT_EQ(seen[name].deadline_ms, wanted.deadline_ms);
  }
}

// Random operations on a hash and a map, through all forms, with time that goes on.
TEST_F(HashValueTest, AgreesWithAModel) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 16; round++) {
    HashModel model;
    limits_ = {random.uniform(600), 1 + random.uniform(100)};
    const int pool = static_cast<int>(1 + random.uniform(round % 3 == 0 ? 3000 : 60));
    const bool with_deadlines = round % 2 == 0;
    const auto draw_value = [&] {
      return random.one_in(2) ? std::to_string(random.next() % 100'000)
                              : std::string(random.uniform(random.one_in(10) ? 400 : 30), 'v');
    };
    const auto draw_deadline = [&] {
      return with_deadlines && random.one_in(3) ? now_ms_ + 1 + static_cast<int64_t>(random.uniform(2000))
                                                : kNoDeadline;
    };
    for (int i = 0; i < (pool > 600 ? 1500 : 300); i++) {
      const std::string name = random.one_in(4) ? std::to_string(random.uniform(static_cast<uint64_t>(pool)))
                                                : field(static_cast<int>(random.uniform(static_cast<uint64_t>(pool))));
      const auto found = model.find(name);
      const uint64_t operation = random.uniform(10);
      if (operation < 5) {
        const std::string value = draw_value();
        const int64_t deadline_ms = draw_deadline();
        const bool keeps = random.one_in(3);
        const auto rule = keeps                        ? DeadlineRule::keep()
                          : deadline_ms == kNoDeadline ? DeadlineRule::none()
                                                       : DeadlineRule::at(deadline_ms);
        const int64_t old_deadline_ms = found == model.end() ? kNoDeadline : found->second.deadline_ms;
        ASSERT_EQ(hash().set(name, value, limits_, rule), found == model.end());
        model[name] = {value, rule.applied_to(old_deadline_ms)};
      } else if (operation < 7) {
        ASSERT_EQ(hash().remove(name), model.erase(name) == 1);
      } else if (operation == 7) {
        const int64_t deadline_ms = draw_deadline();
        ASSERT_EQ(hash().set_field_deadline(name, deadline_ms), found != model.end());
        if (found != model.end()) found->second.deadline_ms = deadline_ms;
      } else {
        ASSERT_EQ(get(name), found == model.end() ? "(none)" : found->second.value);
        const auto deadline_ms = hash().field_deadline_ms(name);
        ASSERT_EQ(deadline_ms.has_value(), found != model.end());
        if (deadline_ms) {
          ASSERT_EQ(*deadline_ms, found->second.deadline_ms);
        }
      }
      if (random.one_in(5)) now_ms_ += static_cast<int64_t>(random.uniform(20));
      if (random.one_in(5)) advance(2);
      expire(model, now_ms_);
      ASSERT_EQ(hash().size(), model.size());
      if (pool <= 60 || i % 16 == 0) {
        hash().check_integrity();
        keyspace_.check_integrity();
      }
    }
    expect_same(hash(), model);
    keyspace_.erase(store_.hashed("h"), now_ms_);
    while (store_.free_some(SIZE_MAX)) {
    }
    EXPECT_EQ(store_.blocks().used_bytes(), 0u);
  }
}

}  // namespace
}  // namespace larder
