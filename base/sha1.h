// SHA-1 (RFC 3174): the names of scripts. Not for security.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace larder {

std::array<uint8_t, 20> sha1(Bytes text);
// Forty lower-case hexadecimal digits.
std::string sha1_hex(Bytes text);

}  // namespace larder
