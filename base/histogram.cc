#include "base/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace larder {

Histogram::Histogram(uint32_t precision_bits) : bits_(precision_bits) {
  LARDER_ASSERT(precision_bits >= kBitsMin && precision_bits <= kBitsMax);
}

// The inverse of bucket_of: a bucket holds the values whose highest `bits_` bits are the same.
uint64_t Histogram::upper_of(size_t bucket) const {
  if (bucket < (size_t{1} << bits_)) return bucket;
  const uint32_t shift = static_cast<uint32_t>(bucket >> (bits_ - 1)) - 1;
  const uint64_t high_bits = bucket - (static_cast<uint64_t>(shift) << (bits_ - 1));
  return (high_bits << shift) + ((uint64_t{1} << shift) - 1);
}

void Histogram::grow(size_t bucket) {
  // To the end of the bucket's power of two: a histogram grows at most once per power of two.
  const size_t half = size_t{1} << (bits_ - 1);
  counts_.resize((bucket / half + 1) * half);
}

void Histogram::merge(const Histogram& other) {
  LARDER_ASSERT(bits_ == other.bits_);
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (size_t i = 0; i < other.counts_.size(); i++) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::reset() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  sum_ = 0;
  min_ = UINT64_MAX;
  max_ = 0;
}

uint64_t Histogram::percentile(double percent) const {
  LARDER_ASSERT(percent >= 0 && percent <= 100);
  if (count_ == 0) return 0;
  const double exact_rank = std::ceil(static_cast<double>(count_) * percent / 100.0);
  const uint64_t rank = std::clamp(static_cast<uint64_t>(exact_rank), uint64_t{1}, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); i++) {
    seen += counts_[i];
    if (seen >= rank) return std::min(upper_of(i), max_);
  }
  return max_;
}

uint64_t Histogram::count_at_or_below(uint64_t value) const {
  uint64_t total = 0;
  for (size_t i = 0; i < counts_.size() && upper_of(i) <= value; i++) total += counts_[i];
  return total;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> used;
  for (size_t i = 0; i < counts_.size(); i++) {
    if (counts_[i] > 0) used.push_back({upper_of(i), counts_[i]});
  }
  return used;
}

}  // namespace larder
