#include "base/division.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(DividePositive, NeighboursOfMultiples) {
  Random random(test_seed());
  for (int i = 0; i < 200'000; i++) {
    // Numbers of every size; dividends at and beside multiples of the divisor, where rounding could reach the next integer.
    const int64_t b = static_cast<int64_t>(1 + (random.next() >> (1 + random.uniform(63))));
    const auto factor = static_cast<int64_t>(random.next() >> (1 + random.uniform(63)));
    int64_t product = 0;
    if (__builtin_mul_overflow(b, factor, &product)) product = INT64_MAX;
    product = std::min(product, INT64_MAX - 2);
    for (int64_t a = std::max<int64_t>(product, 1) - 1; a <= product + 1; a++) {
      ASSERT_EQ(divide_positive(a, b), a / b) << a << " / " << b;
    }
  }
}

TEST(DividePositive, Borders) {
  const int64_t exact_max = int64_t{1} << 53;
  const int64_t numbers[] = {1,        2, 3, 10, 1'000'000'000, exact_max - 1, exact_max, exact_max + 1, INT64_MAX - 1,
                             INT64_MAX};
  for (const int64_t a : numbers) {
    EXPECT_EQ(divide_positive(0, a), 0);
    for (const int64_t b : numbers) EXPECT_EQ(divide_positive(a, b), a / b) << a << " / " << b;
  }
}

}  // namespace
}  // namespace larder
