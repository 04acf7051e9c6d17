#include "storage/expiry_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

constexpr int64_t kStartMs = 1'700'000'000'123;

// Keys are their own prefixes here. The owner's part of the contract, in its simplest form.
class DeadlineModel {
 public:
  explicit DeadlineModel(int64_t now_ms) : now_ms_(now_ms) {}
  ~DeadlineModel() { EXPECT_FALSE(index_.free_some(SIZE_MAX)); }

  void set(uint32_t key, int64_t deadline_ms) {
    const auto known = deadlines_.find(key);
    const int64_t before = known == deadlines_.end() ? INT64_MAX : known->second;
    if (deadline_ms < before) index_.add(key, deadline_ms, now_ms_);
    deadlines_[key] = deadline_ms;
    set_at_ms_[key] = now_ms_;
  }
  void clear(uint32_t key) { deadlines_.erase(key); }
  // Takes the key away that is due first, as far as the index knows; its deadline.
  int64_t evict() {
    ExpiryIndex::Batch batch;
    for (uint32_t level = ExpiryIndex::kLevels; index_.take_coarse(&level, &batch);) {
      handed_out_ += batch.count;
      for (size_t i = 0; i < batch.count; i++) file(batch.hash_prefixes[i]);
    }
    int64_t end_ms = 0;
    auto soonest = deadlines_.end();
    while (soonest == deadlines_.end()) {
      ExpiryIndex::Batch next;
      end_ms = index_.take_soonest(1, &batch, &next);
      if (batch.count == 0) return -1;
      handed_out_ += batch.count;
      for (size_t i = 0; i < batch.count; i++) {
        const auto known = deadlines_.find(batch.hash_prefixes[i]);
        if (known == deadlines_.end() || known->second >= end_ms) continue;
        if (soonest == deadlines_.end() || known->second < soonest->second) soonest = known;
      }
      for (size_t i = 0; i < batch.count; i++) {
        if (soonest == deadlines_.end() || batch.hash_prefixes[i] != soonest->first) file(batch.hash_prefixes[i]);
      }
    }
    const int64_t deadline_ms = soonest->second;
    deadlines_.erase(soonest);
    return deadline_ms;
  }
  size_t handed_out() const { return handed_out_; }

  // Goes to `now_ms` and does at most `steps_max` steps.
  void advance(int64_t now_ms, size_t steps_max = SIZE_MAX) {
    now_ms_ = now_ms;
    ExpiryIndex::Batch batch;
    for (size_t steps = 0; steps < steps_max; steps += batch.count) {
      index_.take(now_ms, &batch);
      if (batch.count == 0) break;
      for (size_t i = 0; i < batch.count; i++) settle(batch.hash_prefixes[i]);
    }
  }
  // Whoever is due by more than `late_ms` must be gone; a deadline that lay in the past counts from when it was set.
  void check(int64_t late_ms) const {
    index_.check_integrity();
    for (const auto& [key, deadline_ms] : deadlines_) {
      ASSERT_GE(std::max(deadline_ms, set_at_ms_.at(key)) + late_ms, now_ms_) << key;
    }
  }
  size_t size() const { return deadlines_.size(); }
  int64_t earliest() const {
    int64_t earliest = INT64_MAX;
    for (const auto& [key, deadline_ms] : deadlines_) earliest = std::min(earliest, deadline_ms);
    return earliest;
  }
  int64_t worst_late_ms() const { return worst_late_ms_; }
  const ExpiryIndex& index() const { return index_; }

 private:
  void file(uint32_t key) {
    const auto known = deadlines_.find(key);
    if (known != deadlines_.end()) index_.add(key, known->second, now_ms_);
  }
  void settle(uint32_t key) {
    const auto known = deadlines_.find(key);
    if (known == deadlines_.end()) return;
    if (known->second > now_ms_) return index_.add(key, known->second, now_ms_);
    worst_late_ms_ = std::max(worst_late_ms_, now_ms_ - known->second);
    deadlines_.erase(known);
  }

  int64_t now_ms_;
  int64_t worst_late_ms_ = 0;
  size_t handed_out_ = 0;
  BlockAllocator blocks_;
  ExpiryIndex index_{blocks_};
  std::unordered_map<uint32_t, int64_t> deadlines_;
  std::unordered_map<uint32_t, int64_t> set_at_ms_;
};

int64_t random_ttl_ms(Random& random) {
  switch (random.uniform(6)) {
    case 0:
      return static_cast<int64_t>(random.uniform(20));
    case 1:
      return static_cast<int64_t>(random.uniform(2000));
    case 2:
      return static_cast<int64_t>(random.uniform(600'000));
    case 3:
      return static_cast<int64_t>(random.uniform(100'000'000));
    case 4:
      return static_cast<int64_t>(random.uniform(uint64_t{1} << 42));
    default:
      return -static_cast<int64_t>(random.uniform(1000));
  }
}

TEST(ExpiryIndex, EveryKeyGoesOnTime) {
  Random random(test_seed());
  for (int round = 0; round < 5; round++) {
    int64_t now_ms = kStartMs + static_cast<int64_t>(random.uniform(1'000'000'000));
    DeadlineModel model(now_ms);
    for (int step = 0; step < 4000; step++) {
      for (int i = 0; i < 5; i++) {
        const auto key = static_cast<uint32_t>(random.uniform(500));
        if (random.one_in(4)) {
          model.clear(key);
        } else {
          model.set(key, now_ms + random_ttl_ms(random));
        }
      }
      const uint64_t dice = random.uniform(100);
      now_ms += dice < 90 ? static_cast<int64_t>(random.uniform(5)) : random_ttl_ms(random) / (dice < 99 ? 100 : 1);
      now_ms = std::max(now_ms, model.index().now_ms());
      model.advance(now_ms);
      ASSERT_NO_FATAL_FAILURE(model.check(2));
    }
  }
}

TEST(ExpiryIndex, NextDueNeverSleepsThroughADeadline) {
  Random random(test_seed());
  int64_t now_ms = kStartMs;
  DeadlineModel model(now_ms);
  EXPECT_EQ(model.index().next_due_ms(), INT64_MAX);
  for (uint32_t key = 0; key < 300; key++) model.set(key, now_ms + random_ttl_ms(random));
  int wakes = 0;
  while (model.size() > 0) {
    const int64_t next_ms = model.index().next_due_ms();
    ASSERT_LE(next_ms, std::max(model.earliest() + 2, now_ms + 2));
    ASSERT_GE(next_ms, now_ms);
    now_ms = next_ms;
    model.advance(now_ms);
    model.check(2);
    ASSERT_LT(++wakes, 5000);
  }
}

// 200,000 keys over a minute, with a small budget for each millisecond: the cascades must not make anything late.
TEST(ExpiryIndex, CascadesAreSpreadOverTime) {
  Random random(test_seed());
  int64_t now_ms = kStartMs;
  DeadlineModel model(now_ms);
  for (uint32_t key = 0; key < 200000; key++) model.set(key, now_ms + static_cast<int64_t>(random.uniform(60000)));
  EXPECT_LT(static_cast<double>(model.index().bytes_allocated()) / 200000, 5.0);
  while (model.size() > 0) {
    now_ms++;
    model.advance(now_ms, 30);
  }
  EXPECT_LE(model.worst_late_ms(), 5);
  EXPECT_LT(now_ms, kStartMs + 60100);
}

TEST(ExpiryIndex, OneDeadlineForAllIsWorkedOffInPieces) {
  int64_t now_ms = kStartMs;
  DeadlineModel model(now_ms);
  for (uint32_t key = 0; key < 50000; key++) model.set(key, now_ms + 5000);
  now_ms += 5100;
  model.advance(now_ms, 100);
  EXPECT_TRUE(model.index().is_behind());
  size_t before = model.size();
  while (model.index().is_behind()) {
    model.advance(now_ms, 100);
    ASSERT_LE(before - model.size(), 130u);
    before = model.size();
  }
  EXPECT_EQ(model.size(), 0u);
}

TEST(ExpiryIndex, SlidingDeadlinesAddNothing) {
  int64_t now_ms = kStartMs;
  DeadlineModel model(now_ms);
  for (int64_t second = 0; second < 2000; second++) {
    for (uint32_t key = 0; key < 100; key++) model.set(key, now_ms + 30000);
    ASSERT_LE(model.index().items(), 100u);
    now_ms += 1000;
    model.advance(now_ms);
  }
  EXPECT_EQ(model.size(), 100u);
  now_ms += 30001;
  model.advance(now_ms);
  EXPECT_EQ(model.size(), 0u);
  EXPECT_EQ(model.index().items(), 0u);
}

TEST(ExpiryIndex, FarDeadlines) {
  int64_t now_ms = kStartMs;
  DeadlineModel model(now_ms);
  constexpr int64_t kYearMs = int64_t{365} * 86'400'000;
  model.set(1, now_ms + 1000 * kYearMs);
  model.set(2, INT64_MAX - 1);
  for (int year = 0; year < 1001; year++) {
    now_ms += kYearMs;
    model.advance(now_ms);
    ASSERT_EQ(model.size(), year < 999 ? 2u : 1u);
  }
}

TEST(ExpiryIndex, MovesAndIsFreedInPieces) {
  BlockAllocator blocks;
  ExpiryIndex first(blocks);
  for (uint32_t i = 0; i < 10000; i++) first.add(i, kStartMs + i * 10, kStartMs);
  ExpiryIndex second(std::move(first));
  EXPECT_EQ(first.items(), 0u);  // NOLINT(bugprone-use-after-move): it is left empty, and may be used again
  EXPECT_EQ(second.items(), 10000u);
  first.add(1, kStartMs + 5, kStartMs);
  std::swap(first, second);
  EXPECT_EQ(second.items(), 1u);
  int pieces = 1;
  while (first.free_some(10)) pieces++;
  EXPECT_GT(pieces, 30);
  EXPECT_EQ(first.bytes_allocated(), 0u);
}

// Keys come and go by their deadlines while time goes on: what was spread must still fire on time.
TEST(ExpiryIndex, EveryKeyGoesOnTimeUnderEviction) {
  Random random(test_seed());
  for (int round = 0; round < 5; round++) {
    int64_t now_ms = kStartMs + static_cast<int64_t>(random.uniform(1'000'000'000));
    DeadlineModel model(now_ms);
    for (int step = 0; step < 3000; step++) {
      for (int i = 0; i < 20; i++) {
        const auto key = static_cast<uint32_t>(random.uniform(2000));
        if (random.one_in(4)) {
          model.clear(key);
        } else {
          model.set(key, now_ms + random_ttl_ms(random));
        }
      }
      for (uint64_t i = random.uniform(8); i > 0 && model.size() > 0; i--) model.evict();
      const uint64_t dice = random.uniform(100);
      now_ms += dice < 90 ? static_cast<int64_t>(random.uniform(5)) : random_ttl_ms(random) / (dice < 99 ? 100 : 1);
      now_ms = std::max(now_ms, model.index().now_ms());
      model.advance(now_ms);
      ASSERT_NO_FATAL_FAILURE(model.check(2));
    }
  }
}

// A cache that is full of keys of one slot of nine hours: a new one each time one goes.
TEST(ExpiryIndex, EvictionByDeadlineLooksAtFewItems) {
  Random random(test_seed());
  DeadlineModel model(kStartMs);
  constexpr uint32_t kKeys = 50'000;
  uint32_t key = 0;
  const auto add = [&](int64_t from_ms) {
    model.set(key++, from_ms + static_cast<int64_t>(random.uniform(20'000'000)));
  };
  const int64_t tomorrow_ms = (kStartMs >> 25 << 25) + (int64_t{3} << 25);
  for (uint32_t i = 0; i < kKeys; i++) add(tomorrow_ms);
  for (uint32_t i = 0; i < kKeys / 20; i++) {  // within which all of them are filed
    add(tomorrow_ms + 1'000'000);
    ASSERT_GT(model.evict(), 0);
  }
  EXPECT_LT(model.handed_out(), kKeys * 4);
  EXPECT_LT(model.index().bytes_allocated(), kKeys * 8);
  const size_t before = model.handed_out();
  for (uint32_t i = 0; i < kKeys / 5; i++) {
    add(tomorrow_ms + 5'000'000);
    const int64_t earliest_ms = i % 100 == 0 ? model.earliest() : 0;
    const int64_t evicted_ms = model.evict();
    if (earliest_ms != 0) {
      ASSERT_LE(evicted_ms, earliest_ms + 132'000);
    }
  }
  EXPECT_LT(model.handed_out() - before, kKeys / 5 * 8);
  model.check(2);
}

// Each time a slot before the others is spread and leaves a key in it.
TEST(ExpiryIndex, SpreadsAreBounded) {
  DeadlineModel model(kStartMs);
  uint32_t key = 0;
  for (int64_t hours = 50'000; hours > 100; hours--) {
    for (int i = 0; i < 10; i++) model.set(key++, kStartMs + hours * 36'000'000 + i);
    for (int i = 0; i < 8; i++) model.evict();
    ASSERT_LE(model.index().bytes_allocated(), model.index().items() * 132 + 70'000);
  }
  model.check(2);
}

// All in one slot: draws reach the oldest chunk, and what is dropped or taken out is gone.
TEST(ExpiryIndex, DrawsReachEveryItemOfASlot) {
  BlockAllocator blocks;
  ExpiryIndex index(blocks);
  Random random(test_seed());
  constexpr uint32_t kItems = 1000;
  for (uint32_t i = 0; i < kItems; i++) index.add(i, kStartMs + 86'400'000, kStartMs);
  std::vector<bool> seen(kItems);
  ExpiryIndex::Batch batch;
  for (int draws = 0; draws < 1000; draws++) {
    index.sample(random, &batch);
    ASSERT_GT(batch.count, 0u);
    for (size_t i = 0; i < batch.count; i++) seen[batch.hash_prefixes[i]] = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), kItems);
  EXPECT_EQ(index.items(), kItems);
  size_t left = kItems;
  while (left > 0) {
    if (random.one_in(2)) {
      index.sample(random, &batch);
      index.drop_sampled();
    } else {
      uint32_t level = ExpiryIndex::kLevels;
      ASSERT_TRUE(index.take_coarse(&level, &batch));
      EXPECT_EQ(level, 3u);
      ExpiryIndex::Batch none;
      ASSERT_FALSE(index.take_coarse(&level, &none));
    }
    for (size_t i = 0; i < batch.count; i++) {
      ASSERT_TRUE(seen[batch.hash_prefixes[i]]);
      seen[batch.hash_prefixes[i]] = false;
    }
    left -= batch.count;
    ASSERT_EQ(index.items(), left);
    index.check_integrity();
  }
  index.sample(random, &batch);
  EXPECT_EQ(batch.count, 0u);
}

}  // namespace
}  // namespace larder
