#include "storage/segment_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

// Blocks of all sizes come and go at random and move when the pool says so; each is filled with a byte of its own.
TEST(SegmentPool, RandomUseAgainstModel) {
  Random random(test_seed());
  SegmentPool pool;
  struct Held {
    SegmentPool::Slab* slab;
    uint32_t lines;
    unsigned char fill;
  };
  std::map<void*, Held> held;
  std::vector<void*> order;
  for (int step = 0; step < 30'000; step++) {
    const bool grow = (step / 5'000) % 2 == 0;
    if (held.empty() || random.uniform(100) < (grow ? 60u : 40u)) {
      const auto lines = static_cast<uint32_t>((4 + random.uniform(4)) << (2 + random.uniform(3)));
      const SegmentPool::Block block = pool.allocate(lines);
      const auto fill = static_cast<unsigned char>(random.next());
      std::memset(block.memory, fill, size_t{lines} * 64);
      ASSERT_TRUE(held.emplace(block.memory, Held{block.slab, lines, fill}).second);
    } else {
      auto at = held.lower_bound(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(held.begin()->first) +
                                                         random.uniform(uint64_t{1} << 22)));
      if (at == held.end()) at = held.begin();
      const auto [memory, gone] = *at;
      const auto* bytes = static_cast<const unsigned char*>(memory);
      for (size_t i = 0; i < size_t{gone.lines} * 64; i += 509) ASSERT_EQ(bytes[i], gone.fill);
      held.erase(at);
      pool.free(gone.slab, memory);
      pool.tidy(gone.lines, [&](void* from, SegmentPool::Block to) {
        const Held moved = held.at(from);
        std::memcpy(to.memory, from, size_t{moved.lines} * 64);
        held.erase(from);
        ASSERT_TRUE(held.emplace(to.memory, Held{to.slab, moved.lines, moved.fill}).second);
      });
    }
    ASSERT_EQ(pool.blocks_in_use(), held.size());
    if (step % 1'000 == 0) pool.check_integrity();
  }
  // However they went: what is free is a bounded part.
  size_t used_bytes = 0;
  for (const auto& [memory, each] : held) used_bytes += size_t{each.lines} * 64;
  EXPECT_LE(pool.free_bytes(), used_bytes / 32 + 13 * (SegmentPool::kSlabBytes + 8192));
  for (const auto& [memory, each] : held) pool.free(each.slab, memory);
  EXPECT_EQ(pool.free_bytes(), 0u);
}

}  // namespace
}  // namespace larder
