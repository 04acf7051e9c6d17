#include "storage/zset_value.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
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

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr ZsetRule kPlain{};

using Ordered = std::pair<double, std::string>;

// The set next to a map and an ordered set that say what should be in it.
class ZsetValueTest : public testing::Test {
 protected:
  ZsetValueTest() : store_(StoreOptions{}), keyspace_(store_.database(0)) {}

  ZsetValue value(Bytes name = "z") { return *keyspace_.edit_or_create<ZsetValue>(store_.hashed(name), kNowMs); }
  Bytes encoding() { return encoding_name(value().entry()); }

  void put(const std::string& member, double score) {
    const ZsetPut put = value().put(member, score, kPlain, limits_);
    const auto at = scores_.find(member);
    if (at == scores_.end()) {
      EXPECT_EQ(put.outcome, ZsetOutcome::kAdded);
    } else {
      EXPECT_EQ(put.outcome, at->second == score ? ZsetOutcome::kUnchanged : ZsetOutcome::kUpdated);
      ordered_.erase({at->second, member});
    }
    scores_[member] = score;
    ordered_.insert({score, member});
  }
  void remove(const std::string& member) {
    const auto at = scores_.find(member);
    EXPECT_EQ(value().remove(member), at != scores_.end());
    if (at == scores_.end()) return;
    ordered_.erase({at->second, member});
    scores_.erase(at);
  }
  void remove_ranks(size_t first, size_t count) {
    value().remove(RankRange{first, count});
    for (; count > 0; count--) {
      const auto at = std::next(ordered_.begin(), static_cast<ptrdiff_t>(first));
      scores_.erase(at->second);
      ordered_.erase(at);
    }
  }
  std::vector<Ordered> read(Bytes name, RankRange range, bool downwards) {
    std::vector<Ordered> found;
    value(name).visit(range, downwards,
                      [&](Bytes member, double score) { found.emplace_back(score, std::string(member)); });
    return found;
  }
  void compare_all(Bytes name = "z") {
    const ZsetValue set = value(name);
    set.check_integrity();
    ASSERT_EQ(set.exists(), !ordered_.empty());
    ASSERT_EQ(set.size(), ordered_.size());
    if (ordered_.empty()) return;
    const std::vector<Ordered> expected(ordered_.begin(), ordered_.end());
    ASSERT_EQ(read(name, {0, expected.size()}, false), expected);
    std::vector<Ordered> backwards = read(name, {0, expected.size()}, true);
    std::reverse(backwards.begin(), backwards.end());
    ASSERT_EQ(backwards, expected);
  }
  // One member, one range, against the model.
  void compare_samples(Random& random, double score_max) {
    if (ordered_.empty()) return;
    const auto member_rank = random.uniform(ordered_.size());
    const auto at = std::next(ordered_.begin(), static_cast<ptrdiff_t>(member_rank));
    const auto ranked = value().rank(at->second);
    ASSERT_TRUE(ranked.has_value());
    ASSERT_EQ(ranked->rank, member_rank);
    ASSERT_EQ(ranked->score, at->first);
    ScoreRange range{score_max * (random.real() - 0.1), score_max * random.real(), random.one_in(2), random.one_in(2)};
    if (random.one_in(3)) range.min = at->first;
    if (random.one_in(3)) range.max = at->first;
    if (random.one_in(6)) range.min = -kInfinity;
    if (random.one_in(6)) range.max = kInfinity;
    const RankRange found = value().ranks(range);
    const auto inside = static_cast<size_t>(std::count_if(
        ordered_.begin(), ordered_.end(), [&](const Ordered& ordered) { return range.contains(ordered.first); }));
    ASSERT_EQ(found.count, inside);
    if (inside == 0) return;
    const auto first = std::find_if(ordered_.begin(), ordered_.end(),
                                    [&](const Ordered& ordered) { return range.contains(ordered.first); });
    ASSERT_EQ(found.first, static_cast<size_t>(std::distance(ordered_.begin(), first)));
    const size_t part = 1 + random.uniform(std::min<size_t>(found.count, 150));
    ASSERT_EQ(read("z", {found.first, part}, false),
              std::vector<Ordered>(first, std::next(first, static_cast<ptrdiff_t>(part))));
  }

  Store store_;
  Keyspace& keyspace_;
  ZsetLimits limits_;
  std::map<std::string, double> scores_;
  std::set<Ordered> ordered_;
};

TEST_F(ZsetValueTest, SmallSetsArePackedAndLargeOnesAreNot) {
  for (int i = 0; i < 128; i++) put("m" + std::to_string(i), i % 7 + 0.5);
  EXPECT_EQ(encoding(), "listpack");
  compare_all();
  put("m5", -3);
  EXPECT_EQ(encoding(), "listpack");
  put("one more", 1);
  EXPECT_EQ(encoding(), "skiplist");
  compare_all();
  for (int i = 0; i < 128; i++) remove("m" + std::to_string(i));
  EXPECT_EQ(encoding(), "skiplist");
  compare_all();
  remove("one more");
  EXPECT_FALSE(value().exists());

  put(std::string(64, 'x'), 1);
  EXPECT_EQ(encoding(), "listpack");
  put(std::string(65, 'x'), 1);
  EXPECT_EQ(encoding(), "skiplist");
  put(std::string(300, 'x'), 1);
  put(std::string(254, 'x'), 1);
  put(std::string(255, 'x'), 1);
  put(std::string(100'000, 'x'), 1);
  put("", 1);
  compare_all();
}

TEST_F(ZsetValueTest, MembersThatLookLikeNumbersKeepTheirText) {
  for (const char* text : {"1", "10", "9", "-1", "007", "9223372036854775807", "9223372036854775808", "", "1.0"}) {
    put(text, 5);
  }
  compare_all();
  limits_.members_max = 0;
  put("more", 5);
  compare_all();
}

TEST_F(ZsetValueTest, EveryKindOfScore) {
  const double scores[] = {0,
                           1,
                           -1,
                           0.1,
                           -0.1,
                           1e300,
                           -1e300,
                           5e-324,
                           kInfinity,
                           -kInfinity,
                           9007199254740993.0,
                           1e18,
                           4.5e18,
                           9e18,
                           1e19,
                           std::nextafter(1.0, 2.0)};
  for (const bool packed : {true, false}) {
    limits_.members_max = packed ? 128 : 0;
    for (size_t i = 0; i < std::size(scores); i++) put("m" + std::to_string(i), scores[i]);
    compare_all();
    for (size_t i = 0; i < std::size(scores); i++) EXPECT_EQ(value().score("m" + std::to_string(i)), scores[i]);
    EXPECT_EQ(value().ranks(ScoreRange{-kInfinity, kInfinity}).count, std::size(scores));
    EXPECT_EQ(value().ranks(ScoreRange{-kInfinity, kInfinity, true, true}).count, std::size(scores) - 2);
    remove_ranks(0, std::size(scores));
  }
}

TEST_F(ZsetValueTest, TheZerosAreOneScore) {
  for (const bool packed : {true, false}) {
    limits_.members_max = packed ? 128 : 0;
    value().put("b", 0.0, kPlain, limits_);
    value().put("a", -0.0, kPlain, limits_);
    EXPECT_EQ(value().put("a", 0.0, kPlain, limits_).outcome, ZsetOutcome::kUnchanged);
    EXPECT_EQ(std::signbit(*value().score("a")), !packed);  // a listpack keeps it as an integer
    EXPECT_EQ(value().rank("a")->rank, 0u);
    EXPECT_EQ(value().ranks(ScoreRange{0, 0}).count, 2u);
    value().check_integrity();
    value().remove(RankRange{0, 2});
  }
}

TEST_F(ZsetValueTest, Rules) {
  for (const bool packed : {true, false}) {
    limits_.members_max = packed ? 128 : 0;
    const auto outcome = [&](double score, const ZsetRule& rule) {
      return value().put("m", score, rule, limits_).outcome;
    };
    EXPECT_EQ(outcome(1, {.only_existing = true}), ZsetOutcome::kRefused);
    EXPECT_FALSE(value().exists());
    EXPECT_EQ(outcome(5, {.only_greater = true}), ZsetOutcome::kAdded);
    EXPECT_EQ(outcome(6, {.only_new = true}), ZsetOutcome::kRefused);
    EXPECT_EQ(outcome(5, {.only_greater = true}), ZsetOutcome::kRefused);
    EXPECT_EQ(outcome(4, {.only_greater = true}), ZsetOutcome::kRefused);
    EXPECT_EQ(outcome(6, {.only_greater = true}), ZsetOutcome::kUpdated);
    EXPECT_EQ(outcome(7, {.only_less = true}), ZsetOutcome::kRefused);
    EXPECT_EQ(outcome(-1, {.only_less = true, .increment = true}), ZsetOutcome::kUpdated);
    EXPECT_EQ(value().score("m"), 5);
    EXPECT_EQ(outcome(kInfinity, {.increment = true}), ZsetOutcome::kUpdated);
    EXPECT_EQ(outcome(-kInfinity, {.increment = true}), ZsetOutcome::kNan);
    EXPECT_EQ(value().score("m"), kInfinity);
    value().remove("m");
  }
}

// How scores are drawn decides how well the hints of a leaf separate them.
enum class Scores { kSpread, kFew, kSame, kAscending, kDescending, kIntegers, kWild };

double draw_score(Scores scores, Random& random, int step) {
  switch (scores) {
    case Scores::kSpread:
      return random.real() * 1000;
    case Scores::kFew:
      return static_cast<double>(random.uniform(5));
    case Scores::kSame:
      return 7;
    case Scores::kAscending:
      return 1.7e9 + step;
    case Scores::kDescending:
      return 1.7e9 - step;
    case Scores::kIntegers:
      return static_cast<double>(random.uniform(1000));
    case Scores::kWild: {
      const double value = std::ldexp(random.real() - 0.5, static_cast<int>(random.uniform(2000)) - 1000);
      return random.one_in(50) ? kInfinity : value;
    }
  }
  return 0;
}

TEST_F(ZsetValueTest, RandomOperationsAgreeWithAModel) {
  Random random(test_seed());
  const Scores all[] = {Scores::kSpread,     Scores::kFew,      Scores::kSame, Scores::kAscending,
                        Scores::kDescending, Scores::kIntegers, Scores::kWild};
  for (const Scores scores : all) {
    for (const size_t size : {20u, 300u, 3000u}) {
      const int steps = static_cast<int>(size) * 4;
      for (int step = 0; step < steps; step++) {
        // Grows, stays, shrinks.
        const uint64_t removal_chance = step < steps / 3 ? 10 : step < steps * 2 / 3 ? 50 : 90;
        const std::string member = "member:" + std::to_string(random.uniform(size));
        if (random.uniform(100) >= removal_chance) {
          put(member, draw_score(scores, random, step));
        } else if (random.one_in(200) && !ordered_.empty()) {
          const size_t first = random.uniform(ordered_.size());
          remove_ranks(first, 1 + random.uniform(std::min<size_t>(ordered_.size() - first, 200)));
        } else {
          remove(member);
        }
        if (size <= 300 || random.one_in(100)) value().check_integrity();
        if (random.one_in(size / 10)) compare_samples(random, 1000);
        if (random.one_in(size)) compare_all();
        if (HasFatalFailure()) return;
      }
      compare_all();
      if (HasFatalFailure()) return;
      if (!ordered_.empty()) remove_ranks(0, ordered_.size());
      EXPECT_FALSE(value().exists());
    }
  }
}

TEST_F(ZsetValueTest, LexRanges) {
  Random random(test_seed());
  for (const size_t size : {50u, 5000u}) {
    for (size_t i = 0; i < size; i++) put("m" + std::to_string(random.uniform(size)), 0);
    for (int i = 0; i < 300; i++) {
      LexRange range{{LexBound::Kind::kBytes, random.one_in(2), {}}, {LexBound::Kind::kBytes, random.one_in(2), {}}};
      const std::string min = "m" + std::to_string(random.uniform(size));
      const std::string max = "m" + std::to_string(random.uniform(size));
      range.min.bytes = min;
      range.max.bytes = max;
      const auto inside = std::count_if(ordered_.begin(), ordered_.end(), [&](const Ordered& member) {
        return (range.min.exclusive ? member.second > min : member.second >= min) &&
               (range.max.exclusive ? member.second < max : member.second <= max);
      });
      ASSERT_EQ(value().ranks(range).count, static_cast<size_t>(inside));
      ASSERT_EQ(value().ranks(range, true).count, static_cast<size_t>(inside));
    }
    LexRange everything{{LexBound::Kind::kLeast, false, {}}, {LexBound::Kind::kGreatest, false, {}}};
    EXPECT_EQ(value().ranks(everything).count, ordered_.size());
    remove_ranks(0, ordered_.size());
  }
}

TEST_F(ZsetValueTest, CopiesAndScans) {
  for (const size_t size : {30u, 3000u}) {
    for (size_t i = 0; i < size; i++) put("member:" + std::to_string(i), static_cast<double>(i % 50));
    ASSERT_TRUE(keyspace_.copy_entry(store_.hashed("z"), keyspace_, store_.hashed("copy"), kNowMs));
    compare_all("copy");
    std::set<std::string> seen;
    uint64_t cursor = 0;
    do {
      cursor = value("copy").scan(cursor, [&](Bytes member, double score) {
        EXPECT_EQ(scores_[std::string(member)], score);
        seen.insert(std::string(member));
      });
    } while (cursor != 0);
    EXPECT_EQ(seen.size(), size);
    remove_ranks(0, size);
    keyspace_.erase(store_.hashed("copy"), kNowMs);
  }
}

// Sizes around those of a leaf, of an inner node over full leaves, of what is sorted by bytes of the score, and of a run.
TEST_F(ZsetValueTest, AssignsWhatWasBuiltInAnyOrder) {
  Random random(test_seed());
  const auto few = [&](size_t) { return static_cast<double>(random.uniform(100)); };
  const auto any = [&](size_t) {
    constexpr double kEnds[] = {-kInfinity, kInfinity, 0.0, -0.0};
    if (random.one_in(50)) return kEnds[random.uniform(4)];
    return (random.real() - 0.5) * std::pow(10, static_cast<double>(random.uniform(40)) - 20);
  };
  const auto downwards = [](size_t i) { return -static_cast<double>(i); };
  const auto same = [](size_t) { return 1.0; };
  const std::function<double(size_t)> kinds[] = {few, any, downwards, same};
  for (const size_t size : {1u, 62u, 63u, 128u, 129u, 255u, 256u, 3906u, 3907u, 17000u, 50000u}) {
    for (const auto& score_of : kinds) {
      ZsetStructure* built = value().new_structure();
      for (size_t i = 0; i < size; i++) {
        const std::string member = std::to_string(i);
        const double score = score_of(i);
        built->add_unordered(built->hashed(member), 0);
        ZsetStructure::set_unordered_score(built->find(member), score);
        scores_[member] = score;
        ordered_.insert({score, member});
      }
      size_t pauses = 0;
      const std::function<void()> meanwhile = [&] { pauses++; };
      built->put_in_order(random.one_in(2) ? meanwhile : nullptr);
      value().assign(built, limits_);
      EXPECT_EQ(encoding(), size <= 128 ? "listpack" : "skiplist");
      compare_all();
      for (int i = 0; i < 300; i++) put(std::to_string(random.uniform(2 * size)), any(0));
      for (int i = 0; i < 300; i++) remove(std::to_string(random.uniform(2 * size)));
      compare_all();
      for (int i = 0; i < 20; i++) compare_samples(random, 100);
      remove_ranks(0, ordered_.size());
    }
  }
}

// Deeper than one level of inner nodes, and grown again at the end that was built.
TEST_F(ZsetValueTest, ALargeSetIsBuiltOfFullNodes) {
  constexpr size_t kMembers = 300'000;
  ZsetStructure* built = value().new_structure();
  built->expect(kMembers);
  for (size_t i = 0; i < kMembers; i++) {
    built->add_unordered(built->hashed(std::to_string(i)), static_cast<double>(i * 7919 % kMembers));
  }
  built->put_in_order();
  built->check_integrity();
  EXPECT_LT(built->tree().bytes_allocated(), kMembers * 9);
  for (size_t i = 0; i < 10'000; i++) {
    built->insert(built->hashed("new" + std::to_string(i)), static_cast<double>(kMembers - 100 + i));
  }
  built->check_integrity();
  auto* copy = static_cast<ZsetStructure*>(built->clone());
  copy->check_integrity();
  EXPECT_EQ(copy->size(), kMembers + 10'000);
  copy->remove_ranks(1000, kMembers);
  copy->check_integrity();
  destroy_structure(copy);
  destroy_structure(built);
}

TEST_F(ZsetValueTest, LoadsListpacks) {
  put("a", 1);
  put("10", 2.5);
  put("c", 3);
  const std::string saved(value().packed_sequence());
  remove_ranks(0, 3);
  EXPECT_FALSE(value("y").load_packed(saved, 5, limits_));
  EXPECT_FALSE(value("y").exists());
  ASSERT_TRUE(value("y").load_packed(saved, 6, limits_));
  EXPECT_EQ(value("y").score("10"), 2.5);
  EXPECT_EQ(value("y").packed_sequence(), saved);

  const auto sequence = [](std::initializer_list<Bytes> texts) {
    std::string bytes;
    for (const Bytes text : texts) {
      const PackedText packed(text);
      bytes.resize(bytes.size() + packed.total_bytes());
      packed.write(bytes.data() + bytes.size() - packed.total_bytes());
    }
    return bytes;
  };
  EXPECT_FALSE(value("x").load_packed(sequence({"a", "1", "a", "2"}), 4, limits_));
  EXPECT_FALSE(value("x").load_packed(sequence({"a", "nan"}), 2, limits_));
  EXPECT_FALSE(value("x").load_packed(sequence({"a", "b"}), 2, limits_));
  EXPECT_FALSE(value("x").load_packed("", 0, limits_));
  ASSERT_TRUE(value("x").load_packed(sequence({"a", "2", "b", "1"}), 4, limits_));
  EXPECT_EQ(value("x").rank("b")->rank, 0u);
  value("x").check_integrity();
}

TEST_F(ZsetValueTest, EverythingIsAccountedAndFreedInPieces) {
  const uint64_t before = store_.memory_bytes();
  for (int i = 0; i < 30'000; i++) {
    value().put("member:" + std::to_string(i), (i * 7919) % 30'011, kPlain, limits_);
  }
  const auto& set = value().large_set();
  EXPECT_NEAR(static_cast<double>(set.memory_bytes()), static_cast<double>(store_.memory_bytes() - before), 4096);
  ASSERT_TRUE(keyspace_.erase(store_.hashed("z"), kNowMs));
  size_t turns = 0;
  while (store_.free_some(1000)) turns++;
  EXPECT_GT(turns, 10u);
  EXPECT_LE(store_.memory_bytes(), before + 256);
}

TEST_F(ZsetValueTest, InputInOrderFillsTheNodes) {
  for (const int direction : {1, -1}) {
    for (int i = 0; i < 30'000; i++) {
      value().put("member:" + std::to_string(i), direction * i, kPlain, limits_);
    }
    value().check_integrity();
    EXPECT_LT(value().large_set().tree().bytes_allocated(), 30'000u * 9 + 30'000);
    keyspace_.erase(store_.hashed("z"), kNowMs);
  }
}

}  // namespace
}  // namespace larder
