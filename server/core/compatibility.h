#pragma once

// What this server claims to be, for clients that choose their behaviour by it.

#include "base/bytes.h"

namespace larder {

// The Redis version whose behaviour and reply shapes are the default answer (HELLO, INFO's redis_version).
inline constexpr Bytes kRedisVersion = "7.2.4";

}  // namespace larder
