#include "bench/load/key_source.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/number_text.h"

namespace larder::load {
namespace {

constexpr double kSkewMax = 10;

std::vector<std::string> split_at_colons(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::optional<double> share_of(const std::string& text) {
  const auto number = parse_double(text);
  return number && *number > 0 && *number < 1 ? number : std::nullopt;
}

}  // namespace

Result<KeyShape> parse_key_shape(const std::string& text) {
  const std::vector<std::string> parts = split_at_colons(text);
  KeyShape shape;
  if (parts[0] == "uniform" && parts.size() == 1) return shape;
  if (parts[0] == "sequential" && parts.size() == 1) {
    shape.distribution = KeyDistribution::kSequential;
    return shape;
  }
  if (parts[0] == "zipf" && parts.size() <= 2) {
    shape.distribution = KeyDistribution::kZipf;
    const auto skew = parts.size() == 2 ? parse_double(parts[1]) : shape.skew;
    if (skew && *skew > 0 && *skew <= kSkewMax) {
      shape.skew = *skew;
      return shape;
    }
  }
  if (parts[0] == "hot" && (parts.size() == 1 || parts.size() == 3)) {
    shape.distribution = KeyDistribution::kHotSet;
    if (parts.size() == 1) return shape;
    const auto fraction = share_of(parts[1]);
    const auto share = share_of(parts[2]);
    if (fraction && share) {
      shape.hot_fraction = *fraction;
      shape.hot_share = *share;
      return shape;
    }
  }
  return Error{ErrorCode::kInvalidArgument,
               "not a distribution: " + text + " (uniform, zipf[:SKEW], sequential, hot[:FRACTION:SHARE] are known)"};
}

KeySource::KeySource(const KeyShape& shape, uint64_t space, uint64_t first)
    : shape_(shape), space_(space), sequence_(first) {
  if (space_ == 0) return;
  hot_count_ = std::clamp<uint64_t>(static_cast<uint64_t>(shape.hot_fraction * static_cast<double>(space)), 1, space);
  integral_first_ = integral(1.5) - 1;
  integral_last_ = integral(static_cast<double>(space) + 0.5);
  accept_below_ = 2 - inverse_integral(integral(2.5) - std::pow(2, -shape_.skew));
}

double KeySource::integral(double x) const {
  const double exponent = 1 - shape_.skew;
  if (std::abs(exponent) < 1e-9) return std::log(x);
  return (std::pow(x, exponent) - 1) / exponent;
}

double KeySource::inverse_integral(double y) const {
  const double exponent = 1 - shape_.skew;
  if (std::abs(exponent) < 1e-9) return std::exp(y);
  return std::pow(std::max(1 + y * exponent, 1e-300), 1 / exponent);
}

// Rejection-inversion (W. Hörmann, G. Derflinger, 1996): constant time and memory for any number of keys.
uint64_t KeySource::next_zipf(Random& random) const {
  while (true) {
    const double y = integral_last_ + random.real() * (integral_first_ - integral_last_);
    const double x = inverse_integral(y);
    const double rank = std::clamp(std::round(x), 1.0, static_cast<double>(space_));
    if (rank - x <= accept_below_ || y >= integral(rank + 0.5) - std::pow(rank, -shape_.skew)) {
      return static_cast<uint64_t>(rank) - 1;
    }
  }
}

uint64_t KeySource::next(Random& random) {
  if (space_ == 0) return 0;
  switch (shape_.distribution) {
    case KeyDistribution::kUniform:
      return random.uniform(space_);
    case KeyDistribution::kSequential:
      return sequence_++ % space_;
    case KeyDistribution::kZipf:
      return next_zipf(random);
    case KeyDistribution::kHotSet:
      if (random.real() < shape_.hot_share || hot_count_ == space_) return random.uniform(hot_count_);
      return hot_count_ + random.uniform(space_ - hot_count_);
  }
  return 0;
}

}  // namespace larder::load
