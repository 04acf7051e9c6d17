#include "storage/hash_table.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "storage/hash.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

struct TestItem {
  uint64_t key;
};

// Items are numbers; how good their hash is is up to the test.
struct TestPolicy {
  using Item = TestItem;
  using Key = uint64_t;
  uint64_t (*hash_key)(uint64_t key);

  static bool equal(const TestItem& item, uint64_t key) { return item.key == key; }
  uint64_t hash(const TestItem& item) const { return hash_key(item.key); }
  static void prefetch(const TestItem* item) { prefetch_line(item); }
};

uint64_t good_hash(uint64_t key) { return hash_bytes({reinterpret_cast<const char*>(&key), sizeof(key)}, 7); }
uint64_t four_hashes(uint64_t key) { return good_hash(key % 4); }
uint64_t same_hash(uint64_t) { return 0x123456789abcdef0; }
// All hashes share their first 24 bits: splits up to there separate nothing.
uint64_t common_prefix(uint64_t key) { return 0xabcdef0000000000 | (good_hash(key) >> 24); }
// The last part of the range, and tags that would be 0.
uint64_t high_hash(uint64_t key) { return ~(good_hash(key) >> 40 << 8) & ~uint64_t{0xff}; }

// Those that put many items into one chain: fewer of them say as much.
bool is_weak(uint64_t (*hash_key)(uint64_t)) {
  return hash_key == four_hashes || hash_key == same_hash || hash_key == high_hash;
}

using Table = HashTable<TestPolicy>;

// The table next to a map that says what should be in it.
class TableModel {
 public:
  explicit TableModel(uint64_t (*hash_key)(uint64_t)) : hash_key_(hash_key), table_(TestPolicy{hash_key}, account_) {}

  void insert(uint64_t key) {
    if (items_.count(key)) return;
    auto item = std::make_unique<TestItem>(TestItem{key});
    table_.insert_new(hash_key_(key), item.get());
    items_[key] = std::move(item);
  }
  void erase(uint64_t key) {
    Table::Slot* slot = table_.find(hash_key_(key), key);
    ASSERT_EQ(slot != nullptr, items_.count(key) == 1);
    if (slot == nullptr) return;
    table_.erase(hash_key_(key), slot);
    items_.erase(key);
  }
  // Gives the item another address.
  void move(uint64_t key) {
    Table::Slot* slot = table_.find(hash_key_(key), key);
    if (slot == nullptr) return;
    auto moved = std::make_unique<TestItem>(TestItem{key});
    slot->replace(moved.get());
    items_[key] = std::move(moved);
  }
  void check_find(uint64_t key) const {
    const Table::Slot* slot = table_.find(hash_key_(key), key);
    const auto expected = items_.find(key);
    ASSERT_EQ(slot != nullptr, expected != items_.end());
    if (slot != nullptr) {
      ASSERT_EQ(slot->item(), expected->second.get());
    }
  }
  void check_all() const {
    table_.check_integrity();
    ASSERT_EQ(table_.size(), items_.size());
    ASSERT_EQ(account_.bytes, static_cast<int64_t>(table_.bytes_allocated()));
    for (const auto& [key, item] : items_) check_find(key);
    size_t visited = 0;
    table_.for_each([&](const TestItem& item) {
      visited++;
      ASSERT_TRUE(items_.count(item.key));
    });
    ASSERT_EQ(visited, items_.size());
  }
  Table& table() { return table_; }
  const HashTableAccount& account() const { return account_; }
  const std::unordered_map<uint64_t, std::unique_ptr<TestItem>>& items() const { return items_; }

 private:
  uint64_t (*hash_key_)(uint64_t);
  HashTableAccount account_;
  Table table_;
  std::unordered_map<uint64_t, std::unique_ptr<TestItem>> items_;
};

void random_step(TableModel& model, Random& random, uint64_t keys, uint32_t insert_percent) {
  const uint64_t key = random.uniform(keys);
  const uint64_t dice = random.uniform(100);
  if (dice < insert_percent) {
    model.insert(key);
  } else if (dice < 95) {
    model.erase(key);
  } else {
    model.move(key);
  }
  model.check_find(random.uniform(keys));
}

struct HashCase {
  const char* name;
  uint64_t (*hash_key)(uint64_t);
};

class HashTableModel : public testing::TestWithParam<HashCase> {};

TEST_P(HashTableModel, SmallTablesAfterEveryStep) {
  Random random(test_seed());
  for (const uint64_t keys : {4, 20, 300}) {
    TableModel model(GetParam().hash_key);
    for (int step = 0; step < 800; step++) {
      random_step(model, random, keys, (step / 200) % 2 ? 25 : 70);
      ASSERT_NO_FATAL_FAILURE(model.check_all());
    }
  }
}

TEST_P(HashTableModel, GrowsAndShrinksAgain) {
  Random random(test_seed());
  TableModel model(GetParam().hash_key);
  const uint64_t keys = is_weak(GetParam().hash_key) ? 1000 : 4000;
  for (uint32_t round = 0; round < 4; round++) {
    for (uint64_t step = 0; step < 2 * keys; step++) random_step(model, random, keys, round % 2 ? 5 : 90);
    ASSERT_NO_FATAL_FAILURE(model.check_all());
  }
  while (!model.items().empty()) model.erase(model.items().begin()->first);
  ASSERT_NO_FATAL_FAILURE(model.check_all());
  EXPECT_EQ(model.table().bytes_allocated(), 0u);
}

// Between two steps of the walk the table grows by a lot or shrinks by a lot. What is there all the time must be met.
TEST_P(HashTableModel, ScanMeetsWhatStays) {
  Random random(test_seed());
  const uint64_t keys = is_weak(GetParam().hash_key) ? 600 : 4000;
  for (int round = 0; round < 4; round++) {
    TableModel model(GetParam().hash_key);
    const uint64_t stay = keys / 10;
    for (uint64_t key = 0; key < stay; key++) model.insert(key);
    if (round % 2) {
      for (uint64_t key = stay; key < keys; key++) model.insert(key);
    }
    std::set<uint64_t> met;
    uint64_t position = 0;
    uint64_t steps = 0;
    do {
      const uint64_t next = model.table().scan(position, [&](const TestItem& item) { met.insert(item.key); });
      ASSERT_TRUE(next == 0 || next > position);
      ASSERT_EQ(next % (1u << kScanCursorShift), 0u);
      position = next;
      const uint64_t changes = random.uniform(is_weak(GetParam().hash_key) ? 20 : 100);
      for (uint64_t i = 0; i < changes; i++) {
        const uint64_t key = stay + random.uniform(keys - stay);
        if (round % 2 ? random.one_in(10) : !random.one_in(10)) {
          model.insert(key);
        } else {
          model.erase(key);
        }
      }
      ASSERT_LT(++steps, 200000u);
    } while (position != 0);
    for (uint64_t key = 0; key < stay; key++) ASSERT_TRUE(met.count(key)) << key;
    ASSERT_NO_FATAL_FAILURE(model.check_all());
  }
}

TEST_P(HashTableModel, ExpectedItemsComeOrNot) {
  Random random(test_seed());
  const uint64_t keys = is_weak(GetParam().hash_key) ? 600 : 4000;
  for (const uint64_t expected : {0, 1, 100, 1000, 4000, 200'000}) {
    for (const uint64_t coming : {uint64_t{0}, keys / 40, keys}) {
      TableModel model(GetParam().hash_key);
      model.table().expect(expected);
      model.table().expect(2 * expected);  // nothing
      ASSERT_NO_FATAL_FAILURE(model.check_all());
      for (uint64_t key = 0; key < coming; key++) random_step(model, random, keys, 80);
      ASSERT_NO_FATAL_FAILURE(model.check_all());
      model.table().settle();
      ASSERT_NO_FATAL_FAILURE(model.check_all());
      for (uint64_t key = 0; key < keys / 4; key++) random_step(model, random, keys, 20);
      ASSERT_NO_FATAL_FAILURE(model.check_all());
    }
  }
}

TEST_P(HashTableModel, ScanThatErasesWhatItMeetsEmptiesTheTable) {
  TableModel model(GetParam().hash_key);
  for (uint64_t key = 0; key < 2000; key++) model.insert(key);
  uint64_t position = 0;
  do {
    std::vector<uint64_t> met;
    position = model.table().scan(position, [&](const TestItem& item) { met.push_back(item.key); });
    for (const uint64_t key : met) model.erase(key);
  } while (position != 0);
  EXPECT_EQ(model.table().size(), 0u);
  EXPECT_EQ(model.table().bytes_allocated(), 0u);
}

TEST_P(HashTableModel, HashPrefixFindsEveryItemWithIt) {
  TableModel model(GetParam().hash_key);
  for (uint64_t key = 0; key < 2000; key++) model.insert(key);
  for (uint64_t key = 0; key < 2000; key += 17) {
    std::set<uint64_t> met;
    const auto prefix = static_cast<uint32_t>(GetParam().hash_key(key) >> 32);
    model.table().for_each_hash_prefix(prefix, [&](const Table::Slot& slot) { met.insert(slot.item()->key); });
    for (const auto& [other, item] : model.items()) {
      if (GetParam().hash_key(other) >> 32 == prefix) {
        ASSERT_TRUE(met.count(other));
      }
    }
  }
}

TEST_P(HashTableModel, DrainReleasesEveryItemOnce) {
  TableModel model(GetParam().hash_key);
  for (uint64_t key = 0; key < 5000; key++) model.insert(key);
  std::set<uint64_t> released;
  uint64_t position = 0;
  do {
    position = model.table().drain(position, [&](TestItem* item) { EXPECT_TRUE(released.insert(item->key).second); });
  } while (position != 0);
  EXPECT_EQ(released.size(), 5000u);
  EXPECT_EQ(model.table().size(), 0u);
  EXPECT_EQ(model.account().bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(Hashes, HashTableModel,
                         testing::Values(HashCase{"good", good_hash}, HashCase{"four", four_hashes},
                                         HashCase{"same", same_hash}, HashCase{"prefix", common_prefix},
                                         HashCase{"high", high_hash}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(HashTable, LargeAgainstModel) {
  Random random(test_seed());
  TableModel model(good_hash);
  for (int round = 0; round < 3; round++) {
    for (int step = 0; step < 150000; step++) random_step(model, random, 100000, round == 1 ? 10 : 90);
    ASSERT_NO_FATAL_FAILURE(model.check_all());
  }
  EXPECT_GT(model.account().splits, 0u);
  EXPECT_GT(model.account().merges, 0u);
  EXPECT_GT(model.account().rehashes, 0u);
}

// Segments whose local depth is more than the root's: the directory's branches come and go.
TEST(HashDirectory, BranchesGrowAndCollapse) {
  std::vector<HashSegment*> segments;
  const auto word = [&](uint32_t depth) {
    segments.push_back(HashSegment::create(nullptr, 2, 0, depth, kExtensionBits));
    return SegmentWord(segments.back(), 1, depth);
  };
  HashDirectory directory(word(0));
  constexpr uint64_t kHash = 0x123456789abcdef0;
  for (uint32_t depth = 1; depth <= 24; depth++) {
    directory.split(kHash, word(depth), word(depth));
    directory.check_integrity();
    ASSERT_EQ(directory.find(kHash).local_depth(), depth);
    ASSERT_EQ(directory.find(kHash ^ (uint64_t{1} << (64 - depth))).local_depth(), depth);
  }
  EXPECT_EQ(directory.depth(), HashDirectory::kRootDepthMax);
  for (uint32_t depth = 24; depth-- > 0;) {
    directory.merge(kHash, word(depth));
    directory.check_integrity();
    ASSERT_EQ(directory.find(kHash).local_depth(), depth);
  }
  EXPECT_EQ(directory.bytes(), 0u);
  for (HashSegment* segment : segments) HashSegment::destroy(nullptr, segment);
}

TEST(HashTable, IsThreeQuartersFullAtEveryCount) {
  HashTableAccount account;
  Table table(TestPolicy{good_hash}, account);
  std::vector<TestItem> items(200000);
  double worst = 0;
  for (uint64_t key = 0; key < items.size(); key++) {
    items[key].key = key;
    table.insert_new(good_hash(key), &items[key]);
    if (key >= 2000 && key % 100 == 0) {
      worst = std::max(worst, static_cast<double>(table.bytes_allocated()) / static_cast<double>(table.size()));
    }
  }
  EXPECT_LT(worst, 13.5);
}

TEST(HashTable, GrowsWithoutMovingWhatWasExpected) {
  for (const uint64_t count : {3'000, 50'000, 123'456}) {
    TableModel model(good_hash);
    model.table().expect(count);
    EXPECT_LT(model.table().bytes_allocated(), count);  // the directory alone
    for (uint64_t key = 0; key < count; key++) model.insert(key);
    model.table().settle();
    ASSERT_NO_FATAL_FAILURE(model.check_all());
    EXPECT_LT(model.table().bytes_allocated(), 14 * count);
    EXPECT_LE(model.account().grows + model.account().splits, count / 4000);
    EXPECT_EQ(model.account().rehashes, 0u);
  }
}

TEST(HashTable, WhatWasExpectedInVainIsGivenBack) {
  TableModel model(good_hash);
  model.table().expect(500'000);
  for (uint64_t key = 0; key < 2000; key++) model.insert(key);
  EXPECT_GT(model.table().bytes_allocated(), 1'000'000u);
  model.table().settle();
  ASSERT_NO_FATAL_FAILURE(model.check_all());
  EXPECT_LT(model.table().bytes_allocated(), 40'000u);
  for (uint64_t key = 0; key < 2000; key++) model.erase(key);
  EXPECT_EQ(model.table().bytes_allocated(), 0u);
}

TEST(HashTable, SmallTablesAreSmall) {
  HashTableAccount account;
  Table table(TestPolicy{good_hash}, account);
  EXPECT_EQ(table.bytes_allocated(), 0u);
  std::vector<TestItem> items(30);
  for (uint64_t key = 0; key < items.size(); key++) {
    items[key].key = key;
    table.insert_new(good_hash(key), &items[key]);
    if (key == 6) {
      EXPECT_EQ(table.bytes_allocated(), 128u);
    }
  }
  EXPECT_LE(table.bytes_allocated(), 6 * 64u);
}

TEST(HashTable, RandomSlotIsAboutUniform) {
  Random random(test_seed());
  TableModel model(good_hash);
  EXPECT_EQ(model.table().random_slot(random), nullptr);
  for (uint64_t key = 0; key < 2000; key++) model.insert(key);
  std::map<uint64_t, int> drawn;
  for (int i = 0; i < 100000; i++) drawn[model.table().random_slot(random)->item()->key]++;
  EXPECT_EQ(drawn.size(), 2000u);
  for (const auto& [key, count] : drawn) {
    EXPECT_GT(count, 10);
    EXPECT_LT(count, 150);
  }
}

TEST(HashTable, RandomSlotFindsALonelyItem) {
  Random random(test_seed());
  TableModel model(common_prefix);
  for (uint64_t key = 0; key < 5000; key++) model.insert(key);
  for (uint64_t key = 1; key < 5000; key++) model.erase(key);
  EXPECT_EQ(model.table().random_slot(random)->item()->key, 0u);
}

TEST(HashTable, MovesAndSwaps) {
  HashTableAccount account;
  TestItem a{1}, b{2};
  Table first(TestPolicy{good_hash}, account);
  Table second(TestPolicy{good_hash}, account);
  first.insert_new(good_hash(1), &a);
  second.insert_new(good_hash(2), &b);
  std::swap(first, second);
  EXPECT_EQ(first.find(good_hash(2), 2)->item(), &b);
  EXPECT_EQ(second.find(good_hash(1), 1)->item(), &a);
  Table third(std::move(first));
  EXPECT_EQ(third.find(good_hash(2), 2)->item(), &b);
  EXPECT_EQ(first.size(), 0u);  // NOLINT(bugprone-use-after-move): it is left empty, and may be used again
  EXPECT_EQ(first.find(good_hash(2), 2), nullptr);
  first.insert_new(good_hash(1), &a);
  first.check_integrity();
  third.check_integrity();
}

TEST(HashBucket, PortableMatchAgreesWithTheVectorOne) {
  Random random(test_seed());
  for (int i = 0; i < 20000; i++) {
    HashBucket bucket;
    for (uint8_t& tag : bucket.tags) tag = static_cast<uint8_t>(random.uniform(4) * 85);
    bucket.overflow = static_cast<uint8_t>(random.next());
    const auto tag = static_cast<uint8_t>(random.uniform(4) * 85);
    SlotMask vector = bucket.match(tag);
    SlotMask portable = bucket.match_portable(tag);
    for (uint32_t slot = 0; slot < kSlotsPerBucket; slot++) {
      if (bucket.tags[slot] != tag) continue;
      ASSERT_TRUE(vector && portable);
      ASSERT_EQ(vector.first(), slot);
      ASSERT_EQ(portable.first(), slot);
      vector.drop_first();
      portable.drop_first();
    }
    ASSERT_FALSE(vector || portable);
  }
}

TEST(HashSegment, FirstOrderIsTheInverseOfHome) {
  for (const uint32_t buckets : {1u, 2u, 3u, 7u, 63u, 100u, 127u, 1000u, 4096u}) {
    for (uint32_t bucket = 0; bucket < buckets; bucket++) {
      const uint32_t order = HashSegment::first_order_of(bucket, buckets);
      ASSERT_EQ(HashSegment::home_of(order, buckets), bucket);
      if (order > 0) {
        ASSERT_LT(HashSegment::home_of(order - 1, buckets), bucket);
      }
    }
  }
}

// A segment that stays nearly full while items come and go: as many pass each bucket as if the items of now had come alone.
TEST(HashSegment, ItemsThatAreGoneLeaveNoTrace) {
  constexpr uint32_t kLines = 64;
  Random random(test_seed());
  const auto create = [] { return HashSegment::create(nullptr, kLines, 0, 0, 16); };
  HashSegment* segment = create();
  for (int step = 0; step < 30000; step++) {
    if (segment->live == segment->capacity - 1) {
      std::vector<HashSlot*> slots;
      segment->for_each([&](HashSlot& slot, uint8_t) { slots.push_back(&slot); });
      segment->erase(slots[random.uniform(slots.size())]);
    }
    segment->insert(HashSlot::make(static_cast<uint32_t>(random.next()) & 0xffff, 64), 1);
  }
  HashSegment* fresh = create();
  fresh->take_all(*segment);
  uint32_t passed = 0;
  for (uint32_t b = 0; b < segment->bucket_count; b++) {
    ASSERT_EQ(segment->buckets()[b].overflow, fresh->buckets()[b].overflow) << "bucket " << b;
    passed += fresh->buckets()[b].overflow;
  }
  EXPECT_GT(passed, 0u);
  HashSegment::destroy(nullptr, segment);
  HashSegment::destroy(nullptr, fresh);
}

}  // namespace
}  // namespace larder
