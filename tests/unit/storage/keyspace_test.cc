#include "storage/keyspace.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/string_value.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/storage/test_clock.h"

namespace larder {
namespace {

class RecordingObserver final : public KeyspaceObserver {
 public:
  void expired(Keyspace& keyspace, Bytes key) override {
    expired_keys.emplace_back(keyspace.index(), std::string(key));
  }
  void fields_expired(Keyspace&, Bytes key, std::span<const Bytes> fields, bool key_removed) override {
    for (const Bytes field : fields) expired_fields.emplace_back(std::string(key) + "." + std::string(field));
    if (key_removed) emptied_keys.emplace_back(key);
  }
  void evicted(Keyspace& keyspace, Bytes key) override {
    evicted_keys.emplace_back(keyspace.index(), std::string(key));
  }
  std::vector<std::pair<int, std::string>> expired_keys;
  std::vector<std::pair<int, std::string>> evicted_keys;
  std::vector<std::string> expired_fields;
  std::vector<std::string> emptied_keys;
};

class CountingDisposal final : public Disposal {
 public:
  void dispose(void* memory, size_t, void (*release)(void*)) override {
    disposed++;
    release(memory);
  }
  int disposed = 0;
};

struct World {
  World() : World(99) {}
  explicit World(uint64_t seed) {
    options.database_count = 3;
    options.hash_seed = seed;
    options.observer = &observer;
    options.disposal = &disposal;
    store = std::make_unique<Store>(options);
    store->set_now(kNowMs);
  }
  Keyspace& db(int index = 0) { return store->database(index); }
  HashedKey key(Bytes bytes) const { return store->hashed(bytes); }
  std::optional<std::string> get(Bytes name, int64_t now_ms = kNowMs, int index = 0) {
    const auto value = db(index).read<StringValue>(key(name), now_ms);
    if (!value) return std::nullopt;
    return std::string(value->text().bytes());
  }
  void set(Bytes name, Bytes value, DeadlineRule deadline = DeadlineRule::none(), int index = 0) {
    db(index).assign_string(key(name), value, deadline, kNowMs);
  }

  RecordingObserver observer;
  CountingDisposal disposal;
  StoreOptions options;
  std::unique_ptr<Store> store;
};

TEST(Keyspace, SetGetErase) {
  World world;
  EXPECT_EQ(world.get("a"), std::nullopt);
  EXPECT_EQ(world.db().assign_string(world.key("a"), "1x", DeadlineRule::none(), kNowMs), Assigned::kCreated);
  EXPECT_EQ(world.db().assign_string(world.key("a"), "2x", DeadlineRule::none(), kNowMs), Assigned::kReplaced);
  EXPECT_EQ(world.get("a"), "2x");
  EXPECT_EQ(world.db().size(), 1u);
  EXPECT_TRUE(world.db().erase(world.key("a"), kNowMs));
  EXPECT_FALSE(world.db().erase(world.key("a"), kNowMs));
  EXPECT_EQ(world.store->memory_bytes(), 0u);
}

TEST(Keyspace, ExpiredKeysAreGoneForEverybodyAndReportedOnce) {
  World world;
  for (const char* name : {"get", "exists", "erase", "assign", "deadline", "scan"}) {
    world.set(name, "v", DeadlineRule::at(kNowMs + 10));
  }
  const int64_t later_ms = kNowMs + 10;
  EXPECT_EQ(world.get("get", later_ms - 1), "v");
  EXPECT_EQ(world.get("get", later_ms), std::nullopt);
  EXPECT_FALSE(world.db().contains(world.key("exists"), later_ms));
  EXPECT_FALSE(world.db().erase(world.key("erase"), later_ms));
  EXPECT_EQ(world.db().assign_string(world.key("assign"), "w", DeadlineRule::none(), later_ms), Assigned::kCreated);
  EXPECT_FALSE(world.db().set_deadline(world.key("deadline"), later_ms + 5, later_ms));
  EXPECT_EQ(world.observer.expired_keys.size(), 5u);
  std::set<std::string> seen;
  uint64_t cursor = 0;
  do {
    cursor = world.db().scan(cursor, later_ms, [&](const Entry& entry) { seen.emplace(entry.key()); });
  } while (cursor != 0);
  EXPECT_EQ(seen, std::set<std::string>{"assign"});
  world.db().advance_expiry(later_ms + 2, 1000);
  EXPECT_EQ(world.observer.expired_keys.size(), 6u);
  EXPECT_EQ(world.db().size(), 1u);
  EXPECT_EQ(world.db().volatile_count(), 0u);
}

TEST(Keyspace, AReplicaHidesWhatIsExpired) {
  World world;
  world.set("k", "v", DeadlineRule::at(kNowMs + 10));
  world.store->set_expiry_mode(ExpiryMode::kHide);
  const int64_t later_ms = kNowMs + 100;
  EXPECT_EQ(world.get("k", later_ms), std::nullopt);
  EXPECT_EQ(world.db().advance_expiry(later_ms, 1000).expired, 0u);
  EXPECT_EQ(world.db().size(), 1u);
  EXPECT_TRUE(world.observer.expired_keys.empty());
  EXPECT_EQ(world.db().assign_string(world.key("k"), "w", DeadlineRule::none(), later_ms), Assigned::kCreated);
  EXPECT_EQ(world.db().size(), 1u);
  world.db().check_integrity();
}

TEST(Keyspace, DeadlineRules) {
  World world;
  const HashedKey key = world.key("k");
  world.set("k", "v", DeadlineRule::at(kNowMs + 1000));
  world.set("k", "w", DeadlineRule::keep());
  EXPECT_EQ(world.db().find(key, kNowMs)->deadline_ms(), kNowMs + 1000);
  EXPECT_EQ(world.db().average_ttl_ms(kNowMs), 1000);
  world.set("k", "w");
  EXPECT_EQ(world.db().find(key, kNowMs)->deadline_ms(), kNoDeadline);
  EXPECT_FALSE(world.db().clear_deadline(key, kNowMs));
  EXPECT_TRUE(world.db().set_deadline(key, kNowMs + 5, kNowMs));
  EXPECT_EQ(world.db().volatile_count(), 1u);
  EXPECT_TRUE(world.db().clear_deadline(key, kNowMs));
  EXPECT_EQ(world.get("k", kNowMs + 10), "w");
  EXPECT_EQ(world.db().volatile_count(), 0u);
}

TEST(Keyspace, MoveAndCopyTakeTheDeadlineAlong) {
  World world;
  const std::string large(5000, 'L');
  world.set("from", large, DeadlineRule::at(kNowMs + 1000));
  world.set("to", "old", DeadlineRule::at(kNowMs + 1));
  EXPECT_TRUE(world.db().copy_entry(world.key("from"), world.db(1), world.key("copy"), kNowMs));
  EXPECT_TRUE(world.db().move_entry(world.key("from"), world.db(), world.key("to"), kNowMs));
  EXPECT_FALSE(world.db().move_entry(world.key("from"), world.db(), world.key("to"), kNowMs));
  EXPECT_EQ(world.get("to"), large);
  EXPECT_EQ(world.get("copy", kNowMs, 1), large);
  EXPECT_EQ(world.db().find(world.key("to"), kNowMs)->deadline_ms(), kNowMs + 1000);
  EXPECT_EQ(world.db().volatile_count(), 1u);
  // The copy shares the blob until one of the two is written to.
  auto copy = world.db(1).edit<StringValue>(world.key("copy"), kNowMs);
  ASSERT_TRUE(copy->set_range(0, "x", 1 << 20));
  EXPECT_EQ(world.get("to"), large);
  EXPECT_EQ(world.get("copy", kNowMs, 1), "x" + large.substr(1));
  EXPECT_TRUE(world.db().move_entry(world.key("to"), world.db(), world.key("to"), kNowMs));
  EXPECT_EQ(world.get("to"), large);
  world.set("dead", "v", DeadlineRule::at(kNowMs + 1));
  EXPECT_TRUE(world.db().move_entry(world.key("to"), world.db(), world.key("dead"), kNowMs + 2));
  EXPECT_EQ(world.observer.expired_keys.size(), 1u);
  world.db().check_integrity();
}

TEST(Keyspace, SwappedDatabasesKeepTheirDeadlines) {
  World world;
  world.set("a", "0", DeadlineRule::at(kNowMs + 50), 0);
  world.set("b", "1", DeadlineRule::none(), 1);
  world.store->swap_databases(0, 1);
  EXPECT_EQ(world.get("b", kNowMs, 0), "1");
  EXPECT_EQ(world.get("a", kNowMs, 1), "0");
  EXPECT_EQ(world.db(1).advance_expiry(kNowMs + 60, 100).expired, 1u);
  ASSERT_EQ(world.observer.expired_keys.size(), 1u);
  EXPECT_EQ(world.observer.expired_keys[0], std::make_pair(1, std::string("a")));
}

TEST(Keyspace, FlushFreesInPieces) {
  World world;
  for (int i = 0; i < 20000; i++) {
    world.set("key" + std::to_string(i), "value", DeadlineRule::at(kNowMs + 10000 + i));
  }
  FlushedKeyspace flushed = world.db().flush();
  EXPECT_EQ(world.db().size(), 0u);
  EXPECT_EQ(world.db().volatile_count(), 0u);
  EXPECT_EQ(world.get("key1"), std::nullopt);
  world.set("key1", "new", DeadlineRule::at(kNowMs + 10));
  size_t before = flushed.size();
  int pieces = 1;
  while (flushed.free_some(100)) {
    ASSERT_LE(before - flushed.size(), 1000u);
    before = flushed.size();
    pieces++;
  }
  EXPECT_GT(pieces, 20);
  EXPECT_EQ(world.get("key1"), "new");
  EXPECT_EQ(world.db().advance_expiry(kNowMs + 20, 100).expired, 1u);
  EXPECT_LT(world.store->memory_bytes(), 50000u);
}

TEST(Keyspace, LargeValuesGoThroughTheDisposal) {
  World world;
  world.set("k", std::string(1 << 20, 'x'));
  world.set("k", "small");
  EXPECT_EQ(world.disposal.disposed, 1);
  world.set("k", std::string(1 << 20, 'x'));
  BlobPin pin = world.db().read<StringValue>(world.key("k"), kNowMs)->pin();
  world.db().erase(world.key("k"), kNowMs);
  EXPECT_EQ(world.disposal.disposed, 1);
  EXPECT_EQ(pin.bytes(), std::string(1 << 20, 'x'));
  pin = BlobPin();
  EXPECT_EQ(world.disposal.disposed, 2);
  EXPECT_EQ(world.store->memory_bytes(), 0u);
}

// One blob of two kilobytes is freed where it goes, thousands of them elsewhere; one that is still read stays.
TEST(Keyspace, BlobsOfAFlushGoThroughTheDisposal) {
  World world;
  const std::string text(2000, 'x');
  world.set("k", text);
  world.db().erase(world.key("k"), kNowMs);
  EXPECT_EQ(world.disposal.disposed, 0);
  for (int i = 0; i < 1000; i++) world.set(std::to_string(i), text);
  BlobPin pin = world.db().read<StringValue>(world.key("7"), kNowMs)->pin();
  FlushedKeyspace flushed = world.db().flush();
  while (flushed.free_some(100)) {
  }
  EXPECT_EQ(world.disposal.disposed, 999);
  EXPECT_EQ(pin.bytes(), text);
  pin = BlobPin();
  EXPECT_EQ(world.disposal.disposed, 999);
  EXPECT_EQ(world.store->memory_bytes(), 0u);
}

TEST(Keyspace, Evict) {
  World world;
  world.set("k", "v", DeadlineRule::at(kNowMs + 5));
  const uint64_t hash = world.key("k").hash;
  EXPECT_FALSE(world.db().evict_if(hash, kNowMs, [](const Entry&) { return false; }));
  EXPECT_TRUE(world.db().evict_if(hash, kNowMs, [](const Entry&) { return true; }));
  EXPECT_FALSE(world.db().evict_if(hash, kNowMs, [](const Entry&) { return true; }));
  ASSERT_EQ(world.observer.evicted_keys.size(), 1u);
  EXPECT_EQ(world.observer.evicted_keys[0].second, "k");
}

TEST(Keyspace, RandomEntrySkipsTheDead) {
  World world;
  Random random(test_seed());
  EXPECT_EQ(world.db().random_entry(random, kNowMs), nullptr);
  for (int i = 0; i < 50; i++) world.set("dead" + std::to_string(i), "v", DeadlineRule::at(kNowMs + 5));
  world.set("alive", "v");
  EXPECT_EQ(world.db().random_entry(random, kNowMs + 10)->key(), "alive");
}

TEST(Keyspace, TouchingIsWhatIdleTimesAreAbout) {
  World world;
  const HashedKey key = world.key("k");
  world.set("k", "v");
  world.store->set_now(kNowMs + 100'000);
  EXPECT_EQ(world.store->access().idle_seconds(world.db().find(key, kNowMs, Touch::kNo)->access_state()), 100u);
  EXPECT_EQ(world.store->access().idle_seconds(world.db().find(key, kNowMs)->access_state()), 0u);
}

TEST(Keyspace, CursorsFitADouble) {
  World world;
  for (int i = 0; i < 5000; i++) world.set("key" + std::to_string(i), "v");
  std::set<std::string> seen;
  uint64_t cursor = 0;
  do {
    cursor = world.db().scan(cursor, kNowMs, [&](const Entry& entry) { seen.emplace(entry.key()); });
    ASSERT_LT(cursor, uint64_t{1} << 52);
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), 5000u);
}

// Everything at once against a map, with a clock of its own. Values of all encodings, deadlines near and far.
class KeyspaceModel : public testing::TestWithParam<int> {};

struct ModelValue {
  std::string text;
  int64_t deadline_ms = kNoDeadline;
};

class ModelRun {
 public:
  ModelRun(uint64_t seed, int keys) : random_(seed), keys_(keys), world_(seed) {}

  void step() {
    const std::string name = "key:" + std::to_string(random_.uniform(static_cast<uint64_t>(keys_)));
    const HashedKey key = world_.key(name);
    forget_expired(name);
    const auto known = model_.find(name);
    const bool exists = known != model_.end();
    Keyspace& db = world_.db();
    switch (random_.uniform(12)) {
      case 0:
      case 1:
      case 2:
        return assign(name, key);
      case 3:
        ASSERT_EQ(db.erase(key, now_ms_), exists);
        model_.erase(name);
        return;
      case 4:
        return append(name, key);
      case 5:
        return set_range(name, key);
      case 6: {
        const int64_t deadline_ms = now_ms_ + random_ttl_ms();
        ASSERT_EQ(db.set_deadline(key, deadline_ms, now_ms_), exists);
        if (exists) known->second.deadline_ms = deadline_ms;
        return;
      }
      case 7:
        ASSERT_EQ(db.clear_deadline(key, now_ms_), exists && known->second.deadline_ms != kNoDeadline);
        if (exists) known->second.deadline_ms = kNoDeadline;
        return;
      case 8:
        return move_or_copy(name, key);
      case 9: {
        int64_t number = 0;
        auto value = db.edit_or_create<StringValue>(key, now_ms_);
        if (!value->to_integer(&number) || number == INT64_MAX) return;
        value->set_integer(number + 1);
        model_[name].text = std::to_string(number + 1);
        return;
      }
      case 10:
        now_ms_ += static_cast<int64_t>(random_.uniform(20));
        return;
      default:
        db.advance_expiry(now_ms_, 60);
        return;
    }
  }

  void check() {
    Keyspace& db = world_.db();
    db.check_integrity();
    world_.store->blocks().check_integrity();
    for (int i = 0; i < keys_; i++) {
      const std::string name = "key:" + std::to_string(i);
      forget_expired(name);
      const auto known = model_.find(name);
      const auto value = db.read<StringValue>(world_.key(name), now_ms_, Touch::kNo);
      ASSERT_EQ(value.found(), known != model_.end()) << name;
      if (!value) continue;
      ASSERT_EQ(value->text().bytes(), known->second.text);
      ASSERT_EQ(value->size(), known->second.text.size());
      ASSERT_EQ(value->deadline_ms(), known->second.deadline_ms);
    }
    ASSERT_EQ(db.size(), model_.size());
  }
  World& world() { return world_; }

 private:
  void forget_expired(const std::string& name) {
    const auto known = model_.find(name);
    if (known != model_.end() && known->second.deadline_ms <= now_ms_) model_.erase(known);
  }
  int64_t random_ttl_ms() { return 1 + static_cast<int64_t>(random_.uniform(random_.one_in(3) ? 100'000 : 200)); }
  std::string random_text() {
    const uint64_t dice = random_.uniform(10);
    if (dice < 3) return std::to_string(static_cast<int64_t>(random_.next()) >> random_.uniform(64));
    const uint64_t size = dice < 8 ? random_.uniform(60) : random_.uniform(dice == 8 ? 700 : 4000);
    return std::string(size, static_cast<char>('a' + random_.uniform(26)));
  }
  void assign(const std::string& name, const HashedKey& key) {
    const std::string text = random_text();
    ModelValue& expected = model_[name];
    expected.text = text;
    const uint64_t dice = random_.uniform(3);
    const int64_t deadline_ms = now_ms_ + random_ttl_ms();
    if (dice == 0) expected.deadline_ms = kNoDeadline;
    if (dice == 1) expected.deadline_ms = deadline_ms;
    const DeadlineRule rule = dice == 0   ? DeadlineRule::none()
                              : dice == 1 ? DeadlineRule::at(deadline_ms)
                                          : DeadlineRule::keep();
    world_.db().assign_string(key, text, rule, now_ms_);
  }
  void append(const std::string& name, const HashedKey& key) {
    const std::string tail = random_text();
    auto value = world_.db().edit_or_create<StringValue>(key, now_ms_);
    const size_t size_max = 6000;
    const bool fits = value->size() + tail.size() <= size_max;
    ASSERT_EQ(value->append(tail, size_max), fits);
    if (fits) model_[name].text += tail;
  }
  void set_range(const std::string& name, const HashedKey& key) {
    const std::string patch = random_text();
    const size_t offset = random_.uniform(2000);
    auto value = world_.db().edit_or_create<StringValue>(key, now_ms_);
    ASSERT_TRUE(value->set_range(offset, patch, 10000));
    if (patch.empty()) return;
    std::string& text = model_[name].text;
    if (text.size() < offset + patch.size()) text.resize(offset + patch.size());
    text.replace(offset, patch.size(), patch);
  }
  void move_or_copy(const std::string& name, const HashedKey& key) {
    const std::string target = "key:" + std::to_string(random_.uniform(static_cast<uint64_t>(keys_)));
    forget_expired(target);
    const bool exists = model_.count(name) == 1;
    const bool moves = random_.one_in(2);
    Keyspace& db = world_.db();
    const HashedKey to = world_.key(target);
    ASSERT_EQ(moves ? db.move_entry(key, db, to, now_ms_) : db.copy_entry(key, db, to, now_ms_), exists);
    if (!exists || name == target) return;
    model_[target] = model_[name];
    if (moves) model_.erase(name);
  }

  Random random_;
  int keys_;
  World world_;
  std::map<std::string, ModelValue> model_;
  int64_t now_ms_ = kNowMs;
};

TEST_P(KeyspaceModel, RandomOperations) {
  const int keys = GetParam();
  ModelRun run(test_seed(), keys);
  const int steps = keys < 100 ? 2000 : 40000;
  for (int step = 0; step < steps; step++) {
    ASSERT_NO_FATAL_FAILURE(run.step());
    if (keys < 100 || step % 10000 == 0) {
      ASSERT_NO_FATAL_FAILURE(run.check());
    }
  }
  ASSERT_NO_FATAL_FAILURE(run.check());
}

INSTANTIATE_TEST_SUITE_P(Keys, KeyspaceModel, testing::Values(3, 30, 3000));

// Deadlines that come and go leave items behind; they must not pile up, and no key may be missed for it.
TEST(KeyspaceExpiry, StaleItemsAreCleanedUp) {
  World world;
  int64_t now_ms = kNowMs;
  const auto name = [](int i) { return "session:" + std::to_string(i); };
  for (int round = 0; round < 100; round++) {
    for (int i = 0; i < 1000; i++) {
      world.db().assign_string(world.key(name(i)), "v", DeadlineRule::none(), now_ms);
      world.db().set_deadline(world.key(name(i)), now_ms + 1'000'000, now_ms);
    }
    now_ms += 2;
    for (int i = 0; i < 40; i++) world.db().advance_expiry(now_ms, 100);
    ASSERT_LT(world.db().expiry_index().items(), 40000u);
    if (round % 50 == 0) world.db().check_integrity();
  }
  now_ms += 1'000'002;
  while (world.db().advance_expiry(now_ms, 1000).steps > 0) {
  }
  EXPECT_EQ(world.db().size(), 0u);
}

// 100,000 EXPIRE and PERSIST a second, and the background every 5 ms as the server does it: once, and again while it says so.
TEST(KeyspaceExpiry, StaleItemsDoNotOutrunTheBackground) {
  World world;
  int64_t now_ms = kNowMs;
  constexpr int kKeys = 50'000;
  const auto name = [](int i) { return "session:" + std::to_string(i); };
  for (int i = 0; i < kKeys; i++) world.db().assign_string(world.key(name(i)), "v", DeadlineRule::none(), now_ms);
  const uint64_t without_bytes = world.store->memory_bytes();
  uint64_t most_bytes = 0;
  for (int round = 0; round < 2000; round++) {
    for (int i = 0; i < 250; i++) {
      const std::string bytes = name((round * 250 + i) % kKeys);
      const HashedKey key = world.key(bytes);
      world.db().clear_deadline(key, now_ms);
      world.db().set_deadline(key, now_ms + 100'000'000, now_ms);
    }
    now_ms += 5;
    for (int looks = 0; looks < 30; looks++) {
      if (!world.db().advance_expiry(now_ms, 64).more_due) break;
    }
    most_bytes = std::max(most_bytes, world.store->memory_bytes() - without_bytes);
  }
  EXPECT_LT(most_bytes, kKeys * (8 + 3 * 5) + 16'384 * 5 + 50'000);  // the deadlines, and three items for each
  world.db().check_integrity();
}

TEST(KeyspaceExpiry, SurvivesAClockThatGoesBack) {
  World world;
  world.set("soon", "v", DeadlineRule::at(kNowMs + 500));
  world.db().advance_expiry(kNowMs, 100);
  world.set("later", "v", DeadlineRule::at(kNowMs + 3'600'000));
  world.db().advance_expiry(kNowMs + 3'000'000, 100);
  EXPECT_EQ(world.db().size(), 1u);
  const int64_t back_ms = kNowMs - 1'000'000;
  world.db().assign_string(world.key("again"), "v", DeadlineRule::at(back_ms + 100), back_ms);
  for (int64_t now_ms = back_ms; now_ms < back_ms + 110; now_ms++) world.db().advance_expiry(now_ms, 100);
  EXPECT_FALSE(world.db().contains(world.key("again"), back_ms));
  EXPECT_EQ(world.db().size(), 1u);
}

}  // namespace
}  // namespace larder
