// A walk with random changes between its steps hands on what was there at its beginning, exactly once.

#include "persistence/snapshot_walk.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "base/random.h"
#include "persistence/rdb_encoder.h"
#include "persistence/rdb_writer.h"
#include "server/core/flush_queue.h"
#include "storage/string_value.h"

namespace larder {
namespace {

using Key = std::pair<int, std::string>;
using State = std::map<Key, std::string>;  // the entry as RDB writes it, deadline included

std::string text_of(Store& store, const Entry& entry) {
  RdbChunk chunk;
  RdbEncoder out(chunk);
  RdbWriter(store, {}).entry(out, entry);
  Buffer finished;
  finish_rdb_chunk(chunk, false, &finished);
  return std::string(finished.bytes());
}

State state_of(Store& store) {
  State state;
  for (int db = 0; db < store.database_count(); db++) {
    store.database(db).for_each([&](const Entry& entry) {
      state[{db, std::string(entry.key())}] = text_of(store, entry);
    });
  }
  return state;
}

class CollectingSink final : public SnapshotSink {
 public:
  explicit CollectingSink(Store& store) : store_(store) {}
  void entry(int db, const Entry& entry) override {
    const bool is_new = collected.emplace(Key{db, std::string(entry.key())}, text_of(store_, entry)).second;
    EXPECT_TRUE(is_new) << entry.key() << " was handed on twice";
  }
  // For large ones see held_entries_test.cc.
  bool is_large(const Entry&) const override { return false; }
  void hold(int, const Entry&) override { FAIL(); }
  void changing_held(Structure&) override { FAIL(); }
  bool take_some_held() override { return false; }

  State collected;

 private:
  Store& store_;
};

class Changer {
 public:
  Changer(Store& store, uint64_t seed) : store_(store), random_(seed) {}

  std::string key() { return std::string(1 + random_.uniform(8), 'k') + std::to_string(random_.uniform(400)); }
  void change() {
    Keyspace& keyspace = store_.database(static_cast<int>(random_.uniform(3)));
    const std::string name = key();
    const HashedKey hashed = store_.hashed(name);
    switch (random_.uniform(40)) {
      case 0:
        return queue_.add(keyspace.flush());
      case 1:
        return store_.swap_databases(static_cast<int>(random_.uniform(3)), static_cast<int>(random_.uniform(3)));
      case 2:
      case 3:
        now_ms_ += 5;
        keyspace.advance_expiry(now_ms_, 64);
        return;
      default:
        break;
    }
    const std::string other = key();
    const HashedKey other_hashed = store_.hashed(other);
    Keyspace& target = store_.database(static_cast<int>(random_.uniform(3)));
    switch (random_.uniform(7)) {
      case 0:
        keyspace.erase(hashed, now_ms_);
        break;
      case 1:
        keyspace.set_deadline(hashed, now_ms_ + 1 + static_cast<int64_t>(random_.uniform(40)), now_ms_);
        break;
      case 2:
        keyspace.clear_deadline(hashed, now_ms_);
        break;
      case 3:
        keyspace.move_entry(hashed, target, other_hashed, now_ms_);
        break;
      case 4:
        keyspace.copy_entry(hashed, target, other_hashed, now_ms_);
        break;
      case 5:
        if (auto value = keyspace.edit<StringValue>(hashed, now_ms_)) {
          (void)value->append(std::string(random_.uniform(3000), 'a'), 100000);
        }
        break;
      default:
        keyspace.assign_string(hashed, std::to_string(random_.next()), DeadlineRule::keep(), now_ms_);
    }
  }
  Random& random() { return random_; }
  FlushQueue& queue() { return queue_; }

 private:
  Store& store_;
  Random random_;
  FlushQueue queue_;
  int64_t now_ms_ = 1'000'000;
};

class SnapshotWalkTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SnapshotWalkTest, HandsOnTheStateOfItsBeginning) {
  StoreOptions options;
  options.database_count = 3;
  options.hash_seed = GetParam();
  Store store(options);
  Changer changer(store, GetParam());
  for (int i = 0; i < 2000; i++) changer.change();
  uint8_t mark = 0;
  for (int round = 0; round < 12; round++) {
    mark = static_cast<uint8_t>(mark % 3 + 1);
    CollectingSink sink(store);
    const State expected = state_of(store);
    SnapshotWalk walk(store, sink, mark);
    // Some walks are given up on their way: what they leave must not disturb the next ones.
    const bool gives_up = round % 3 == 1;
    const uint64_t steps_max = gives_up ? changer.random().uniform(60) : UINT64_MAX;
    bool more = true;
    for (uint64_t steps = 0; more && steps < steps_max; steps++) {
      const uint64_t changes = changer.random().uniform(8);
      for (uint64_t i = 0; i < changes; i++) changer.change();
      more = walk.step();
      for (FlushedKeyspace& flushed : walk.take_released()) changer.queue().add(std::move(flushed));
    }
    if (more) walk.abandon();
    for (FlushedKeyspace& flushed : walk.take_released()) changer.queue().add(std::move(flushed));
    if (!more) {
      EXPECT_EQ(sink.collected, expected) << "seed " << GetParam() << " round " << round;
    }
    for (int i = 0; i < 500; i++) changer.change();
    while (changer.queue().free_some(100)) {
    }
  }
  for (int db = 0; db < 3; db++) store.database(db).check_integrity();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SnapshotWalkTest, ::testing::Range<uint64_t>(1, 25));

TEST(SnapshotMarkSweepTest, LeavesNoMark) {
  StoreOptions options;
  options.database_count = 2;
  Store store(options);
  for (int i = 0; i < 1000; i++) {
    const std::string key = "k" + std::to_string(i);
    store.database(i % 2).assign_string(store.hashed(key), "v", DeadlineRule::none(), 0);
  }
  CollectingSink sink(store);
  SnapshotWalk walk(store, sink, 1);
  for (int i = 0; i < 1000; i++) {
    const std::string key = "k" + std::to_string(i);
    store.database(i % 2).assign_string(store.hashed(key), "w", DeadlineRule::none(), 0);
  }
  walk.abandon();
  SnapshotMarkSweep sweep(store);
  while (sweep.step()) {
  }
  for (int db = 0; db < 2; db++) {
    store.database(db).for_each([](const Entry& entry) { EXPECT_EQ(entry.snapshot_mark(), 0); });
  }
}

}  // namespace
}  // namespace larder
