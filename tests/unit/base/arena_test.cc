#include "base/arena.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(Arena, BlocksKeepTheirContentAndAlignment) {
  Random random(test_seed());
  Arena arena;
  for (int round = 0; round < 20; round++) {
    std::vector<std::pair<Bytes, std::string>> blocks;
    for (int i = 0; i < 500; i++) {
      std::string text(random.uniform(random.one_in(50) ? 40000 : 200), static_cast<char>('a' + i % 26));
      blocks.emplace_back(arena.copy(text), text);
      const size_t alignment = size_t{1} << random.uniform(5);
      char* aligned = arena.allocate(random.uniform(64), alignment);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(aligned) % alignment, 0u);
    }
    for (const auto& [copy, text] : blocks) ASSERT_EQ(copy, text);
    arena.reset();
    EXPECT_LE(arena.capacity(), Arena::kKeptBytesMax);
  }
}

TEST(Arena, ResetKeepsOneChunkWithinTheBound) {
  Arena arena;
  arena.allocate(10);
  EXPECT_EQ(arena.capacity(), Arena::kChunkBytesMin);
  arena.allocate(100000);
  arena.reset(Arena::kChunkBytesMin);
  EXPECT_EQ(arena.capacity(), Arena::kChunkBytesMin);
  arena.allocate(200000);
  arena.reset(1000);
  EXPECT_EQ(arena.capacity(), 0u);
  EXPECT_NE(arena.allocate(1), nullptr);
}

TEST(Arena, TrimGivesTheTailBack) {
  Arena arena;
  char* first = arena.allocate(100);
  arena.trim_to(first + 10);
  EXPECT_EQ(arena.allocate(5), first + 10);
}

TEST(Arena, MakesObjects) {
  struct Point {
    int64_t x;
    int64_t y;
  };
  Arena arena;
  arena.allocate(1);
  const Point* point = arena.make<Point>(int64_t{1}, int64_t{2});
  EXPECT_EQ(point->y, 2);
  int64_t* numbers = arena.make_array<int64_t>(100);
  for (int i = 0; i < 100; i++) numbers[i] = i;
  EXPECT_EQ(point->x, 1);
}

}  // namespace
}  // namespace larder
