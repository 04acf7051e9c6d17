#include "persistence/aof_buffers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/file_system.h"

namespace larder {
namespace {

TEST(AofBuffers, ContentBeginsABlockAndDoesNotGrow) {
  AofBuffers buffers;
  for (int round = 0; round < 3; ++round) {
    Buffer buffer = buffers.take(70);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kBlockBytes, 0u);
    EXPECT_EQ(buffer.size(), 70u);
    EXPECT_GE(buffer.free_bytes() + buffer.size(), AofBuffers::kRoomBytes);
    const char* const place = buffer.data();
    buffer.append(std::string(AofBuffers::kRoomBytes - 70, 'x'));
    EXPECT_EQ(buffer.data(), place);
    EXPECT_TRUE(AofBuffers::is_one(buffer));
    buffers.give_back(std::move(buffer));
    EXPECT_EQ(buffers.spare_count(), 1u) << "the same is used again";
  }
  buffers.release();
  EXPECT_EQ(buffers.spare_count(), 0u);
}

TEST(AofBuffers, KeepsABoundedNumberAndNoneOfAnotherSize) {
  AofBuffers buffers;
  std::vector<Buffer> taken;
  for (size_t i = 0; i < AofBuffers::kSpareMax + 5; ++i) taken.push_back(buffers.take(1));
  for (Buffer& buffer : taken) buffers.give_back(std::move(buffer));
  EXPECT_EQ(buffers.spare_count(), AofBuffers::kSpareMax);
  buffers.release();
  Buffer grown = buffers.take(1);
  grown.reserve(2 * AofBuffers::kRoomBytes);
  buffers.give_back(std::move(grown));
  buffers.give_back(Buffer(100));
  buffers.give_back(Buffer());
  EXPECT_EQ(buffers.spare_count(), 0u);
}

}  // namespace
}  // namespace larder
