#include "server/core/output_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <memory>
#include <string>

#include "base/random.h"

namespace larder {
namespace {

// A pinned value that counts how often it is released.
struct Owner {
  std::string text;
  int released = 0;

  PinnedBytes pin() {
    return {text.data(), text.size(), this, [](void* owner) { ++static_cast<Owner*>(owner)->released; }};
  }
};

std::string all_of(const OutputQueue& queue) {
  std::string text;
  std::array<Bytes, 1024> pieces;
  const size_t count = queue.gather(pieces);
  for (size_t i = 0; i < count; ++i) text += pieces[i];
  return text;
}

TEST(OutputQueue, StartsEmpty) {
  OutputQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
  queue.append(Bytes());
  EXPECT_TRUE(queue.empty());
}

TEST(OutputQueue, SmallPiecesShareAChunk) {
  OutputQueue queue;
  for (int i = 0; i < 1000; ++i) queue.append("0123456789");
  EXPECT_EQ(queue.bytes(), 10000u);
  EXPECT_EQ(queue.piece_count(), 1u);
  for (int i = 0; i < 1000; ++i) queue.append("0123456789");
  EXPECT_EQ(queue.piece_count(), 2u);
  EXPECT_EQ(all_of(queue).size(), 20000u);
}

TEST(OutputQueue, KeepsOrderAroundPins) {
  OutputQueue queue;
  Owner owner{"<large>"};
  queue.append("a");
  queue.append(owner.pin());
  queue.append("b");
  queue.append("c");
  EXPECT_EQ(all_of(queue), "a<large>bc");
  EXPECT_EQ(queue.bytes(), 10u);
  EXPECT_EQ(queue.piece_count(), 3u);
  EXPECT_EQ(owner.released, 0);
}

// Pinned values are the store's: who sums both counts them once.
TEST(OutputQueue, PinnedBytesAreStoredBytes) {
  OutputQueue queue;
  Owner owner{"0123456789"};
  queue.append("ab");
  queue.append(owner.pin());
  queue.append(owner.pin());
  EXPECT_EQ(queue.owed_bytes(), 22u);
  EXPECT_EQ(queue.stored_bytes(), 20u);
  queue.consume(6);
  EXPECT_EQ(queue.stored_bytes(), 16u);
  queue.consume(9);
  EXPECT_EQ(queue.owed_bytes(), 7u);
  EXPECT_EQ(queue.stored_bytes(), 7u);
  queue.clear();
  EXPECT_EQ(queue.stored_bytes(), 0u);
}

TEST(OutputQueue, ReleasesAPinOnceWhenItsLastByteIsSent) {
  OutputQueue queue;
  Owner owner{"0123456789"};
  queue.append(owner.pin());
  queue.consume(9);
  EXPECT_EQ(owner.released, 0);
  EXPECT_EQ(all_of(queue), "9");
  queue.consume(1);
  EXPECT_EQ(owner.released, 1);
  EXPECT_TRUE(queue.empty());
}

TEST(OutputQueue, ReleasesPinsWhenItIsDestroyed) {
  Owner owner{"text"};
  {
    OutputQueue queue;
    queue.append("before");
    queue.append(owner.pin());
    queue.append(owner.pin());
    queue.consume(3);
  }
  EXPECT_EQ(owner.released, 2);
}

TEST(OutputQueue, ClearGivesEverythingBack) {
  Owner owner{"text"};
  OutputQueue queue;
  queue.append(owner.pin());
  queue.consume(2);
  queue.clear();
  EXPECT_EQ(owner.released, 1);
  EXPECT_EQ(queue.bytes(), 0u);
  queue.append("new");
  EXPECT_EQ(all_of(queue), "new");
}

TEST(OutputQueue, GatherStopsAtTheRoomItIsGiven) {
  OutputQueue queue;
  Owner owner{"x"};
  for (int i = 0; i < 10; ++i) queue.append(owner.pin());
  std::array<Bytes, 4> pieces;
  EXPECT_EQ(queue.gather(pieces), 4u);
  queue.consume(10);
  EXPECT_EQ(owner.released, 10);
}

TEST(OutputQueue, AgreesWithAPlainStringUnderRandomUse) {
  constexpr uint64_t kSeed = 20240817;
  Random random(kSeed);
  std::deque<Owner> owners;
  {
    OutputQueue queue;
    std::string model;
    for (int step = 0; step < 20000; ++step) {
      const uint64_t choice = random.uniform(4);
      const std::string text(random.uniform(choice == 0 ? 40000 : 300), static_cast<char>('a' + random.uniform(26)));
      if (choice < 2) {
        queue.append(Bytes(text));
        model += text;
      } else if (choice == 2 && !text.empty()) {
        owners.push_back({text});
        queue.append(owners.back().pin());
        model += text;
      } else {
        const size_t count = random.uniform(std::min<size_t>(model.size(), 60000) + 1);
        queue.consume(count);
        model.erase(0, count);
      }
      ASSERT_EQ(queue.bytes(), model.size()) << "seed " << kSeed << " step " << step;
      ASSERT_EQ(queue.empty(), model.empty());
    }
    std::array<Bytes, 4096> pieces;
    std::string rest;
    while (!queue.empty()) {
      const size_t count = queue.gather(pieces);
      size_t bytes = 0;
      for (size_t i = 0; i < count; ++i) {
        rest += pieces[i];
        bytes += pieces[i].size();
      }
      queue.consume(bytes);
    }
    EXPECT_EQ(rest, model);
  }
  for (const Owner& owner : owners) ASSERT_EQ(owner.released, 1);
}

// Writes "abc" three times, with nothing to say in between.
class HesitantSource final : public ReplySource {
 public:
  bool write_some(ReplyWriter& out) override {
    calls_++;
    if (calls_ % 3 == 1) out.raw("abc");
    return calls_ < 9;
  }
  size_t held_bytes() const override { return 7; }
  size_t stored_bytes() const override { return 0; }

 private:
  int calls_ = 0;
};

TEST(OutputQueue, ASourceThatFindsNothingForAWhileIsNotOver) {
  OutputQueue queue;
  queue.append("<");
  queue.append(std::make_unique<HesitantSource>());
  queue.append(">");
  std::string got;
  std::array<Bytes, 4> pieces;
  for (int turns = 0; !queue.empty() && turns < 30; ++turns) {
    ASSERT_GT(queue.sendable_bytes(), 0u);
    const size_t count = queue.gather(pieces);
    size_t bytes = 0;
    for (size_t i = 0; i < count; ++i) {
      got += pieces[i];
      bytes += pieces[i].size();
    }
    queue.consume(bytes);
  }
  EXPECT_EQ(got, "<abcabcabc>");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(queue.owed_bytes(), 0u);
}

}  // namespace
}  // namespace larder
