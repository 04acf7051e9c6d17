// The seed of a random test: printed, so that a failure can be repeated, and taken from LARDER_TEST_SEED if that is
// set.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/random.h"

namespace larder {

inline uint64_t test_seed() {
  const char* wanted = std::getenv("LARDER_TEST_SEED");
  const uint64_t seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : os_entropy_u64();
  std::printf("LARDER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace larder
