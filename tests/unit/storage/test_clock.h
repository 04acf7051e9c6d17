#pragma once

#include <cstdint>

namespace larder {

// What the tests of this folder take for now: milliseconds since 1970.
inline constexpr int64_t kNowMs = 1'700'000'000'000;

}  // namespace larder
