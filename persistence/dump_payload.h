// The frame of DUMP and FUNCTION DUMP: what is dumped, then the format's version (2 bytes) and a CRC-64 of all before it (8),
// little endian.
#pragma once

#include <string>

#include "base/bytes.h"
#include "persistence/rdb_encoder.h"

namespace larder {

// The payload of what was encoded. `version` is the oldest one that knows it.
std::string finish_dump_payload(const RdbChunk& chunk, int version, bool compress);

// Whether the payload ends with a version that is known here and with its right checksum.
bool check_dump_payload(Bytes payload);

// Of a payload that passed check_dump_payload().
Bytes dump_payload_body(Bytes payload);
int dump_payload_version(Bytes payload);

}  // namespace larder
