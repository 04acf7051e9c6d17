// HyperLogLog: the number of different elements seen, to within 0.8 %, in at most 12 KB. The bytes of a sketch are a string
// value in the published layout of Redis, so that sketches travel between servers with GET, SET, DUMP and files.
//
//   "HYLL" │ encoding: 0 dense, 1 sparse │ 3 unused │ cached cardinality, 8 bytes little endian (top bit: not valid) │ registers
//
// 16,384 registers of 6 bits. Dense: 12,288 bytes, register i at bit 6 * i, low bits first. Sparse: runs,
//
//   00xxxxxx            x + 1 registers of 0
//   01xxxxxx yyyyyyyy   xy + 1 registers of 0
//   1vvvvvxx            x + 1 registers of v + 1
//
// until a register exceeds 32 or the runs take more than the configured bytes. Runs are split and joined by the same rules
// as in Redis, so that the same elements in the same order make the same bytes.
//
// Cost: an element 40 ns dense, up to some microseconds sparse (the runs are searched from the front); a count of a dense
// sketch 10 us, nothing when it is cached; a union is proportional to the registers that are not 0, and a look at all of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace larder {

inline constexpr size_t kHllRegisters = 16384;
inline constexpr size_t kHllHeaderBytes = 16;
inline constexpr size_t kHllDenseBytes = kHllHeaderBytes + kHllRegisters * 6 / 8;

// One byte a register: for sketches that are put together from several.
using HllRegisters = std::array<uint8_t, kHllRegisters>;

// A sketch being worked on: a copy of the string, written back by the caller when it changed.
class HyperLogLog {
 public:
  // An empty one, sparse.
  HyperLogLog();
  // Requires: is_valid(bytes).
  explicit HyperLogLog(Bytes bytes) : bytes_(bytes) {}

  // Whether the bytes begin like a sketch and have the size of their encoding. Sparse runs are not looked at: see the
  // results of the functions below.
  static bool is_valid(Bytes bytes);

  // Whether add() would find all of the element there, asked of the string itself: most elements are, and the copy of a dense
  // sketch takes ten times as long. False for a corrupt sketch, too. Requires: is_valid(bytes).
  static bool has(Bytes bytes, Bytes element);

  // Requires: is_valid(bytes).
  static bool is_sparse(Bytes bytes) { return bytes[4] == 1; }
  // Makes each register of `maxima` at least that of the sketch, read from the string itself; false: corrupt.
  // Requires: is_valid(bytes).
  [[nodiscard]] static bool merge_into(Bytes bytes, HllRegisters* maxima);
  // The count that the bytes hold; none when it is not valid any more. Requires: is_valid(bytes).
  static std::optional<uint64_t> cached_count(Bytes bytes);

  enum class Result : uint8_t { kUnchanged, kChanged, kCorrupt };
  // `sparse_bytes_max`: where a sparse sketch becomes dense.
  Result add(Bytes element, size_t sparse_bytes_max);
  Result raise(uint32_t index, uint8_t value, size_t sparse_bytes_max);
  // raise() of each register to its maximum, in their order: the same bytes, in one walk over the runs. False: corrupt.
  [[nodiscard]] bool raise_all(const HllRegisters& maxima, size_t sparse_bytes_max);
  // The number of elements; false: corrupt. Caches it in the bytes.
  [[nodiscard]] bool count(uint64_t* cardinality);
  [[nodiscard]] bool make_dense();
  // The sparse runs as text, "Z:16384 v:3,1 ..."; false: corrupt. Requires: is_sparse().
  [[nodiscard]] bool describe_runs(std::string* text) const;

  bool is_sparse() const { return is_sparse(bytes_); }
  void forget_count() { bytes_[15] = static_cast<char>(bytes_[15] | 0x80); }
  Bytes bytes() const { return bytes_; }

 private:
  // Where a search in sparse runs may begin: a run, and the first of its registers.
  struct RunPosition {
    size_t offset = kHllHeaderBytes;
    uint32_t first = 0;
  };

  Result raise_near(uint32_t index, uint8_t value, size_t sparse_bytes_max, RunPosition* near);
  Result raise_dense(uint32_t index, uint8_t value);
  // `near`: of a run in front of the index; moves up to the last one that the change left alone.
  Result raise_sparse(uint32_t index, uint8_t value, size_t sparse_bytes_max, RunPosition* near);
  Result promote_and_raise(uint32_t index, uint8_t value);
  void join_runs(size_t from);

  std::string bytes_;
};

// The estimate for registers that are in no sketch (a union that is only counted).
uint64_t hll_cardinality(const HllRegisters& registers);

}  // namespace larder
