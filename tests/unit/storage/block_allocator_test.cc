#include "storage/block_allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(BlockBytes, ClassesAreFourApartThenEightThenFourToADoubling) {
  EXPECT_EQ(block_bytes(1), 4u);
  EXPECT_EQ(block_bytes(32), 32u);
  EXPECT_EQ(block_bytes(33), 36u);
  EXPECT_EQ(block_bytes(136), 136u);
  EXPECT_EQ(block_bytes(137), 144u);
  EXPECT_EQ(block_bytes(512), 512u);
  EXPECT_EQ(block_bytes(513), 640u);
  EXPECT_EQ(block_bytes(640), 640u);
  EXPECT_EQ(block_bytes(641), 768u);
  EXPECT_EQ(block_bytes(1025), 1280u);
  EXPECT_EQ(block_bytes(4096), 4096u);
  for (size_t bytes = 1; bytes < 5000; bytes++) {
    ASSERT_GE(block_bytes(bytes), bytes);
    ASSERT_LE(block_bytes(bytes), block_bytes(bytes + 1));
    ASSERT_EQ(block_bytes(block_bytes(bytes)), block_bytes(bytes));
  }
}

// Blocks are filled with a byte of their own: two that overlap would spoil each other.
TEST(BlockAllocator, RandomUseAgainstModel) {
  Random random(test_seed());
  BlockAllocator blocks;
  struct Held {
    unsigned char* block;
    size_t bytes;
    unsigned char fill;
  };
  std::vector<Held> held;
  uint64_t used = 0;
  for (int step = 0; step < 80000; step++) {
    const bool grow = (step / 10000) % 2 == 0;
    if (held.empty() || random.uniform(100) < (grow ? 70u : 30u)) {
      const size_t bytes = random.one_in(20) ? 1 + random.uniform(6000) : 1 + random.uniform(200);
      auto* block = static_cast<unsigned char*>(blocks.allocate(bytes));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(block) % (block_bytes(bytes) % 8 == 0 ? 8 : 4), 0u);
      const auto fill = static_cast<unsigned char>(random.next());
      std::memset(block, fill, block_bytes(bytes));
      held.push_back({block, bytes, fill});
      used += block_bytes(bytes);
    } else {
      std::swap(held[random.uniform(held.size())], held.back());
      const Held last = held.back();
      held.pop_back();
      for (size_t i = 0; i < block_bytes(last.bytes); i++) ASSERT_EQ(last.block[i], last.fill);
      blocks.free(last.block, last.bytes);
      used -= block_bytes(last.bytes);
    }
    ASSERT_EQ(blocks.used_bytes(), used);
    ASSERT_EQ(blocks.block_count(), held.size());
    if (step % 5000 == 0) blocks.check_integrity();
  }
  for (const Held& each : held) blocks.free(each.block, each.bytes);
  blocks.check_integrity();
  EXPECT_EQ(blocks.used_bytes(), 0u);
}

// Every class has pages of its own: blocks of neighbouring classes never share one.
TEST(BlockAllocator, EveryClassAgainstItsNeighbours) {
  BlockAllocator blocks;
  std::vector<std::pair<char*, size_t>> held;
  for (size_t bytes = 1; bytes <= kBlockBytesMax + 1; bytes++) {
    for (int i = 0; i < 3; i++) {
      held.emplace_back(static_cast<char*>(blocks.allocate(bytes)), bytes);
      std::memset(held.back().first, static_cast<int>(bytes % 251), bytes);
    }
  }
  blocks.check_integrity();
  for (const auto& [block, bytes] : held) {
    for (size_t i = 0; i < bytes; i++) ASSERT_EQ(block[i], static_cast<char>(bytes % 251));
    blocks.free(block, bytes);
  }
  blocks.check_integrity();
  EXPECT_EQ(blocks.used_bytes(), 0u);
}

TEST(BlockAllocator, MemoryGoesBack) {
  BlockAllocator blocks;
  std::vector<void*> held;
  for (int i = 0; i < 300000; i++) held.push_back(blocks.allocate(64));
  EXPECT_GE(blocks.held_bytes(), 300000u * 64);
  EXPECT_LT(blocks.held_bytes(), 19600000u);
  EXPECT_FALSE(blocks.has_surplus());
  for (void* block : held) blocks.free(block, 64);
  blocks.check_integrity();
  EXPECT_TRUE(blocks.has_surplus());
  int pieces = 0;
  for (bool more = true; more; pieces++) {
    more = blocks.give_back_some();
    EXPECT_EQ(more, blocks.has_surplus());
    blocks.check_integrity();
  }
  EXPECT_GE(pieces, 9);
  EXPECT_LE(blocks.held_bytes(), BlockAllocator::kChunkBytes);
}

// Unmapping waits for whoever holds the address space: that is another thread's, and while it has too much before it pages go
// back in short pieces.
TEST(BlockAllocator, ChunksAreOnlyUnmappedByTheDisposal) {
  class Helper final : public Disposal {
   public:
    void dispose(void* memory, size_t, void (*release)(void*)) override { release(memory); }
    bool assist(void* what, size_t size_bytes, void (*work)(void*)) override {
      EXPECT_EQ(size_bytes, BlockAllocator::kChunkBytes);
      left_to_it++;
      work(what);
      return true;
    }
    bool has_room(size_t) const override { return !is_full; }
    int left_to_it = 0;
    bool is_full = true;
  } helper;
  BlockAllocator blocks(&helper);
  std::vector<void*> held;
  for (int i = 0; i < 300000; i++) held.push_back(blocks.allocate(64));
  const uint64_t chunks = blocks.chunk_count();
  for (void* block : held) blocks.free(block, 64);
  while (blocks.give_back_some()) blocks.check_integrity();
  EXPECT_EQ(helper.left_to_it, 0);
  EXPECT_EQ(blocks.chunk_count(), chunks);
  EXPECT_LE(blocks.held_bytes(), BlockAllocator::kChunkBytes);
  EXPECT_TRUE(blocks.has_surplus());

  helper.is_full = false;
  while (blocks.give_back_some()) blocks.check_integrity();
  EXPECT_EQ(helper.left_to_it, static_cast<int>(chunks) - 1);
  EXPECT_EQ(blocks.chunk_count(), 1u);
  EXPECT_FALSE(blocks.has_surplus());
}

// Chunks that keep a few blocks each: page by page, and what stays is still there.
TEST(BlockAllocator, PagesGoBackFromChunksInUse) {
  BlockAllocator blocks;
  std::vector<uint64_t*> held;
  for (uint64_t i = 0; i < 300000; i++) {
    held.push_back(static_cast<uint64_t*>(blocks.allocate(64)));
    *held.back() = i;
  }
  for (size_t i = 0; i < held.size(); i++) {
    if (i % 10000 != 0) blocks.free(held[i], 64);
  }
  const uint64_t held_before = blocks.held_bytes();
  while (blocks.give_back_some()) blocks.check_integrity();
  EXPECT_LT(blocks.held_bytes(), held_before / 4);
  // Pages without memory serve again.
  for (size_t i = 0; i < held.size(); i++) {
    if (i % 10000 != 0) *(held[i] = static_cast<uint64_t*>(blocks.allocate(64))) = i;
  }
  blocks.check_integrity();
  for (uint64_t i = 0; i < held.size(); i++) {
    ASSERT_EQ(*held[i], i);
    blocks.free(held[i], 64);
  }
  blocks.check_integrity();
}

// After a pass of moves a class takes no more pages than its blocks need.
TEST(BlockAllocator, PlannedMovesEmptyPages) {
  Random random(test_seed());
  for (const uint64_t kept_of_100 : {3u, 25u, 70u, 95u}) {
    BlockAllocator blocks;
    std::vector<void*> held;
    for (int i = 0; i < 60'000; i++) {
      void* block = blocks.allocate(64);
      if (random.uniform(100) < kept_of_100) {
        held.push_back(block);
      } else {
        blocks.free(block, 64);
        if (i % 2 == 0) held.push_back(blocks.allocate(64));
      }
    }
    for (size_t i = 0; i < held.size();) {
      if (random.uniform(100) < kept_of_100) {
        i++;
        continue;
      }
      blocks.free(held[i], 64);
      held[i] = held.back();
      held.pop_back();
    }
    const uint64_t winnable = blocks.winnable_bytes();
    for (uint32_t of = 0; of < BlockAllocator::class_count(); of++) blocks.plan_moves(of);
    blocks.check_integrity();
    size_t moved = 0;
    for (void*& block : held) {
      if (!blocks.is_sparse(block, 64)) continue;
      void* copy = blocks.allocate(64);
      blocks.free(block, 64);
      block = copy;
      moved++;
    }
    blocks.check_integrity();
    EXPECT_LE(blocks.winnable_bytes(), winnable / 10 + BlockAllocator::kPageBytes) << kept_of_100;
    EXPECT_LE(moved * 64, held.size() * 64) << kept_of_100;
    for (void* block : held) blocks.free(block, 64);
    EXPECT_EQ(blocks.winnable_bytes(), 0u);
  }
}

TEST(BlockAllocator, IdlePagesAreTrimmed) {
  BlockAllocator blocks;
  std::vector<void*> held;
  for (int i = 0; i < 300'000; i++) held.push_back(blocks.allocate(64));
  for (size_t i = 0; i < held.size() / 2; i++) blocks.free(held[i], 64);
  while (blocks.give_back_some()) {
  }
  const uint64_t before = blocks.slack_bytes();
  for (int i = 0; i < 20; i++) blocks.trim();
  blocks.check_integrity();
  EXPECT_LT(blocks.slack_bytes(), before - 16 * BlockAllocator::kPageBytes);
  for (size_t i = held.size() / 2; i < held.size(); i++) blocks.free(held[i], 64);
}

#if defined(__SANITIZE_ADDRESS__)
TEST(BlockAllocatorDeathTest, UseAfterFreeIsFound) {
  BlockAllocator blocks;
  void* other = blocks.allocate(64);
  auto* block = static_cast<volatile char*>(blocks.allocate(64));
  blocks.free(const_cast<char*>(block), 64);
  EXPECT_DEATH(block[8] = 1, "use-after-poison");
  blocks.free(other, 64);
}
#endif

}  // namespace
}  // namespace larder
