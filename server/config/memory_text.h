#pragma once

// Amounts of memory as people write them.

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace larder {

// "100", "1b", "1k" (1000), "1kb" (1024), and m, mb, g, gb likewise, in any case; the empty text is 0, as in Redis.
// Nothing for any other text, a sign, or an amount above INT64_MAX.
std::optional<int64_t> parse_memory(Bytes text);

// "1.50M": for fields of INFO that people read. As Redis prints them.
std::string human_bytes(uint64_t bytes);

}  // namespace larder
