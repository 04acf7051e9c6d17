// Two ways. By tables: a step of eight bytes is eight look-ups. By carry-less multiplication, where the processor has it: the
// message is a polynomial whose first terms may be replaced by any that leave the same remainder, so 128 bits of it, multiplied
// by what x^n leaves, are added to the 128 bits that follow n bits later. What is left in the end is 16 bytes with the same
// sum as all that went before them, and these go through the tables.

#include "persistence/crc64.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace larder {
namespace {

constexpr uint64_t kPolynomialReflected = 0x95ac9329ac4bc9b5;
constexpr size_t kSlices = 8;
static_assert(std::endian::native == std::endian::little, "words are read as little-endian ones");
using Tables = std::array<std::array<uint64_t, 256>, kSlices>;

// tables[k][b]: what byte b contributes when k more bytes follow it in the same step.
constexpr Tables make_tables() {
  Tables tables{};
  for (uint64_t b = 0; b < 256; b++) {
    uint64_t sum = b;
    for (int bit = 0; bit < 8; bit++) sum = (sum & 1) ? (sum >> 1) ^ kPolynomialReflected : sum >> 1;
    tables[0][b] = sum;
  }
  for (size_t k = 1; k < kSlices; k++) {
    for (size_t b = 0; b < 256; b++) {
      const uint64_t before = tables[k - 1][b];
      tables[k][b] = tables[0][before & 0xff] ^ (before >> 8);
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

uint64_t sum_by_tables(uint64_t sum, const char* at, size_t left) {
  for (; left >= kSlices; left -= kSlices, at += kSlices) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    word ^= sum;
    sum = kTables[7][word & 0xff] ^ kTables[6][(word >> 8) & 0xff] ^ kTables[5][(word >> 16) & 0xff] ^
          kTables[4][(word >> 24) & 0xff] ^ kTables[3][(word >> 32) & 0xff] ^ kTables[2][(word >> 40) & 0xff] ^
          kTables[1][(word >> 48) & 0xff] ^ kTables[0][word >> 56];
  }
  for (; left > 0; left--, at++) sum = kTables[0][(sum ^ static_cast<uint8_t>(*at)) & 0xff] ^ (sum >> 8);
  return sum;
}

#if defined(__x86_64__)
// Four runs of 16 bytes side by side, as a multiplication takes several cycles and one can begin in each.
constexpr size_t kLaneBytes = 16;
constexpr size_t kLanes = 4;
constexpr size_t kStepBytes = kLanes * kLaneBytes;

// What x^n leaves, its terms from the highest bit down.
constexpr uint64_t remainder_of_power(size_t n) {
  uint64_t remainder = uint64_t{1} << 63;
  for (; n > 0; n--) remainder = (remainder & 1) ? (remainder >> 1) ^ kPolynomialReflected : remainder >> 1;
  return remainder;
}

// The instruction's product of reflected polynomials is x times too high: hence n - 1.
struct FoldFactors {
  explicit constexpr FoldFactors(size_t bytes)
      : of_first(remainder_of_power(8 * bytes + 64 - 1)), of_second(remainder_of_power(8 * bytes - 1)) {}
  uint64_t of_first;   // of the eight bytes that come first
  uint64_t of_second;  // of the eight behind them
};
constexpr FoldFactors kFoldStep(kStepBytes);
constexpr FoldFactors kFoldLane(kLaneBytes);

__m128i lane_at(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }

// `lane`, as it counts where `next` lies, and `next`.
[[gnu::target("pclmul")]] inline __m128i folded(__m128i lane, const FoldFactors& factors, __m128i next) {
  const __m128i both = _mm_set_epi64x(static_cast<int64_t>(factors.of_second), static_cast<int64_t>(factors.of_first));
  const __m128i first = _mm_clmulepi64_si128(lane, both, 0x00);
  const __m128i second = _mm_clmulepi64_si128(lane, both, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

// Requires: left >= kStepBytes.
[[gnu::target("pclmul")]] uint64_t sum_by_multiplication(uint64_t sum, const char* at, size_t left) {
  __m128i lanes[kLanes];
  for (size_t i = 0; i < kLanes; i++) lanes[i] = lane_at(at + i * kLaneBytes);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi64x(0, static_cast<int64_t>(sum)));
  for (at += kStepBytes, left -= kStepBytes; left >= kStepBytes; at += kStepBytes, left -= kStepBytes) {
    for (size_t i = 0; i < kLanes; i++) lanes[i] = folded(lanes[i], kFoldStep, lane_at(at + i * kLaneBytes));
  }
  __m128i whole = lanes[0];
  for (size_t i = 1; i < kLanes; i++) whole = folded(whole, kFoldLane, lanes[i]);
  char rest[kLaneBytes];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), whole);
  return sum_by_tables(sum_by_tables(0, rest, sizeof(rest)), at, left);
}

bool can_multiply() {
  static const bool kHasInstruction = __builtin_cpu_supports("pclmul") != 0;
  return kHasInstruction;
}
#endif

}  // namespace

uint64_t crc64(uint64_t sum, Bytes bytes) {
#if defined(__x86_64__)
  if (bytes.size() >= kStepBytes && can_multiply()) return sum_by_multiplication(sum, bytes.data(), bytes.size());
#endif
  return sum_by_tables(sum, bytes.data(), bytes.size());
}

}  // namespace larder
