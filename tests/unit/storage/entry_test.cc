#include "storage/entry.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/block_allocator.h"

namespace larder {
namespace {

EntryShape string_shape(size_t key_bytes, size_t value_bytes, bool has_deadline) {
  return {ValueType::kString, Encoding::kEmbedded, has_deadline, key_bytes, value_bytes};
}

TEST(Entry, SizesOfTheBudget) {
  EXPECT_EQ(block_bytes(string_shape(16, 8, false).content_bytes()), 32u);
  EXPECT_EQ(block_bytes(string_shape(16, 32, false).content_bytes()), 56u);
  EXPECT_EQ(block_bytes(string_shape(16, 32, true).content_bytes()), 64u);
  EXPECT_EQ(block_bytes(string_shape(16, 100, false).content_bytes()), 124u);
}

TEST(Entry, EveryShapeKeepsItsParts) {
  for (const size_t key_bytes : {0u, 1u, 16u, 255u, 256u, 70000u}) {
    for (const size_t value_bytes : {0u, 1u, 8u, 255u, 256u, 1024u, 65535u}) {
      for (const bool has_deadline : {false, true}) {
        const EntryShape shape = string_shape(key_bytes, value_bytes, has_deadline);
        std::vector<char> block(shape.content_bytes());
        const std::string key(key_bytes, 'k');
        const std::string value(value_bytes, 'v');
        Entry* entry = Entry::format(block.data(), shape, key);
        value.copy(entry->mutable_value(), value_bytes);
        if (has_deadline) entry->set_deadline_ms(-5);
        entry->set_access_state(0xabcdef);
        entry->set_space_id(9);
        EXPECT_EQ(entry->key(), key);
        EXPECT_TRUE(entry->key_equals(key));
        EXPECT_EQ(entry->value(), value);
        EXPECT_EQ(entry->deadline_ms(), has_deadline ? -5 : kNoDeadline);
        EXPECT_EQ(entry->is_expired(0), has_deadline);
        EXPECT_EQ(entry->access_state(), 0xabcdefu);
        EXPECT_EQ(entry->space_id(), 9);
        EXPECT_EQ(entry->content_bytes(), block.size());
        EXPECT_EQ(entry->type(), ValueType::kString);
        EXPECT_EQ(entry->encoding(), Encoding::kEmbedded);
      }
    }
  }
}

TEST(Entry, IntegersOfEveryWidth) {
  for (const int64_t number : {int64_t{0}, int64_t{-1}, int64_t{127}, int64_t{-128}, int64_t{128}, int64_t{32767},
                               int64_t{-32769}, int64_t{1} << 31, INT64_MAX, INT64_MIN}) {
    EntryShape shape = string_shape(3, integer_width(number), false);
    shape.encoding = Encoding::kInteger;
    std::vector<char> block(shape.content_bytes());
    Entry* entry = Entry::format(block.data(), shape, "key");
    entry->set_integer(number);
    EXPECT_EQ(entry->integer(), number);
    EXPECT_EQ(entry->key(), "key");
  }
  EXPECT_EQ(integer_width(-128), 1u);
  EXPECT_EQ(integer_width(128), 2u);
  EXPECT_EQ(integer_width(-32769), 4u);
  EXPECT_EQ(integer_width(int64_t{1} << 31), 8u);
}

}  // namespace
}  // namespace larder
