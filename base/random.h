// Seeded random numbers (xoshiro256**, Blackman and Vigna, public domain). One generator per owner, seeded once, so
// that a test or a simulation repeats from its seed. Not for secrets: those come from os_entropy.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"

namespace larder {

class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Unbiased in [0, bound). Requires: bound > 0.
  uint64_t uniform(uint64_t bound) {
    LARDER_ASSERT(bound > 0);
    // Lemire's multiplication method: a division only in the rare case that a rejection is possible.
    Wide product = static_cast<Wide>(next()) * bound;
    if (static_cast<uint64_t>(product) < bound) [[unlikely]] {
      const uint64_t threshold = (0 - bound) % bound;
      while (static_cast<uint64_t>(product) < threshold) product = static_cast<Wide>(next()) * bound;
    }
    return static_cast<uint64_t>(product >> 64);
  }
  // Unbiased in [low, high]. Requires: low <= high.
  int64_t between(int64_t low, int64_t high);
  // In [0, 1) with 53 random bits.
  double real() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool one_in(uint64_t n) { return uniform(n) == 0; }

 private:
  __extension__ using Wide = unsigned __int128;
  std::array<uint64_t, 4> state_;
};

// Fills `out` with bytes from the operating system's secure source (os_random.cc). Stops the process if there is none.
void os_entropy(void* out, size_t size_bytes);
uint64_t os_entropy_u64();
// 2 * `bytes` hexadecimal digits of entropy: run ids, replication ids, ACL GENPASS.
std::string os_entropy_hex(size_t bytes);

}  // namespace larder
