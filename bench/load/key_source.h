#pragma once

// Which keys are asked for: the numbers that take the place of __rand_int__.

#include <cstdint>
#include <string>

#include "base/random.h"
#include "base/result.h"

namespace larder::load {

enum class KeyDistribution : uint8_t { kUniform, kZipf, kSequential, kHotSet };

struct KeyShape {
  KeyDistribution distribution = KeyDistribution::kUniform;
  double skew = 0.99;         // kZipf: the exponent; number n is asked for in proportion to 1 / (n + 1)^skew
  double hot_fraction = 0.1;  // kHotSet: the first so many of all keys ...
  double hot_share = 0.9;     // ... get this share of the requests
};

// uniform | zipf[:SKEW] | sequential | hot[:FRACTION:SHARE]
Result<KeyShape> parse_key_shape(const std::string& text);

class KeySource {
 public:
  // Numbers below `space`; with 0 always 0. `first`: where a sequence begins.
  KeySource(const KeyShape& shape, uint64_t space, uint64_t first = 0);

  uint64_t next(Random& random);

 private:
  uint64_t next_zipf(Random& random) const;
  // The integral of 1 / x^skew, and its inverse.
  double integral(double x) const;
  double inverse_integral(double y) const;

  KeyShape shape_;
  uint64_t space_;
  uint64_t sequence_;
  uint64_t hot_count_ = 0;
  double integral_first_ = 0;
  double integral_last_ = 0;
  double accept_below_ = 0;
};

}  // namespace larder::load
