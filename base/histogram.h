// A log-linear histogram of non-negative values (times in ns or us, sizes): what p99 means, cheaply.
//
// Values below 2^bits are counted exactly; above, each power of two is split into 2^(bits-1) equal buckets. A bucket
// is reported by its upper bound, so a reported value is never below the true one and at most 2^(1-bits) above it:
// 1.6 % with the default of 7 bits. min, max and the sum (hence the mean) are exact.
// Memory grows with the largest value seen: 64 counters of 8 bytes per power of two above 64; 10 KB reach a second in
// ns.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace larder {

class Histogram {
 public:
  static constexpr uint32_t kDefaultBits = 7;
  static constexpr uint32_t kBitsMin = 2;
  static constexpr uint32_t kBitsMax = 14;

  explicit Histogram(uint32_t precision_bits = kDefaultBits);

  void record(uint64_t value) { record_many(value, 1); }
  void record_many(uint64_t value, uint64_t times) {
    const size_t bucket = bucket_of(value);
    if (bucket >= counts_.size()) [[unlikely]]
      grow(bucket);
    counts_[bucket] += times;
    count_ += times;
    sum_ += value * times;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }

  // Adds the other's counts. Requires: the same precision.
  void merge(const Histogram& other);
  void reset();

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_); }

  // The smallest reported value that at least `percent` % of the values do not exceed; 0 when empty.
  // Requires: 0 <= percent <= 100.
  uint64_t percentile(double percent) const;
  // How many values lie in buckets that end at or below `value`.
  uint64_t count_at_or_below(uint64_t value) const;

  // For printing: the buckets in use, in order. `upper` is the largest value of the bucket.
  struct Bucket {
    uint64_t upper;
    uint64_t count;
  };
  std::vector<Bucket> buckets() const;
  size_t memory_bytes() const { return counts_.capacity() * sizeof(uint64_t); }

 private:
  size_t bucket_of(uint64_t value) const {
    if (value < (uint64_t{1} << bits_)) return static_cast<size_t>(value);
    const uint32_t shift = static_cast<uint32_t>(std::bit_width(value)) - bits_;
    return (static_cast<size_t>(shift) << (bits_ - 1)) + static_cast<size_t>(value >> shift);
  }
  uint64_t upper_of(size_t bucket) const;
  void grow(size_t bucket);

  uint32_t bits_;
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  std::vector<uint64_t> counts_;
};

}  // namespace larder
