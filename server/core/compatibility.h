#pragma once

// What this server claims to be, for clients that choose their behaviour by it.

#include "base/bytes.h"

namespace larder {

// The Redis version whose behaviour and reply shapes are the default answer (HELLO, INFO's redis_version).
inline constexpr Bytes kRedisVersion = "7.2.4";
// The same as one number, 0x00MMmmpp: what scripts compare.
inline constexpr int kRedisVersionNumber = 0x00070204;

}  // namespace larder
