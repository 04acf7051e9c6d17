#include "base/buffer.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(Buffer, GrowsAndKeepsContent) {
  Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.bytes(), "");
  std::string model;
  for (int i = 0; i < 1000; i++) {
    const std::string piece(static_cast<size_t>(i % 37), static_cast<char>('a' + i % 26));
    buffer.append(piece);
    model += piece;
  }
  EXPECT_EQ(buffer.bytes(), model);
}

TEST(Buffer, ReserveThenCommitPart) {
  Buffer buffer;
  char* out = buffer.reserve(10);
  std::memcpy(out, "abcdef", 6);
  buffer.commit(3);
  EXPECT_EQ(buffer.bytes(), "abc");
  buffer.commit_to(buffer.reserve(3) + 3);
  EXPECT_EQ(buffer.bytes(), "abcdef");
}

TEST(Buffer, ClearKeepsMemoryAndReleaseDoesNot) {
  Buffer buffer;
  buffer.append(std::string(5000, 'x'));
  const size_t capacity = buffer.capacity();
  buffer.clear();
  EXPECT_EQ(buffer.capacity(), capacity);
  EXPECT_TRUE(buffer.empty());
  buffer.append("tail");
  buffer.shrink(64);
  EXPECT_EQ(buffer.capacity(), 64u);
  EXPECT_EQ(buffer.bytes(), "tail");
  buffer.shrink(2);  // content does not fit: nothing happens
  EXPECT_EQ(buffer.bytes(), "tail");
  buffer.clear();
  buffer.shrink(0);
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append("again");
  buffer.release();
  EXPECT_EQ(buffer.capacity(), 0u);
}

TEST(Buffer, MovesOwnership) {
  Buffer first;
  first.append("one");
  Buffer second(std::move(first));
  EXPECT_EQ(second.bytes(), "one");
  Buffer third;
  third.append("gone");
  third = std::move(second);
  EXPECT_EQ(third.bytes(), "one");
}

TEST(Buffer, ResizeGapMovesTheTail) {
  Buffer buffer;
  buffer.append("head[]tail");
  std::memcpy(buffer.resize_gap(4, 2, 5), "12345", 5);
  EXPECT_EQ(buffer.bytes(), "head12345tail");
  std::memcpy(buffer.resize_gap(4, 5, 1), "-", 1);
  EXPECT_EQ(buffer.bytes(), "head-tail");
  buffer.resize_gap(0, 5, 0);
  EXPECT_EQ(buffer.bytes(), "tail");
}

TEST(Buffer, RandomOperationsAgreeWithString) {
  Random random(test_seed());
  Buffer buffer;
  std::string model;
  for (int i = 0; i < 100000; i++) {
    switch (random.uniform(7)) {
      case 0:
      case 1: {
        const std::string piece(random.uniform(200), static_cast<char>(random.next()));
        buffer.append(piece);
        model += piece;
        break;
      }
      case 2: {
        const size_t n = random.uniform(model.size() + 1);
        buffer.consume_front(n);
        model.erase(0, n);
        break;
      }
      case 3: {
        const size_t n = random.uniform(100) < 90 ? model.size() - random.uniform(model.size() / 8 + 1) : 0;
        buffer.truncate(n);
        model.resize(n);
        break;
      }
      case 4: {
        const size_t offset = random.uniform(model.size() + 1);
        const size_t old_size = random.uniform(std::min<size_t>(model.size() - offset, 30) + 1);
        const std::string text(random.uniform(30), 'g');
        std::memcpy(buffer.resize_gap(offset, old_size, text.size()), text.data(), text.size());
        model.replace(offset, old_size, text);
        break;
      }
      case 5:
        buffer.reserve_exactly(random.uniform(4096));
        break;
      default:
        buffer.shrink(random.uniform(4096));
        break;
    }
    ASSERT_EQ(buffer.bytes(), model);
    ASSERT_LE(buffer.size() + buffer.free_bytes(), buffer.capacity());
  }
}

TEST(Buffer, AppendAndConsumeStayWithinTwiceTheContent) {
  Buffer buffer;
  for (int i = 0; i < 100000; i++) {
    buffer.append("0123456789");
    if (i >= 100) buffer.consume_front(10);
  }
  EXPECT_EQ(buffer.size(), 1000u);
  EXPECT_LE(buffer.capacity(), 4096u);
}

TEST(Buffer, GivesItsMemoryAway) {
  Buffer buffer;
  EXPECT_EQ(buffer.give_away(), nullptr);
  buffer.append("0123456789");
  buffer.consume_front(3);
  buffer.reserve_exactly(1000);
  EXPECT_EQ(buffer.capacity() - buffer.size(), 1000u);
  const char* text = buffer.data();
  char* memory = buffer.give_away();
  EXPECT_LE(memory, text);
  EXPECT_EQ(Bytes(text, 7), "3456789");
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity(), 0u);
  std::free(memory);
  buffer.append("again");
  EXPECT_EQ(buffer.bytes(), "again");
}

TEST(BufferDeathTest, CommitBeyondReserveStops) {
  Buffer buffer(64);
  EXPECT_DEATH(buffer.commit(buffer.free_bytes() + 1), "assertion failed");
  EXPECT_DEATH(buffer.consume_front(1), "assertion failed");
  EXPECT_DEATH(buffer.truncate(1), "assertion failed");
}

}  // namespace
}  // namespace larder
