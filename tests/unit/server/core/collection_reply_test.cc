// Several replies read one structure while it changes: each is what the structure was when the reply was made. Random changes of
// every type, readers that begin and are given up at random times, a structure that goes while it is read.

#include "server/core/collection_reply.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/random.h"
#include "tests/support/bulk_text.h"

namespace larder {
namespace {

using testing::bulk;

constexpr int kSteps = 1500;
constexpr size_t kReadersMax = 5;
constexpr uint64_t kNames = 1500;

StoreOptions options_of(uint64_t seed) {
  StoreOptions options;
  options.hash_seed = seed;
  return options;
}

// The bulk strings of a reply, `per_item` together, in an order that does not depend on theirs.
std::vector<std::string> items_of(Bytes reply, size_t per_item) {
  std::vector<std::string> items;
  size_t count = 0;
  for (size_t at = 0; at < reply.size(); count++) {
    const size_t head = reply.find("\r\n", at) + 2;
    const size_t end = head + std::stoul(std::string(reply.substr(at + 1, head - at - 3))) + 2;
    if (count % per_item == 0) items.emplace_back();
    items.back() += reply.substr(at, end - at);
    at = end;
  }
  std::sort(items.begin(), items.end());
  return items;
}

// One type: how it is filled, changed and read.
class Subject {
 public:
  Subject(Store& store, uint64_t seed) : store_(store), random_(seed) {}
  virtual ~Subject() = default;
  virtual Structure& structure() = 0;
  virtual void change() = 0;
  // A reader, and what it has to write.
  virtual std::unique_ptr<ReplySource> read(std::string* expected) = 0;
  // Elements of an unordered reply that belong together; 0: the order counts.
  virtual size_t per_item() const { return 0; }

  Random& random() { return random_; }

 protected:
  std::string name() { return "name" + std::to_string(random_.uniform(kNames)); }
  std::string text() {
    if (random_.uniform(5) == 0) return std::to_string(random_.uniform(1000));
    return std::string(random_.uniform(random_.uniform(200) == 0 ? 9000 : 300), 't') + std::to_string(random_.next());
  }
  std::string long_name() {
    const uint64_t i = random_.uniform(kNames);
    return std::string(i % 500, 'm') + std::to_string(i);
  }

  Store& store_;
  Random random_;
};

class SetSubject final : public Subject {
 public:
  SetSubject(Store& store, uint64_t seed)
      : Subject(store, seed), set_(create_structure<SetStructure>(store.structure_resources(), SetForm::kHashtable)) {}
  Structure& structure() override { return *set_; }
  void change() override {
    if (random_.uniform(2) == 0 || set_->size() < 200) {
      set_->add(long_name());
    } else {
      set_->remove(long_name());
    }
  }
  std::unique_ptr<ReplySource> read(std::string* expected) override {
    set_->for_each([&](Bytes member) { *expected += bulk(member); });
    return members_reply(store_, *set_);
  }
  size_t per_item() const override { return 1; }

 private:
  SetStructure* set_;
};

class HashSubject final : public Subject {
 public:
  HashSubject(Store& store, uint64_t seed)
      : Subject(store, seed), hash_(create_structure<HashStructure>(store.structure_resources(), true)) {}
  Structure& structure() override { return *hash_; }
  void change() override {
    const std::string field = name();
    const std::string value = text();
    const uint64_t what = random_.uniform(10);
    if (what < 5 || hash_->size() < 200) {
      const int64_t deadline_ms = what == 0 ? 1000 + static_cast<int64_t>(random_.uniform(5000)) : kNoDeadline;
      hash_->set({field, value, deadline_ms}, now_ms_);
    } else if (what < 9) {
      if (auto* slot = hash_->find(field); slot != nullptr) hash_->remove_slot(slot);
    } else if (random_.uniform(100) == 0) {
      now_ms_ += 500;
      hash_->remove_due(now_ms_, 100, [](const HashFieldView&) {});
    }
  }
  std::unique_ptr<ReplySource> read(std::string* expected) override {
    hash_->for_each_item(
        [&](const HashField& field) { *expected += bulk(field.view().name) + bulk(field.view().value); });
    return fields_reply(store_, *hash_, HashParts::kBoth);
  }
  size_t per_item() const override { return 2; }

 private:
  HashStructure* hash_;
  int64_t now_ms_ = 0;
};

class ListSubject final : public Subject {
 public:
  ListSubject(Store& store, uint64_t seed)
      : Subject(store, seed), list_(create_structure<ListStructure>(store.structure_resources())) {}
  Structure& structure() override { return *list_; }
  void change() override {
    const std::string value = text();
    const ListEnd end = random_.uniform(2) == 0 ? ListEnd::kFront : ListEnd::kBack;
    const uint64_t what = random_.uniform(12);
    if (what < 4 || list_->size() < 500) return list_->push(end, PackedText(value));
    const size_t index = random_.uniform(list_->size());
    if (what < 6) return list_->pop(end);
    if (what < 8) return list_->insert_before(list_->place_of(index), PackedText(value));
    if (what < 10) return list_->replace(list_->place_of(index), PackedText(value));
    if (what == 10) return list_->erase(index, std::min<size_t>(list_->size() - index, random_.uniform(6)));
    list_->remove_equal(std::to_string(random_.uniform(1000)), 3, end);
  }
  std::unique_ptr<ReplySource> read(std::string* expected) override {
    const size_t index = random_.uniform(3) == 0 ? random_.uniform(list_->size()) : 0;
    const size_t rest = list_->size() - index;
    const size_t count = random_.uniform(3) == 0 ? 1 + random_.uniform(rest) : rest;
    list_->visit(index, count, [&](const PackedElement& element) {
      char digits[kInt64TextBytesMax];
      *expected += bulk(element.text(digits));
    });
    return elements_reply(store_, *list_, index, count);
  }

 private:
  ListStructure* list_;
};

class ZsetSubject final : public Subject {
 public:
  ZsetSubject(Store& store, uint64_t seed)
      : Subject(store, seed), zset_(create_structure<ZsetStructure>(store.structure_resources())) {}
  Structure& structure() override { return *zset_; }
  void change() override {
    const std::string member = long_name();
    const HashedKey key = zset_->hashed(member);
    ZsetMember* found = zset_->find(key);
    const uint64_t what = random_.uniform(20);
    if (what == 0 && zset_->size() > 300) return zset_->remove_ranks(random_.uniform(zset_->size() - 10), 10);
    if (found == nullptr) return zset_->insert(key, score());
    if (what < 8) return zset_->remove(found);
    zset_->set_score(found, score());
  }
  std::unique_ptr<ReplySource> read(std::string* expected) override {
    const size_t first = random_.uniform(3) == 0 ? random_.uniform(zset_->size()) : 0;
    const size_t rest = zset_->size() - first;
    const size_t count = random_.uniform(3) == 0 ? 1 + random_.uniform(rest) : rest;
    const bool downwards = random_.uniform(2) == 0;
    const size_t rank = downwards ? zset_->size() - 1 - first : first;
    const auto scores = static_cast<RangeScores>(random_.uniform(3));
    Buffer out;
    ReplyWriter writer(out, scores == RangeScores::kNested ? 3 : 2);
    zset_->tree().visit(rank, count, downwards, [&](const ZsetMember* member) {
      if (scores == RangeScores::kNested) writer.array(2);
      writer.bulk(member->bytes());
      if (scores != RangeScores::kNone) writer.double_value(member->score());
    });
    *expected = out.bytes();
    return range_reply(store_, *zset_, rank, count, downwards, scores);
  }

 private:
  // Few values, so that many members have the same.
  double score() { return static_cast<double>(random_.uniform(40)) - 20; }

  ZsetStructure* zset_;
};

struct Reader {
  std::unique_ptr<ReplySource> source;
  std::string expected;
  Buffer got;
};

class CollectionReplyTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  template <class T>
  void run() {
    Store store(options_of(GetParam()));
    for (int round = 0; round < 2; round++) {
      T subject(store, GetParam() * 10 + static_cast<uint64_t>(round));
      read_while_it_changes(store, subject);
      while (store.free_some(100)) {
      }
      EXPECT_EQ(store.blocks().used_bytes(), 0u) << "something of what was held is lost";
    }
  }

 private:
  void read_while_it_changes(Store& store, Subject& subject) {
    Random& random = subject.random();
    for (int i = 0; i < 3000; i++) subject.change();
    std::vector<Reader> readers;
    size_t most_held_bytes = 0;
    for (int step = 0; step < kSteps; step++) {
      for (uint64_t changes = random.uniform(random.uniform(50) == 0 ? 500 : 6); changes > 0; changes--)
        subject.change();
      if (readers.size() < kReadersMax && random.uniform(40) == 0) {
        readers.emplace_back();
        readers.back().source = subject.read(&readers.back().expected);
      }
      if (readers.empty()) continue;
      const size_t at = random.uniform(readers.size());
      for (const Reader& reader : readers) most_held_bytes = std::max(most_held_bytes, reader.source->held_bytes());
      const bool given_up = random.uniform(300) == 0;
      if (given_up || (random.uniform(8) == 0 && !write(subject, readers[at]))) {
        readers.erase(readers.begin() + static_cast<ptrdiff_t>(at));
      }
      if (step % 16 == 0) subject.structure().check_integrity();
    }
    EXPECT_GT(most_held_bytes, 1000u);
    subject.structure().check_integrity();
    EXPECT_EQ(subject.structure().guard_count(), readers.size());
    // The key goes; some readers have not finished.
    store.dispose(&subject.structure());
    for (Reader& reader : readers) {
      while (write(subject, reader)) {
      }
    }
  }

  // False: it has ended, and was right.
  bool write(Subject& subject, Reader& reader) {
    ReplyWriter writer(reader.got);
    if (reader.source->write_some(writer)) return true;
    if (const size_t per_item = subject.per_item(); per_item > 0) {
      EXPECT_TRUE(items_of(reader.got.bytes(), per_item) == items_of(reader.expected, per_item))
          << "seed " << GetParam();
    } else {
      EXPECT_TRUE(reader.got.bytes() == reader.expected) << "seed " << GetParam();
    }
    reader.source.reset();
    return false;
  }
};

TEST_P(CollectionReplyTest, Sets) { run<SetSubject>(); }
TEST_P(CollectionReplyTest, Hashes) { run<HashSubject>(); }
TEST_P(CollectionReplyTest, Lists) { run<ListSubject>(); }
TEST_P(CollectionReplyTest, SortedSets) { run<ZsetSubject>(); }

INSTANTIATE_TEST_SUITE_P(Seeds, CollectionReplyTest, ::testing::Range<uint64_t>(1, 3));

}  // namespace
}  // namespace larder
