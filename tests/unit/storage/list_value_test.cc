#include "storage/list_value.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "storage/encoding_name.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/storage/test_clock.h"

namespace larder {
namespace {

using ListModel = std::deque<std::string>;

class ListValueTest : public testing::Test {
 protected:
  ListValueTest() : store_(StoreOptions{.hash_seed = 7}), keyspace_(store_.database(0)) {}

  ListValue list(Bytes name = "l") { return *keyspace_.edit_or_create<ListValue>(store_.hashed(name), kNowMs); }
  void push(ListEnd end, Bytes text) {
    list().expect_growth(text.size(), 1, limits_);
    list().push(end, text);
  }
  ListModel all(Bytes name = "l") {
    ListModel elements;
    if (!list(name).exists()) return elements;
    char digits[kInt64TextBytesMax];
    list(name).visit(0, list(name).size(),
                     [&](const PackedElement& element) { elements.emplace_back(element.text(digits)); });
    return elements;
  }
  std::string element_at(size_t index) {
    char digits[kInt64TextBytesMax];
    return std::string(list().element(list().place_of(index)).text(digits));
  }

  ListLimits limits_;
  Store store_;
  Keyspace& keyspace_;
};

TEST_F(ListValueTest, ShowsTheNameThatRedisWouldShow) {
  push(ListEnd::kBack, "a");
  EXPECT_EQ(encoding_name(list().entry()), "listpack");
  push(ListEnd::kBack, std::string(9000, 'x'));
  EXPECT_EQ(encoding_name(list().entry()), "quicklist");
  list().take(ListEnd::kBack, 1, limits_, [](const PackedElement&) {});
  EXPECT_EQ(encoding_name(list().entry()), "listpack");
  EXPECT_EQ(all(), ListModel{"a"});
}

TEST_F(ListValueTest, AnEmptiedListIsNoKey) {
  for (int i = 0; i < 5000; i++) push(ListEnd::kFront, "element:" + std::to_string(i));
  size_t taken = 0;
  list().take(ListEnd::kBack, 5000, limits_, [&](const PackedElement&) { taken++; });
  EXPECT_EQ(taken, 5000u);
  EXPECT_EQ(keyspace_.size(), 0u);
  while (store_.free_some(1000)) {
  }
  EXPECT_EQ(store_.blocks().used_bytes(), 0u);
}

// Elements are written to, put in and taken out anywhere: two thirds of the memory are elements, and half after most have gone.
TEST_F(ListValueTest, NodesStayFullUnderChanges) {
  Random random(test_seed());
  const auto text = [&] { return "element:" + std::string(random.uniform(30), 'x'); };
  for (int i = 0; i < 20'000; i++) push(ListEnd::kBack, text());
  const auto structure = [&] { return static_cast<const ListStructure*>(list().entry().structure()); };
  const auto bytes_for_one = [&] {
    return static_cast<double>(structure()->memory_bytes()) / static_cast<double>(structure()->packed_bytes());
  };
  EXPECT_LT(bytes_for_one(), 1.05);
  for (int i = 0; i < 200'000; i++) {
    ListValue value = list();
    if (i % 2 == 0) {
      value.replace(value.place_of(random.uniform(value.size())), text());
    } else if (i % 4 == 1) {
      value.insert_before(value.place_of(random.uniform(value.size())), text());
    } else {
      value.erase(random.uniform(value.size()), 1, limits_);
    }
  }
  EXPECT_LT(bytes_for_one(), 1.6);
  for (int i = 0; i < 15'000; i++) list().erase(random.uniform(list().size()), 1, limits_);
  EXPECT_LT(bytes_for_one(), 2.0);
  for (size_t i = 0; i < list().size(); i++) list().replace(list().place_of(i), "e");
  EXPECT_LT(bytes_for_one(), 2.1);
  structure()->check_integrity();
}

TEST_F(ListValueTest, MemoryIsAccountedAndFreedInPieces) {
  for (int i = 0; i < 100'000; i++) push(ListEnd::kBack, "element:" + std::to_string(i));
  EXPECT_LT(keyspace_.entry_memory_bytes(list().entry()), 100'000u * 17);
  keyspace_.copy_entry(store_.hashed("l"), keyspace_, store_.hashed("copy"), kNowMs);
  keyspace_.erase(store_.hashed("l"), kNowMs);
  int pieces = 0;
  while (store_.free_some(1000)) pieces++;
  EXPECT_GT(pieces, 5);
  list("copy").entry().structure()->check_integrity();
  EXPECT_EQ(all("copy").size(), 100'000u);
  keyspace_.erase(store_.hashed("copy"), kNowMs);
  while (store_.free_some(1000)) {
  }
  EXPECT_EQ(store_.blocks().used_bytes(), 0u);
}

// One random operation on the list and on the model of it.
class ListModelTest : public ListValueTest {
 protected:
  explicit ListModelTest() : seed_(test_seed()), random_(seed_) {}

  std::string text() {
    switch (random_.uniform(8)) {
      case 0:
        return std::to_string(random_.between(-100, 100));
      case 1:
        return std::to_string(static_cast<int64_t>(random_.next()));
      case 2:
        return std::string(random_.uniform(random_.one_in(10) ? 6000 : 200), 'x');
      default:
        return "element:" + std::to_string(random_.uniform(30));
    }
  }

  void grow() {
    const std::string added = text();
    switch (random_.uniform(4)) {
      case 0:
        push(ListEnd::kFront, added);
        model_.push_front(added);
        break;
      case 1: {
        const size_t index = random_.uniform(model_.size() + 1);
        if (model_.empty()) return;
        list().expect_growth(added.size(), 1, limits_);
        ListValue now = list();
        ListValue::Place place = now.place_of(index == model_.size() ? index - 1 : index);
        if (index == model_.size()) place = now.next(place);
        now.insert_before(place, added);
        model_.insert(model_.begin() + static_cast<int64_t>(index), added);
        break;
      }
      default:
        push(ListEnd::kBack, added);
        model_.push_back(added);
    }
  }

  void shrink() {
    if (model_.empty()) return;
    const size_t index = random_.uniform(model_.size());
    switch (random_.uniform(4)) {
      case 0: {
        const ListEnd from = random_.one_in(2) ? ListEnd::kFront : ListEnd::kBack;
        remove_equal(model_[index], 1 + random_.uniform(4), from);
        break;
      }
      case 1: {
        const size_t count = 1 + random_.uniform(std::min<size_t>(model_.size() - index, random_.one_in(20) ? 500 : 8));
        list().erase(index, count, limits_);
        model_.erase(model_.begin() + static_cast<int64_t>(index),
                     model_.begin() + static_cast<int64_t>(index + count));
        break;
      }
      default: {
        const bool front = random_.one_in(2);
        char digits[kInt64TextBytesMax];
        list().take(front ? ListEnd::kFront : ListEnd::kBack, 1, limits_, [&](const PackedElement& element) {
          EXPECT_EQ(std::string(element.text(digits)), front ? model_.front() : model_.back());
        });
        front ? model_.pop_front() : model_.pop_back();
      }
    }
  }

  void remove_equal(const std::string wanted, size_t count_max, ListEnd from) {
    size_t removed = 0;
    const auto step = [&](size_t at) {
      if (removed == count_max || model_[at] != wanted) return;
      model_.erase(model_.begin() + static_cast<int64_t>(at));
      removed++;
    };
    if (from == ListEnd::kBack) {
      for (size_t at = model_.size(); at-- > 0;) step(at);
    } else {
      for (size_t at = 0; at < model_.size();) {
        const size_t before = model_.size();
        step(at);
        if (model_.size() == before) at++;
      }
    }
    EXPECT_EQ(list().remove_equal(wanted, count_max, from, limits_), removed);
  }

  void replace() {
    if (model_.empty()) return;
    const size_t index = random_.uniform(model_.size());
    const std::string other = text();
    list().expect_growth(other.size(), 1, limits_);
    ListValue now = list();
    now.replace(now.place_of(index), other);
    now.settle(limits_);
    model_[index] = other;
  }

  void check() {
    ListValue now = list();
    ASSERT_EQ(now.exists(), !model_.empty());
    if (model_.empty()) return;
    if (now.entry().encoding() == Encoding::kStructure) now.entry().structure()->check_integrity();
    ASSERT_EQ(now.size(), model_.size());
    const size_t index = random_.uniform(model_.size());
    ASSERT_EQ(element_at(index), model_[index]);
  }

  uint64_t seed_;
  Random random_;
  ListModel model_;
};

TEST_F(ListModelTest, AgreesWithADeque) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  constexpr int kSteps = 20'000;
  for (int step = 0; step < kSteps; step++) {
    // Waves, so that the list passes through all its forms in both directions.
    const bool growing = (step / 2500) % 2 == 0;
    const uint64_t draw = random_.uniform(10);
    if (draw < (growing ? 7u : 3u)) {
      grow();
    } else if (draw < 9) {
      shrink();
    } else {
      replace();
    }
    check();
    if (HasFatalFailure()) return;
    if (step % 500 == 0) {
      ASSERT_EQ(all(), model_);
    }
  }
  ASSERT_EQ(all(), model_);
}

}  // namespace
}  // namespace larder
