#include "persistence/dump_payload.h"

#include "base/buffer.h"
#include "persistence/crc64.h"
#include "persistence/rdb_format.h"

namespace larder {
namespace {

constexpr size_t kVersionBytes = 2;
constexpr size_t kFooterBytes = kVersionBytes + kRdbChecksumBytes;

void append_little_endian(std::string& out, uint64_t value, size_t byte_count) {
  for (size_t i = 0; i < byte_count; i++) out.push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t little_endian(Bytes bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

std::string finish_dump_payload(const RdbChunk& chunk, int version, bool compress) {
  Buffer finished;
  finish_rdb_chunk(chunk, compress, &finished);
  std::string payload(finished.bytes());
  append_little_endian(payload, static_cast<uint64_t>(version), kVersionBytes);
  append_little_endian(payload, crc64(0, payload), kRdbChecksumBytes);
  return payload;
}

bool check_dump_payload(Bytes payload) {
  if (payload.size() < kFooterBytes || !is_rdb_version(static_cast<uint64_t>(dump_payload_version(payload))))
    return false;
  const size_t checksum_at = payload.size() - kRdbChecksumBytes;
  return little_endian(payload.substr(checksum_at)) == crc64(0, payload.substr(0, checksum_at));
}

Bytes dump_payload_body(Bytes payload) { return payload.substr(0, payload.size() - kFooterBytes); }

int dump_payload_version(Bytes payload) {
  return static_cast<int>(little_endian(payload.substr(payload.size() - kFooterBytes, kVersionBytes)));
}

}  // namespace larder
