#include "storage/huge_page.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "storage/block_allocator.h"
#include "storage/os_memory.h"

namespace larder {
namespace {

constexpr size_t kBytes = HugePage::kBytes;

// Keeps what it is to assist with until it is told to do it.
class Helper final : public Disposal {
 public:
  void dispose(void* memory, size_t, void (*release)(void*)) override { release(memory); }
  bool assist(void* what, size_t, void (*work)(void*)) override {
    if (is_full) return false;
    todo.emplace_back([=] { work(what); });
    return true;
  }
  void work() {
    std::thread thread([this] {
      for (const auto& job : todo) job();
    });
    thread.join();
    todo.clear();
  }

  std::vector<std::function<void()>> todo;
  bool is_full = false;
};

TEST(HugePage, IsMadeByAnotherThreadAndTakenOnce) {
  Helper helper;
  HugePage page(&helper);
  EXPECT_EQ(page.take(), nullptr);
  EXPECT_EQ(page.take(), nullptr) << "still being made";
  ASSERT_EQ(helper.todo.size(), 1u);
  helper.work();
  void* memory = page.take();
  EXPECT_EQ(page.is_refused(), memory == nullptr);
  if (memory == nullptr) GTEST_SKIP() << "the system has no huge pages";
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % kBytes, 0u);
  std::memset(memory, 7, kBytes);
  EXPECT_EQ(page.take(), nullptr) << "the next is asked for";
  EXPECT_EQ(helper.todo.size(), 1u);
  helper.work();
  unmap(memory, kBytes);
}

TEST(HugePage, MayGoWhileItIsMade) {
  Helper helper;
  {
    HugePage page(&helper);
    EXPECT_EQ(page.take(), nullptr);
  }
  helper.work();  // drops it; a leak or a use after free the sanitizers would find
}

TEST(HugePage, IsNotMadeWithoutAnotherThread) {
  ImmediateDisposal disposal;
  HugePage without_thread(&disposal), without_disposal(nullptr);
  Helper helper;
  helper.is_full = true;
  HugePage of_a_full_queue(&helper);
  for (HugePage* page : {&without_thread, &without_disposal, &of_a_full_queue}) {
    EXPECT_EQ(page->take(), nullptr);
    EXPECT_FALSE(page->is_refused());
  }
  helper.is_full = false;
  EXPECT_EQ(of_a_full_queue.take(), nullptr);
  EXPECT_EQ(helper.todo.size(), 1u);
  helper.work();
}

TEST(ReplacePages, HaveTheSameBytesAtTheSameAddress) {
  auto* at = static_cast<char*>(map_aligned(kBytes));
  auto* from = static_cast<char*>(map_aligned(kBytes));
  for (size_t i = 0; i < kBytes; i++) at[i] = static_cast<char>(i * 31 >> 7);
  copy_pages(from, at, kBytes);
  at[5] = 99;  // what lies there now is not looked at
  replace_pages(at, from, kBytes);
  at[5] = static_cast<char>(5 * 31 >> 7);
  for (size_t i = 0; i < kBytes; i++) ASSERT_EQ(at[i], static_cast<char>(i * 31 >> 7)) << i;
  unmap(at, kBytes);
}

// Blocks are freed and new ones made while chunks move: every block keeps its address and its bytes.
TEST(BlockAllocator, ChunksMoveIntoHugePages) {
  constexpr size_t kBlock = 120;
  BlockAllocator blocks;
  std::vector<uint64_t*> held;
  const auto fill = [&](uint64_t* block) {
    for (size_t i = 0; i < kBlock / 8; i++) block[i] = reinterpret_cast<uintptr_t>(block) + i;
  };
  const auto check = [&] {
    for (const uint64_t* block : held) {
      for (size_t i = 0; i < kBlock / 8; i++) ASSERT_EQ(block[i], reinterpret_cast<uintptr_t>(block) + i);
    }
    blocks.check_integrity();
  };
  const auto add = [&](size_t count) {
    for (size_t i = 0; i < count; i++) {
      held.push_back(static_cast<uint64_t*>(blocks.allocate(kBlock)));
      fill(held.back());
    }
  };
  add(10 * kBytes / kBlock);
  EXPECT_FALSE(blocks.has_full_of_small_pages()) << "too small to be worth it";
  add(20 * kBytes / kBlock);
  size_t moved = 0;
  while (blocks.has_full_of_small_pages()) {
    blocks.move_into(map_aligned(kBytes));  // what size the pages really have does not matter here
    moved++;
  }
  EXPECT_GE(moved, 29u);
  EXPECT_EQ(blocks.huge_bytes(), moved * kBytes);
  check();
  // Seven of eight go, in an order that empties pages in all chunks; their memory is given back.
  const size_t kept = held.size() / 8;
  for (size_t i = kept; i < held.size(); i++) blocks.free(held[i], kBlock);
  held.resize(kept);
  while (blocks.give_back_some()) {
  }
  for (int i = 0; i < 1000; i++) blocks.trim();
  check();
  EXPECT_LE(blocks.huge_bytes(), 5 * kBytes);
  // What was split may move again.
  add(25 * kBytes / kBlock);
  while (blocks.has_full_of_small_pages()) blocks.move_into(map_aligned(kBytes));
  check();
  EXPECT_GE(blocks.huge_bytes(), 25 * kBytes);
  for (uint64_t* block : held) blocks.free(block, kBlock);
  blocks.check_integrity();
}

}  // namespace
}  // namespace larder
