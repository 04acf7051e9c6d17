#include "storage/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/assert.h"

namespace larder {
namespace {

constexpr uint32_t kIndexBits = 14;
constexpr uint32_t kRankMax = 64 - kIndexBits + 1;  // 51
constexpr uint64_t kHashSeed = 0xadc83b19;
constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)
constexpr uint32_t kSparseValueMax = 32;
constexpr uint32_t kSparseValueRunMax = 4;
constexpr uint32_t kShortZeroRunMax = 64;
constexpr char kDense = 0;
constexpr char kSparse = 1;

uint64_t load_word(const void* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// MurmurHash2 with 64 bits (Austin Appleby, public domain): the hash that the layout prescribes.
uint64_t element_hash(Bytes element) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  uint64_t hash = kHashSeed ^ (element.size() * kMultiplier);
  const char* at = element.data();
  size_t left = element.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word = load_word(at) * kMultiplier;
    word ^= word >> kShift;
    hash = (hash ^ (word * kMultiplier)) * kMultiplier;
  }
  if (left > 0) {
    uint64_t tail = 0;
    std::memcpy(&tail, at, left);
    hash = (hash ^ tail) * kMultiplier;
  }
  hash = (hash ^ (hash >> kShift)) * kMultiplier;
  return hash ^ (hash >> kShift);
}

struct Placed {
  uint32_t index;
  uint8_t rank;  // position of the lowest set bit behind the index, from 1
};

Placed place(Bytes element) {
  const uint64_t hash = element_hash(element);
  const uint64_t rest = (hash >> kIndexBits) | (uint64_t{1} << (64 - kIndexBits));
  return {static_cast<uint32_t>(hash & (kHllRegisters - 1)), static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

uint8_t dense_get(const char* registers, uint32_t index) {
  const size_t byte = index * 6 / 8;
  const uint32_t shift = index * 6 % 8;
  const uint32_t low = static_cast<uint8_t>(registers[byte]);
  const uint32_t high = shift > 2 ? static_cast<uint8_t>(registers[byte + 1]) : 0;
  return static_cast<uint8_t>(((low | (high << 8)) >> shift) & 63);
}

void dense_set(char* registers, uint32_t index, uint8_t value) {
  const size_t byte = index * 6 / 8;
  const uint32_t shift = index * 6 % 8;
  const auto low = static_cast<uint8_t>(registers[byte]);
  registers[byte] = static_cast<char>((low & ~(63u << shift)) | (uint32_t{value} << shift));
  if (shift <= 2) return;
  const auto high = static_cast<uint8_t>(registers[byte + 1]);
  registers[byte + 1] = static_cast<char>((high & ~(63u >> (8 - shift))) | (uint32_t{value} >> (8 - shift)));
}

// Calls visit(index, value) for all registers. Four of them are three bytes.
template <class Visit>
void for_each_dense(const char* registers, Visit visit) {
  for (uint32_t index = 0; index < kHllRegisters; index += 4, registers += 3) {
    const uint32_t four = static_cast<uint8_t>(registers[0]) |
                          static_cast<uint32_t>(static_cast<uint8_t>(registers[1])) << 8 |
                          static_cast<uint32_t>(static_cast<uint8_t>(registers[2])) << 16;
    visit(index, static_cast<uint8_t>(four & 63));
    visit(index + 1, static_cast<uint8_t>(four >> 6 & 63));
    visit(index + 2, static_cast<uint8_t>(four >> 12 & 63));
    visit(index + 3, static_cast<uint8_t>(four >> 18));
  }
}

// Calls visit(index, value) in order for the registers that are not 0, as long as it returns true. False: it did not. Of a union
// of small sketches nearly all are 0.
template <class Visit>
bool for_each_raised(const HllRegisters& registers, Visit visit) {
  for (uint32_t begin = 0; begin < kHllRegisters; begin += sizeof(uint64_t)) {
    if (load_word(registers.data() + begin) == 0) continue;
    for (uint32_t index = begin; index < begin + sizeof(uint64_t); index++) {
      if (registers[index] > 0 && !visit(index, registers[index])) return false;
    }
  }
  return true;
}

// One run of a sparse sketch.
struct Run {
  uint32_t length = 0;
  uint8_t value = 0;
  uint8_t bytes = 1;
};

Run read_run(const char* at, const char* end) {
  const auto first = static_cast<uint8_t>(*at);
  if (first & 0x80) return {(first & 3u) + 1, static_cast<uint8_t>(((first >> 2) & 31) + 1), 1};
  if (!(first & 0x40)) return {(first & 63u) + 1, 0, 1};
  if (at + 1 == end) return {0, 0, 1};  // cut off: a length that no run has
  return {((first & 63u) << 8 | static_cast<uint8_t>(at[1])) + 1, 0, 2};
}

char* write_run(char* out, uint32_t length, uint8_t value) {
  if (length == 0) return out;
  if (value > 0) {
    *out++ = static_cast<char>(0x80 | (value - 1) << 2 | (length - 1));
  } else if (length <= kShortZeroRunMax) {
    *out++ = static_cast<char>(length - 1);
  } else {
    *out++ = static_cast<char>(0x40 | (length - 1) >> 8);
    *out++ = static_cast<char>(length - 1);
  }
  return out;
}

// The run that holds a register.
struct Found {
  const char* at = nullptr;      // null: the runs are corrupt
  const char* before = nullptr;  // the run in front of it, if the search has seen it
  uint32_t first = 0;            // its first register
  uint32_t before_first = 0;
  Run run;
};

// Looks at the runs from `at` on, of which `first` is the first register.
Found find_run(Bytes bytes, uint32_t index, const char* at, uint32_t first) {
  const char* const end = bytes.data() + bytes.size();
  const char* before = nullptr;
  uint32_t before_first = first;
  while (at < end) {
    const Run run = read_run(at, end);
    if (run.length == 0) return {};
    if (index < first + run.length) return {at, before, first, before_first, run};
    before = at;
    before_first = first;
    first += run.length;
    at += run.bytes;
  }
  return {};
}

Found find_run(Bytes bytes, uint32_t index) { return find_run(bytes, index, bytes.data() + kHllHeaderBytes, 0); }

// Calls visit(first index, run) for all runs. False: they do not add up to the number of registers.
template <class Visit>
bool for_each_run(Bytes bytes, Visit visit) {
  const char* at = bytes.data() + kHllHeaderBytes;
  const char* const end = bytes.data() + bytes.size();
  uint32_t index = 0;
  while (at < end) {
    const Run run = read_run(at, end);
    if (run.length == 0 || run.length > kHllRegisters - index) return false;
    visit(index, run);
    index += run.length;
    at += run.bytes;
  }
  return index == kHllRegisters;
}

using Histogram = std::array<uint32_t, 64>;

// How many registers have each value. Neighbours are counted apart: most have the same few values, and adding to one number again
// and again waits for the store before.
class RegisterCounts {
 public:
  void add(uint32_t index, uint8_t value) { lanes_[index % kLanes][value & 63]++; }

  // `zeros` more registers are 0.
  Histogram sum(uint32_t zeros) const {
    Histogram sum{};
    for (const Histogram& lane : lanes_) {
      for (size_t value = 0; value < sum.size(); value++) sum[value] += lane[value];
    }
    sum[0] += zeros;
    return sum;
  }

 private:
  static constexpr uint32_t kLanes = 4;
  std::array<Histogram, kLanes> lanes_{};
};

// The two series of the estimator in "New cardinality estimation algorithms for HyperLogLog sketches" (Ertl, 2017).
double sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1;
  double z = x;
  double before;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (before != z);
  return z;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1;
  double z = 1 - x;
  double before;
  do {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (before != z);
  return z / 3;
}

uint64_t estimate(const Histogram& histogram) {
  constexpr double kCount = kHllRegisters;
  double z = kCount * tau((kCount - histogram[kRankMax]) / kCount);
  for (uint32_t rank = kRankMax - 1; rank >= 1; rank--) z = 0.5 * (z + histogram[rank]);
  z += kCount * sigma(histogram[0] / kCount);
  return static_cast<uint64_t>(std::llround(kAlphaInfinity * kCount * kCount / z));
}

}  // namespace

uint64_t hll_cardinality(const HllRegisters& registers) {
  RegisterCounts counts;
  uint32_t raised = 0;
  for_each_raised(registers, [&](uint32_t index, uint8_t value) {
    counts.add(index, value);
    raised++;
    return true;
  });
  return estimate(counts.sum(kHllRegisters - raised));
}

HyperLogLog::HyperLogLog() : bytes_(kHllHeaderBytes + 2, '\0') {
  std::memcpy(bytes_.data(), "HYLL", 4);
  bytes_[4] = kSparse;
  write_run(bytes_.data() + kHllHeaderBytes, kHllRegisters, 0);
}

bool HyperLogLog::is_valid(Bytes bytes) {
  if (bytes.size() < kHllHeaderBytes || bytes.substr(0, 4) != "HYLL") return false;
  if (bytes[4] == kDense) return bytes.size() == kHllDenseBytes;
  return bytes[4] == kSparse;
}

std::optional<uint64_t> HyperLogLog::cached_count(Bytes bytes) {
  if (bytes[15] & 0x80) return std::nullopt;
  return load_word(bytes.data() + 8);
}

bool HyperLogLog::has(Bytes bytes, Bytes element) {
  const Placed placed = place(element);
  if (bytes[4] == kDense) return dense_get(bytes.data() + kHllHeaderBytes, placed.index) >= placed.rank;
  const Found found = find_run(bytes, placed.index);
  return found.at != nullptr && found.run.value >= placed.rank;
}

HyperLogLog::Result HyperLogLog::add(Bytes element, size_t sparse_bytes_max) {
  const Placed placed = place(element);
  return raise(placed.index, placed.rank, sparse_bytes_max);
}

HyperLogLog::Result HyperLogLog::raise(uint32_t index, uint8_t value, size_t sparse_bytes_max) {
  RunPosition front;
  return raise_near(index, value, sparse_bytes_max, &front);
}

HyperLogLog::Result HyperLogLog::raise_near(uint32_t index, uint8_t value, size_t sparse_bytes_max, RunPosition* near) {
  return is_sparse() ? raise_sparse(index, value, sparse_bytes_max, near) : raise_dense(index, value);
}

bool HyperLogLog::raise_all(const HllRegisters& maxima, size_t sparse_bytes_max) {
  RunPosition near;
  return for_each_raised(maxima, [&](uint32_t index, uint8_t value) {
    return raise_near(index, value, sparse_bytes_max, &near) != Result::kCorrupt;
  });
}

HyperLogLog::Result HyperLogLog::raise_dense(uint32_t index, uint8_t value) {
  char* registers = bytes_.data() + kHllHeaderBytes;
  if (dense_get(registers, index) >= value) return Result::kUnchanged;
  dense_set(registers, index, value);
  return Result::kChanged;
}

HyperLogLog::Result HyperLogLog::promote_and_raise(uint32_t index, uint8_t value) {
  if (!make_dense()) return Result::kCorrupt;
  return raise_dense(index, value);
}

HyperLogLog::Result HyperLogLog::raise_sparse(uint32_t index, uint8_t value, size_t sparse_bytes_max,
                                              RunPosition* near) {
  if (value > kSparseValueMax) return promote_and_raise(index, value);
  const char* const begin = bytes_.data();
  Found found = find_run(bytes_, index, begin + near->offset, near->first);
  // The runs that a change brings together begin with the one in front of it, so that one must be known.
  if (found.at == begin + near->offset) found = find_run(bytes_, index);
  if (found.at == nullptr) return Result::kCorrupt;
  const auto [at, before, first, before_first, run] = found;
  const size_t join_from = static_cast<size_t>((before != nullptr ? before : begin + kHllHeaderBytes) - begin);
  *near = {join_from, before != nullptr ? before_first : 0};
  if (run.value >= value) return Result::kUnchanged;

  char runs[5];
  char* out = runs;
  if (run.length == 1) {
    out = write_run(out, 1, value);
  } else {
    out = write_run(out, index - first, run.value);
    out = write_run(out, 1, value);
    out = write_run(out, first + run.length - 1 - index, run.value);
  }
  const auto new_bytes = static_cast<size_t>(out - runs);
  if (new_bytes > run.bytes && bytes_.size() + new_bytes - run.bytes > sparse_bytes_max) {
    return promote_and_raise(index, value);
  }
  bytes_.replace(static_cast<size_t>(at - begin), run.bytes, runs, new_bytes);
  join_runs(join_from);
  return Result::kChanged;
}

// Joins runs of the same value that are next to each other, among the five from `at` on: those that a change can have
// brought together.
void HyperLogLog::join_runs(size_t at) {
  for (int looked = 0; looked < 5 && at < bytes_.size(); looked++) {
    const char* const data = bytes_.data();
    const Run run = read_run(data + at, data + bytes_.size());
    if (run.value == 0) {
      at += run.bytes;
      continue;
    }
    if (at + 1 < bytes_.size()) {
      const Run next = read_run(data + at + 1, data + bytes_.size());
      if (next.value == run.value && run.length + next.length <= kSparseValueRunMax) {
        write_run(bytes_.data() + at + 1, run.length + next.length, run.value);
        bytes_.erase(at, 1);
        continue;
      }
    }
    at++;
  }
}

bool HyperLogLog::make_dense() {
  if (!is_sparse()) return true;
  std::string dense(kHllDenseBytes, '\0');
  std::memcpy(dense.data(), bytes_.data(), kHllHeaderBytes);
  dense[4] = kDense;
  char* registers = dense.data() + kHllHeaderBytes;
  const bool whole = for_each_run(bytes_, [&](uint32_t first, const Run& run) {
    if (run.value == 0) return;
    for (uint32_t i = 0; i < run.length; i++) dense_set(registers, first + i, run.value);
  });
  if (!whole) return false;
  bytes_ = std::move(dense);
  return true;
}

bool HyperLogLog::count(uint64_t* cardinality) {
  if (const auto cached = cached_count(bytes_)) {
    *cardinality = *cached;
    return true;
  }
  Histogram histogram{};
  if (is_sparse()) {
    if (!for_each_run(bytes_, [&](uint32_t, const Run& run) { histogram[run.value] += run.length; })) return false;
  } else {
    RegisterCounts counts;
    for_each_dense(bytes_.data() + kHllHeaderBytes, [&](uint32_t index, uint8_t value) { counts.add(index, value); });
    histogram = counts.sum(0);
  }
  *cardinality = estimate(histogram);
  std::memcpy(bytes_.data() + 8, cardinality, sizeof(*cardinality));
  return true;
}

bool HyperLogLog::merge_into(Bytes bytes, HllRegisters* maxima) {
  const auto raise = [&](uint32_t index, uint8_t value) { (*maxima)[index] = std::max((*maxima)[index], value); };
  if (is_sparse(bytes)) {
    return for_each_run(bytes, [&](uint32_t first, const Run& run) {
      for (uint32_t i = 0; run.value > 0 && i < run.length; i++) raise(first + i, run.value);
    });
  }
  for_each_dense(bytes.data() + kHllHeaderBytes, raise);
  return true;
}

bool HyperLogLog::describe_runs(std::string* text) const {
  LARDER_ASSERT(is_sparse());
  return for_each_run(bytes_, [&](uint32_t, const Run& run) {
    if (!text->empty()) *text += ' ';
    if (run.value > 0) {
      text->append("v:").append(std::to_string(run.value)).append(",");
    } else {
      text->append(run.bytes == 1 ? "z:" : "Z:");
    }
    text->append(std::to_string(run.length));
  });
}

}  // namespace larder
