// SHA-1 (RFC 3174): the names of scripts. Not for security.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace larder {

// Of a long text in pieces:  Sha1 sum; sum.add(whole blocks) ...; digest = sum.finish(the rest).
class Sha1 {
 public:
  static constexpr size_t kBlockBytes = 64;

  // Requires: a multiple of kBlockBytes.
  void add(Bytes blocks);
  // Of all that was added and `rest`. Once.
  std::array<uint8_t, 20> finish(Bytes rest);

 private:
  std::array<uint32_t, 5> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint64_t added_bytes_ = 0;
};

std::array<uint8_t, 20> sha1(Bytes text);
// Forty lower-case hexadecimal digits.
std::string sha1_hex(Bytes text);

}  // namespace larder
