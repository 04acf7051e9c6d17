// Streams against maps: entries, what is cut off and deleted, groups with what is pending, copies and loading.

#include "storage/stream_value.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/encoding_name.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/storage/test_clock.h"

namespace larder {
namespace {

using Fields = std::vector<std::string>;

std::string text_of(const PackedElement& element) {
  char digits[kInt64TextBytesMax];
  return std::string(element.text(digits));
}

Fields fields_of(const StreamEntry& entry) {
  Fields fields;
  entry.for_each_field([&](const PackedElement& name, const PackedElement& value) {
    fields.push_back(text_of(name));
    fields.push_back(text_of(value));
  });
  return fields;
}

struct GroupModel {
  StreamId last_id;
  std::set<std::string> consumers;
  struct Pending {
    std::string consumer;
    int64_t delivered_ms;
    uint64_t deliveries;
  };
  std::map<StreamId, Pending> pending;
};

// The stream next to maps that say what should be in it.
class StreamValueTest : public testing::Test {
 protected:
  StreamValueTest() : store_(StoreOptions{}), keyspace_(store_.database(0)) {}

  StreamStructure& stream() {
    return keyspace_.edit_or_create<StreamValue>(store_.hashed("s"), kNowMs)->stream_or_create();
  }

  void append(StreamId id, const Fields& fields) {
    const std::vector<Bytes> views(fields.begin(), fields.end());
    stream().append(id, views, limits_);
    entries_[id] = fields;
    last_id_ = id;
    added_++;
  }
  void erase(StreamId id) { ASSERT_EQ(stream().erase(id), entries_.erase(id) > 0); }
  void trim(const StreamTrim& trim) {
    const uint64_t removed = stream().trim(trim);
    ASSERT_LE(removed, entries_.size());
    for (uint64_t i = 0; i < removed; i++) {
      ASSERT_TRUE(trim.by == StreamTrim::By::kLength || entries_.begin()->first < trim.id_min);
      entries_.erase(entries_.begin());
    }
    ASSERT_TRUE(trim.limit == 0 || removed <= trim.limit);
    ASSERT_TRUE(trim.by == StreamTrim::By::kId || removed == 0 || entries_.size() >= trim.length_max);
    if (trim.limit > 0 || entries_.empty()) return;
    // All that should go has gone: of an approximate trim, every whole node.
    if (trim.by == StreamTrim::By::kLength) {
      const uint64_t unit = trim.approximate ? live_in_first_node() : 1;
      ASSERT_LT(entries_.size() - unit, std::max<uint64_t>(trim.length_max, 1));
    } else if (!trim.approximate) {
      ASSERT_GE(entries_.begin()->first, trim.id_min);
    }
  }
  uint64_t live_in_first_node() { return StreamNodeReader(*stream().nodes().first().value()).live(); }

  std::vector<std::pair<StreamId, Fields>> read(const StreamStructure& stream, StreamId first, StreamId last,
                                                bool backwards) {
    std::vector<std::pair<StreamId, Fields>> found;
    StreamIterator entries(stream, first, last, backwards);
    StreamEntry entry;
    while (entries.next(&entry)) found.emplace_back(entry.id, fields_of(entry));
    return found;
  }
  void compare_range(const StreamStructure& stream, StreamId first, StreamId last) {
    std::vector<std::pair<StreamId, Fields>> expected;
    for (auto at = entries_.lower_bound(first); at != entries_.end() && at->first <= last; ++at) {
      expected.emplace_back(at->first, at->second);
    }
    ASSERT_EQ(read(stream, first, last, false), expected);
    std::reverse(expected.begin(), expected.end());
    ASSERT_EQ(read(stream, first, last, true), expected);
  }
  void compare_all(const StreamStructure& stream) {
    stream.check_integrity();
    ASSERT_EQ(stream.length(), entries_.size());
    ASSERT_EQ(stream.last_id(), last_id_);
    ASSERT_EQ(stream.entries_added(), added_);
    ASSERT_EQ(stream.first_id(), entries_.empty() ? StreamId{} : entries_.begin()->first);
    compare_range(stream, kStreamIdMin, kStreamIdMax);
    ASSERT_EQ(stream.groups().size(), groups_.size());
    for (const auto& [name, model] : groups_) compare_group(stream, name, model);
  }
  void compare_group(const StreamStructure& stream, const std::string& name, const GroupModel& model) {
    const StreamGroup* group = stream.find_group(name);
    ASSERT_NE(group, nullptr);
    ASSERT_EQ(group->last_id, model.last_id);
    ASSERT_EQ(group->consumers().size(), model.consumers.size());
    ASSERT_EQ(group->pending().size(), model.pending.size());
    auto at = group->pending().first();
    for (const auto& [id, pending] : model.pending) {
      ASSERT_EQ(at.id(), id);
      ASSERT_EQ(at.value().consumer->name, pending.consumer);
      ASSERT_EQ(at.value().delivered_ms, pending.delivered_ms);
      ASSERT_EQ(at.value().deliveries, pending.deliveries);
      at.next();
    }
  }

  // ---- Random steps
  Fields random_fields(Random& random) {
    static const std::vector<std::string> kNames = {"a", "b", "name", "", "12", "a long name of a field"};
    static const std::vector<std::string> kValues = {"", "1", "-70000", "9223372036854775807", "007", "value"};
    Fields fields;
    const size_t count = random.one_in(3) ? 1 + random.uniform(5) : 2;
    for (size_t i = 0; i < count; i++) {
      // Mostly the same names, so that entries share them.
      fields.push_back(random.one_in(6) ? kNames[random.uniform(kNames.size())] : kNames[i % kNames.size()]);
      std::string value = kValues[random.uniform(kValues.size())];
      if (random.one_in(20)) value.assign(random.uniform(600), 'x');
      fields.push_back(value);
    }
    return fields;
  }
  StreamId random_id(Random& random) {
    StreamId id{random.uniform(last_id_.ms + 2), random.uniform(4)};
    if (!entries_.empty() && !random.one_in(4)) {
      const auto at = entries_.lower_bound(id);
      if (at != entries_.end()) id = at->first;
    }
    return id;
  }
  void random_append(Random& random) {
    StreamId id = last_id_;
    if (random.one_in(3)) {
      id.seq++;
    } else {
      id = {id.ms + 1 + random.uniform(3), random.uniform(3)};
    }
    append(id, random_fields(random));
  }
  void random_trim(Random& random) {
    StreamTrim trim;
    trim.by = random.one_in(2) ? StreamTrim::By::kLength : StreamTrim::By::kId;
    trim.approximate = random.one_in(2);
    trim.length_max = random.uniform(entries_.size() + 3);
    trim.id_min = random_id(random);
    if (trim.approximate && random.one_in(3)) trim.limit = 1 + random.uniform(20);
    this->trim(trim);
  }
  void random_group_step(Random& random) {
    const std::string name = "group" + std::to_string(random.uniform(3));
    StreamGroup* group = stream().find_group(name);
    ASSERT_EQ(group != nullptr, groups_.contains(name));
    if (group == nullptr) {
      const StreamId id = random_id(random);
      stream().create_group(name, id, kEntriesReadUnknown);
      groups_[name].last_id = id;
      return;
    }
    GroupModel& model = groups_[name];
    if (random.one_in(60)) {
      stream().erase_group(group);
      groups_.erase(name);
      return;
    }
    const std::string consumer_name = "c" + std::to_string(random.uniform(5));
    StreamConsumer* consumer = group->find_consumer(consumer_name);
    ASSERT_EQ(consumer != nullptr, model.consumers.contains(consumer_name));
    if (consumer == nullptr) {
      group->create_consumer(consumer_name, kNowMs);
      model.consumers.insert(consumer_name);
    } else if (random.one_in(30)) {
      group->erase_consumer(consumer);
      model.consumers.erase(consumer_name);
      std::erase_if(model.pending, [&](const auto& item) { return item.second.consumer == consumer_name; });
    } else if (random.one_in(3)) {
      const StreamId id = random_id(random);
      ASSERT_EQ(group->acknowledge(id), model.pending.erase(id) > 0);
    } else {
      const StreamId id = random_id(random);
      const auto delivered_ms = static_cast<int64_t>(random.uniform(1000));
      const uint64_t deliveries = random.uniform(10);
      group->assign(id, consumer, delivered_ms, deliveries);
      model.pending[id] = {consumer_name, delivered_ms, deliveries};
    }
  }
  void random_step(Random& random, uint64_t appends_of_100) {
    const uint64_t dice = random.uniform(100);
    if (dice < appends_of_100) return random_append(random);
    if (dice < 75) return erase(random_id(random));
    if (dice < 77) return random_trim(random);
    if (dice < 79) {
      const StreamId wanted = entries_.empty() ? random_id(random) : entries_.rbegin()->first;
      last_id_ = std::max(wanted, stream().max_deleted_id());
      return stream().set_last_id(last_id_);
    }
    random_group_step(random);
  }

  // The same stream, made as a file is loaded.
  void compare_loaded() {
    const StreamStructure& original = stream();
    auto* loaded = create_structure<StreamStructure>(original.resources());
    for (auto at = original.nodes().first(); at; at.next()) {
      ASSERT_TRUE(loaded->load_node(at.id(), at.value()->sequence()));
      ASSERT_FALSE(loaded->load_node(at.id(), at.value()->sequence()));
    }
    ASSERT_TRUE(loaded->load_facts(original.facts()));
    for (const StreamGroup* group : original.groups()) {
      StreamGroup* copy = loaded->create_group(group->name(), group->last_id, group->entries_read);
      for (auto at = group->pending().first(); at; at.next()) {
        ASSERT_TRUE(copy->load_pending(at.id(), at.value().delivered_ms, at.value().deliveries));
        ASSERT_FALSE(copy->load_pending(at.id(), 0, 0));
      }
      for (const StreamConsumer* consumer : group->consumers()) {
        StreamConsumer* own = copy->create_consumer(consumer->name, consumer->seen_ms);
        for (auto at = consumer->pending.first(); at; at.next()) {
          ASSERT_TRUE(copy->load_owner(at.id(), own));
          ASSERT_FALSE(copy->load_owner(at.id(), own));
        }
      }
      ASSERT_TRUE(copy->is_fully_owned());
    }
    compare_all(*loaded);
    destroy_structure(loaded);
  }
  void compare_clone() {
    auto* copy = static_cast<StreamStructure*>(stream().clone());
    compare_all(*copy);
    // In pieces, as the background does it.
    while (copy->free_some(7)) {
    }
    destroy_structure(copy);
  }

  Store store_;
  Keyspace& keyspace_;
  StreamNodeLimits limits_;
  std::map<StreamId, Fields> entries_;
  std::map<std::string, GroupModel> groups_;
  StreamId last_id_;
  uint64_t added_ = 0;
};

TEST_F(StreamValueTest, AgreesWithTheModel) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  constexpr StreamNodeLimits kLimits[] = {{4096, 100}, {4096, 1}, {0, 5}, {200, 0}, {4096, 7}};
  for (int step = 0; step < 3000; step++) {
    if (step % 1000 == 0) limits_ = kLimits[random.uniform(std::size(kLimits))];
    // By turns it grows and shrinks.
    random_step(random, step % 600 < 400 ? 60 : 10);
    if (HasFatalFailure()) return;
    stream().check_integrity();
    if (step % 20 == 0) {
      compare_range(stream(), random_id(random), random_id(random));
      const StreamId id = random_id(random);
      ASSERT_EQ(stream().contains(id), entries_.contains(id));
    }
    if (step % 100 == 0) compare_all(stream());
    if (step % 500 == 0) compare_clone();
    if (step % 500 == 250) compare_loaded();
    if (HasFatalFailure()) return;
  }
}

TEST_F(StreamValueTest, AnEmptyStreamIsAKey) {
  EXPECT_EQ(stream().length(), 0U);
  EXPECT_TRUE(keyspace_.read<StreamValue>(store_.hashed("s"), kNowMs, Touch::kNo));
  append({1, 1}, {"f", "v"});
  erase({1, 1});
  EXPECT_EQ(stream().max_deleted_id(), (StreamId{1, 1}));
  EXPECT_EQ(encoding_name(*keyspace_.find(store_.hashed("s"), kNowMs, Touch::kNo)), "stream");
  compare_all(stream());
}

TEST_F(StreamValueTest, IdsAtTheVeryEnd) {
  append({0, 1}, {"f", "first"});
  append({1, UINT64_MAX}, {"f", "v"});
  append({UINT64_MAX, 0}, {"f", "v"});
  append({UINT64_MAX, UINT64_MAX}, {"f", "last"});
  compare_all(stream());
  compare_range(stream(), {1, UINT64_MAX}, {UINT64_MAX, 0});
  erase({UINT64_MAX, UINT64_MAX});
  compare_all(stream());
  compare_loaded();
}

TEST_F(StreamValueTest, MemoryIsGivenBack) {
  const size_t empty_bytes = stream().memory_bytes();
  limits_.entries_max = 10;
  for (uint64_t i = 1; i <= 1000; i++) append({i, 0}, {"field", std::string(i % 50, 'v')});
  StreamGroup* group = stream().create_group("g", {}, kEntriesReadUnknown);
  StreamConsumer* consumer = group->create_consumer("c", kNowMs);
  for (uint64_t i = 1; i <= 1000; i++) group->assign({i, 0}, consumer, kNowMs, 1);
  EXPECT_GT(stream().memory_bytes(), empty_bytes + 1000 * 40);
  stream().erase_group(group);
  StreamTrim all;
  all.by = StreamTrim::By::kLength;
  trim(all);
  EXPECT_EQ(stream().memory_bytes(), empty_bytes);
}

TEST_F(StreamValueTest, MalformedNodesAreRefused) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  for (uint64_t i = 1; i <= 20; i++) append({i, 0}, random_fields(random));
  erase({3, 0});
  const std::string good(stream().nodes().first().value()->sequence());
  for (int round = 0; round < 5000; round++) {
    std::string bad = good;
    for (uint64_t i = 1 + random.uniform(3); i > 0; i--) {
      bad[random.uniform(bad.size())] = static_cast<char>(random.uniform(256));
    }
    if (random.one_in(4)) bad.resize(random.uniform(bad.size()));
    // Whatever is accepted can be read, and checks as good.
    auto* loaded = create_structure<StreamStructure>(stream().resources());
    if (loaded->load_node({1, 0}, bad)) {
      StreamStructure::Facts facts = loaded->facts();
      facts.entries_added = facts.length;
      if (loaded->load_facts(facts)) loaded->check_integrity();
      EXPECT_EQ(read(*loaded, kStreamIdMin, kStreamIdMax, false).size(), facts.length);
      EXPECT_EQ(read(*loaded, kStreamIdMin, kStreamIdMax, true).size(), facts.length);
    }
    destroy_structure(loaded);
  }
}

}  // namespace
}  // namespace larder
