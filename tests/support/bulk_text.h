#pragma once

// A bulk string as it is on the wire.

#include <string>

#include "base/bytes.h"

namespace larder::testing {

inline std::string bulk(Bytes text) { return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n"; }

}  // namespace larder::testing
