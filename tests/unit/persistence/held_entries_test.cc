// Large values that change while they wait to be written, or while they are being written: the file has what was there at
// the beginning. Random changes of every type, keys that go, move, are copied and flushed.

#include "persistence/held_entries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "persistence/snapshot_walk.h"
#include "server/core/flush_queue.h"
#include "tests/unit/persistence/rdb_sample.h"

namespace larder {
namespace {

StoreOptions options_of(uint64_t seed) {
  StoreOptions options;
  options.database_count = 2;
  options.hash_seed = seed;
  return options;
}

RdbWriteOptions with_field_deadlines() {
  RdbWriteOptions options;
  options.version = kRdbVersionFieldDeadlines;
  return options;
}

// Writes a file; what is large is held, in small pieces of work.
class FileSink final : public SnapshotSink {
 public:
  FileSink(Store& store, size_t held_bytes_max)
      : writer_(store, with_field_deadlines()), held_(store, writer_), held_bytes_max_(held_bytes_max) {
    RdbEncoder out(chunk_);
    writer_.header(out);
  }
  void entry(int db, const Entry& entry) override {
    RdbEncoder out(chunk_);
    writer_.select(out, db, 0, 0);
    writer_.entry(out, entry);
  }
  bool is_large(const Entry& entry) const override {
    return entry.encoding() == Encoding::kStructure && entry.structure()->memory_bytes() > 2000;
  }
  void hold(int db, const Entry& entry) override { held_.add(db, entry); }
  void changing_held(Structure& structure) override {
    structure.snapshot_guard()->changing();
    most_held_bytes_ = std::max(most_held_bytes_, held_.held_bytes());
    if (held_.held_bytes() < held_bytes_max_) return;
    if (held_.front().begun()) finish_front();
    if (structure.snapshot_guard() == nullptr) return;
    held_.bring_to_front(&structure);
    finish_front();
  }
  bool take_some_held() override {
    if (!held_.empty()) take_piece();
    return !held_.empty();
  }
  void give_up() { held_.clear(); }
  size_t most_held_bytes() const { return most_held_bytes_; }

  std::string finish() {
    RdbEncoder out(chunk_);
    writer_.end(out);
    Buffer finished;
    finish_rdb_chunk(chunk_, false, &finished);
    std::string file(finished.bytes());
    const uint64_t sum = crc64(0, file);
    for (size_t i = 0; i < kRdbChecksumBytes; i++) file.push_back(static_cast<char>(sum >> (8 * i)));
    return file;
  }

 private:
  bool take_piece() {
    RdbEncoder out(chunk_);
    HeldEntry& held = held_.front();
    if (!held.begun()) writer_.select(out, held.db(), 0, 0);
    const bool more = held.write(out);
    if (!more) held_.pop_front();
    return more;
  }
  void finish_front() {
    while (take_piece()) {
    }
  }

  RdbWriter writer_;
  RdbChunk chunk_;
  HeldEntries held_;
  size_t held_bytes_max_;
  size_t most_held_bytes_ = 0;
};

class HeldChanger {
 public:
  HeldChanger(Store& store, uint64_t seed) : store_(store), random_(seed) {}

  Random& random() { return random_; }
  FlushQueue& queue() { return queue_; }

  void change() {
    Keyspace& keyspace = store_.database(static_cast<int>(random_.uniform(2)));
    const std::string name = key();
    const HashedKey hashed = store_.hashed(name);
    const uint64_t what = random_.uniform(30000);
    if (what == 0) return queue_.add(keyspace.flush());
    if (what == 1) return store_.swap_databases(0, 1);
    if (what < 12) return change_key(keyspace, hashed, what);
    switch (name[0]) {
      case 'l':
        return change_list(keyspace, hashed);
      case 's':
        return change_set(keyspace, hashed);
      case 'h':
        return change_hash(keyspace, hashed);
      case 'z':
        return change_zset(keyspace, hashed);
      default:
        return change_stream(keyspace, hashed);
    }
  }
  void free_garbage() {
    while (queue_.free_some(100) || store_.free_some(100)) {
    }
  }

 private:
  std::string key() { return std::string(1, "lshzx"[random_.uniform(5)]) + std::to_string(random_.uniform(2)); }
  std::string item() { return "item " + std::to_string(random_.uniform(3000)); }
  std::string text() {
    return random_.uniform(400) == 0 ? std::string(5000 + random_.uniform(5000), 'L')
                                     : std::string(random_.uniform(60), 'v') + std::to_string(random_.next());
  }

  void change_key(Keyspace& keyspace, const HashedKey& hashed, uint64_t what) {
    // Keys keep the type that their name says.
    const std::string other = std::string(hashed.bytes.substr(0, 1)) + std::to_string(random_.uniform(2));
    Keyspace& target = store_.database(static_cast<int>(random_.uniform(2)));
    if (what == 2) keyspace.erase(hashed, now_ms_);
    if (what < 7 && what > 2) keyspace.move_entry(hashed, target, store_.hashed(other), now_ms_);
    if (what > 6) keyspace.copy_entry(hashed, target, store_.hashed(other), now_ms_);
    if (random_.uniform(2) == 0) keyspace.set_deadline(hashed, now_ms_ + 1'000'000, now_ms_);
  }
  void change_list(Keyspace& keyspace, const HashedKey& hashed) {
    auto list = *keyspace.edit_or_create<ListValue>(hashed, now_ms_);
    const std::string value = text();
    const ListEnd end = random_.uniform(2) == 0 ? ListEnd::kFront : ListEnd::kBack;
    const uint64_t what = random_.uniform(16) % 11;
    if (!list.exists() || what < 4 || what == 10) {
      list.expect_growth(value.size(), 1, {});
      return list.push(end, value);
    }
    const size_t index = random_.uniform(list.size());
    if (what == 4) {
      list.expect_growth(value.size(), 1, {});
      return list.insert_before(list.place_of(index), value);
    }
    if (what == 5 || what == 6) {
      list.expect_growth(value.size(), 1, {});
      return list.replace(list.place_of(index), value);
    }
    if (what == 7) return list.take(end, std::min<size_t>(list.size(), 1 + random_.uniform(2)), {}, [](const auto&) {});
    if (what == 8) return list.erase(index, std::min<size_t>(list.size() - index, random_.uniform(3)), {});
    std::string found;
    list.visit(index, 1, [&](const PackedElement& element) {
      char digits[kInt64TextBytesMax];
      found = element.text(digits);
    });
    list.remove_equal(found, 2, end, {});
  }
  void change_set(Keyspace& keyspace, const HashedKey& hashed) {
    auto set = *keyspace.edit_or_create<SetValue>(hashed, now_ms_);
    const uint64_t what = random_.uniform(8);
    if (!set.exists() || what < 4) {
      set.add(item(), {});
    } else if (what == 4) {
      set.pop(random_, [](Bytes) {});
    } else {
      set.remove(item());
    }
  }
  void change_hash(Keyspace& keyspace, const HashedKey& hashed) {
    auto hash = *keyspace.edit_or_create<HashValue>(hashed, now_ms_);
    const uint64_t what = random_.uniform(8);
    if (!hash.exists() || what < 4) {
      const DeadlineRule rule = random_.uniform(8) == 0
                                    ? DeadlineRule::at(now_ms_ + 10'000 + static_cast<int64_t>(random_.uniform(10'000)))
                                    : DeadlineRule::none();
      hash.set(item(), text(), {}, rule);
    } else if (what == 4) {
      hash.set_field_deadline(item(), random_.uniform(2) == 0 ? kNoDeadline : now_ms_ + 20'000);
    } else {
      hash.remove(item());
    }
  }
  void change_zset(Keyspace& keyspace, const HashedKey& hashed) {
    auto zset = *keyspace.edit_or_create<ZsetValue>(hashed, now_ms_);
    const uint64_t what = random_.uniform(40);
    if (!zset.exists() || what < 24) {
      zset.put(item(), static_cast<double>(random_.uniform(1000)), {}, {});
    } else if (what < 39) {
      zset.remove(item());
    } else {
      const size_t first = random_.uniform(zset.size());
      zset.remove({first, std::min<size_t>(zset.size() - first, 30)});
    }
  }
  void change_stream(Keyspace& keyspace, const HashedKey& hashed) {
    StreamStructure& stream = keyspace.edit_or_create<StreamValue>(hashed, now_ms_)->stream_or_create();
    const StreamId any{1 + random_.uniform(stream.last_id().ms + 1), 0};
    const std::string value = text();
    const Bytes fields[] = {"name", value};
    StreamGroup* group = stream.find_group("group");
    switch (random_.uniform(12)) {
      case 0:
        stream.erase(any);
        return;
      case 1:
        if (random_.uniform(10) == 0) stream.trim({StreamTrim::By::kLength, false, stream.length() * 9 / 10, {}, 0});
        return;
      case 2:
        if (group == nullptr) group = stream.create_group("group", {}, 0);
        if (group->consumers().empty()) group->create_consumer("consumer", now_ms_);
        group->assign(any, group->consumers()[0], now_ms_, 1);
        return;
      case 3:
        if (group != nullptr) group->acknowledge(any);
        return;
      case 4:
        if (group != nullptr && random_.uniform(20) == 0) stream.erase_group(group);
        return;
      default:
        stream.append({stream.last_id().ms + 1, 0}, fields, {});
    }
  }

  Store& store_;
  Random random_;
  FlushQueue queue_;
  int64_t now_ms_ = kSampleNowMs;
};

void expect_loads_as(const std::string& file, const std::vector<std::string>& expected, uint64_t seed) {
  Store loaded(options_of(seed + 100));
  RdbLoadOptions options;
  options.now_ms = kSampleNowMs;
  RdbLoader loader(loaded, file, options);
  Result<bool> more = true;
  while (more.ok() && *more) more = loader.step(1000);
  ASSERT_TRUE(more.ok()) << more.error().to_string();
  const std::vector<std::string> seen = describe_store(loaded);
  ASSERT_EQ(seen.size(), expected.size());
  for (size_t i = 0; i < seen.size(); i++) {
    EXPECT_TRUE(seen[i] == expected[i]) << "seed " << seed << ": " << expected[i].substr(0, 20);
  }
}

class HeldEntriesTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(HeldEntriesTest, TheFileHasWhatWasThereAtTheBeginning) {
  const uint64_t seed = GetParam();
  Store store(options_of(seed));
  HeldChanger changer(store, seed);
  for (int i = 0; i < 60000; i++) changer.change();
  size_t most_held_bytes = 0;
  for (uint8_t round = 0; round < 6; round++) {
    // With little memory some are written as a whole; some walks are given up.
    FileSink sink(store, round % 3 == 2 ? 20'000 : SIZE_MAX);
    const std::vector<std::string> expected = describe_store(store);
    SnapshotWalk walk(store, sink, static_cast<uint8_t>(round % 3 + 1));
    const uint64_t steps_max = round == 4 ? 1 + changer.random().uniform(100) : UINT64_MAX;
    const uint64_t changes_max = uint64_t{1} << (2 * round);
    bool more = true;
    for (uint64_t steps = 0; more && steps < steps_max; steps++) {
      for (uint64_t i = changer.random().uniform(changes_max); i > 0; i--) changer.change();
      more = walk.step();
      for (FlushedKeyspace& flushed : walk.take_released()) changer.queue().add(std::move(flushed));
      if (changer.random().uniform(4) == 0) changer.free_garbage();
    }
    if (more) walk.abandon();
    sink.give_up();
    for (FlushedKeyspace& flushed : walk.take_released()) changer.queue().add(std::move(flushed));
    if (!more) expect_loads_as(sink.finish(), expected, seed);
    most_held_bytes = std::max(most_held_bytes, sink.most_held_bytes());
    check_store(store);
    for (int i = 0; i < 5000; i++) changer.change();
  }
  EXPECT_GT(most_held_bytes, 5000u);
  for (int db = 0; db < 2; db++) changer.queue().add(store.database(db).flush());
  changer.free_garbage();
  EXPECT_EQ(store.blocks().used_bytes(), 0u) << "something of what was held is lost";
}

INSTANTIATE_TEST_SUITE_P(Seeds, HeldEntriesTest, ::testing::Range<uint64_t>(1, 5));

}  // namespace
}  // namespace larder
