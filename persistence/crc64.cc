#include "persistence/crc64.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

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

}  // namespace

uint64_t crc64(uint64_t sum, Bytes bytes) {
  const char* at = bytes.data();
  size_t left = bytes.size();
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

}  // namespace larder
