// Bits in strings against a model that looks at one bit after the other.

#include "storage/bit_array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

bool bit_at(Bytes bytes, uint64_t offset) {
  return offset / 8 < bytes.size() && (static_cast<unsigned char>(bytes[offset / 8]) & (0x80U >> (offset % 8))) != 0;
}

// Random bytes; often long rows of equal ones, so that searches go far.
std::string random_bytes(Random& random, size_t size_max) {
  std::string bytes(random.uniform(size_max + 1), '\0');
  switch (random.uniform(4)) {
    case 0:
      for (char& byte : bytes) byte = static_cast<char>(random.uniform(256));
      break;
    case 1:
      bytes.assign(bytes.size(), '\xff');
      break;
    default:
      break;
  }
  for (size_t i = random.uniform(4); i > 0 && !bytes.empty(); i--) {
    bytes[random.uniform(bytes.size())] ^= static_cast<char>(1 << random.uniform(8));
  }
  return bytes;
}

TEST(BitArray, CountsAndFindsLikeTheModel) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 3000; round++) {
    const std::string bytes = random_bytes(random, round % 10 == 0 ? 400 : 40);
    const uint64_t bits = 8 * bytes.size();
    const uint64_t first = random.uniform(bits + 1);
    const uint64_t end = first + random.uniform(bits - first + 1);
    uint64_t all = 0;
    uint64_t inside = 0;
    for (uint64_t i = 0; i < bits; i++) {
      all += bit_at(bytes, i);
      inside += bit_at(bytes, i) && i >= first && i < end;
    }
    EXPECT_EQ(count_bits(bytes), all);
    EXPECT_EQ(count_bits(bytes, first, end), inside);
    for (const bool wanted : {false, true}) {
      uint64_t found = first;
      while (found < end && bit_at(bytes, found) != wanted) found++;
      EXPECT_EQ(find_bit(bytes, wanted, first, end), found);
    }
  }
}

TEST(BitArray, ReadsAndWritesBits) {
  std::string bytes(2, '\0');
  write_bit(bytes.data(), 0, true);
  write_bit(bytes.data(), 15, true);
  EXPECT_EQ(bytes, Bytes("\x80\x01"));
  EXPECT_TRUE(read_bit(bytes, 15));
  EXPECT_FALSE(read_bit(bytes, 14));
  EXPECT_FALSE(read_bit(bytes, 16));
  EXPECT_FALSE(read_bit(bytes, UINT64_MAX));
  write_bit(bytes.data(), 0, false);
  EXPECT_FALSE(read_bit(bytes, 0));
}

TEST(BitArray, ReadsAndWritesFieldsOfEveryWidthAtEveryOffset) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  for (unsigned width = 1; width <= 64; width++) {
    for (uint64_t offset = 0; offset < 24; offset++) {
      std::string bytes(12, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random.uniform(256));
      const std::string before = bytes;
      uint64_t expected = 0;
      for (unsigned i = 0; i < width; i++) expected = expected << 1 | uint64_t{bit_at(bytes, offset + i)};
      EXPECT_EQ(read_bit_field(bytes, offset, width), expected);
      const uint64_t value = random.next();
      write_bit_field(bytes.data(), offset, width, value);
      for (uint64_t i = 0; i < 96; i++) {
        const bool inside = i >= offset && i < offset + width;
        EXPECT_EQ(bit_at(bytes, i), inside ? ((value >> (width - 1 - (i - offset))) & 1) != 0 : bit_at(before, i));
      }
      // Behind the end there are zeros.
      const Bytes cut = Bytes(bytes).substr(0, random.uniform(12));
      expected = 0;
      for (unsigned i = 0; i < width; i++) expected = expected << 1 | uint64_t{bit_at(cut, offset + i)};
      EXPECT_EQ(read_bit_field(cut, offset, width), expected);
    }
  }
}

// The bit of the result from the number of other sources that have it, and whether the first one does.
bool model_bit(BitOperation operation, bool first, size_t others, size_t others_all) {
  switch (operation) {
    case BitOperation::kAnd:
      return first && others == others_all;
    case BitOperation::kOr:
      return first || others > 0;
    case BitOperation::kXor:
      return (others + first) % 2 == 1;
    case BitOperation::kNot:
      return !first;
    case BitOperation::kDiff:
      return first && others == 0;
    case BitOperation::kDiffOne:
      return !first && others > 0;
    case BitOperation::kAndOr:
      return first && others > 0;
    case BitOperation::kOne:
      return others + first == 1;
  }
  return false;
}

TEST(BitArray, CombinesLikeTheModel) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  constexpr std::array kAll = {BitOperation::kAnd,  BitOperation::kOr,      BitOperation::kXor,   BitOperation::kNot,
                               BitOperation::kDiff, BitOperation::kDiffOne, BitOperation::kAndOr, BitOperation::kOne};
  for (int round = 0; round < 400; round++) {
    const BitOperation operation = kAll[random.uniform(kAll.size())];
    std::vector<std::string> texts(operation == BitOperation::kNot ? 1 : 1 + random.uniform(5));
    size_t size = 0;
    for (std::string& text : texts) {
      text = random_bytes(random, round % 4 == 0 ? 3000 : 60);
      size = std::max(size, text.size());
    }
    const std::vector<Bytes> sources(texts.begin(), texts.end());
    std::string result(size + 1, '#');
    combine_bits(operation, sources, result.data(), size);
    EXPECT_EQ(result[size], '#');
    for (uint64_t i = 0; i < 8 * size; i++) {
      size_t others = 0;
      for (size_t s = 1; s < sources.size(); s++) others += bit_at(sources[s], i);
      ASSERT_EQ(bit_at(result, i), model_bit(operation, bit_at(sources[0], i), others, sources.size() - 1))
          << "operation " << static_cast<int>(operation) << ", bit " << i << ", round " << round;
    }
  }
}

}  // namespace
}  // namespace larder
