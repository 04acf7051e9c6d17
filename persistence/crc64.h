// CRC-64 with the Jones polynomial, as RDB files and DUMP payloads end with: width 64, polynomial 0xad93d23594c935a9,
// reflected in and out, initial value and final xor 0. crc64(0, "123456789") is 0xe9c6d914c4b8d9ca.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace larder {

// The checksum of what `sum` is the checksum of, followed by `bytes`. About 15 GB/s with carry-less multiplication, 1.5 without.
uint64_t crc64(uint64_t sum, Bytes bytes);

}  // namespace larder
