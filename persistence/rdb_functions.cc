#include "persistence/rdb_functions.h"

#include "persistence/crc64.h"
#include "persistence/rdb_encoder.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_input.h"

namespace larder {
namespace {

constexpr size_t kVersionBytes = 2;
constexpr size_t kFooterBytes = kVersionBytes + kRdbChecksumBytes;

}  // namespace

std::string dump_functions(std::span<const std::string> sources, bool compress) {
  RdbChunk chunk;
  RdbEncoder out(chunk);
  for (const std::string& source : sources) {
    out.byte(static_cast<uint8_t>(RdbOpcode::kFunction2));
    out.text(source);
  }
  Buffer finished;
  finish_rdb_chunk(chunk, compress, &finished);
  std::string payload(finished.bytes());
  const auto put = [&payload](uint64_t value, size_t byte_count) {
    for (size_t i = 0; i < byte_count; i++) payload.push_back(static_cast<char>(value >> (8 * i)));
  };
  put(static_cast<uint64_t>(kRdbVersionMin), kVersionBytes);
  put(crc64(0, payload), kRdbChecksumBytes);
  return payload;
}

Result<std::vector<std::string>> read_function_payload(Bytes payload) {
  RdbInput in(payload.substr(0, payload.size() - kFooterBytes));
  std::vector<std::string> sources;
  RdbText source;
  while (in.bytes_left() > 0) {
    uint8_t opcode;
    if (!in.byte(&opcode)) return in.error();
    if (opcode != static_cast<uint8_t>(RdbOpcode::kFunction2)) {
      return Error{ErrorCode::kCorruption, "given type is not a function"};
    }
    if (!in.text(&source)) return in.error();
    sources.emplace_back(source.bytes());
  }
  return sources;
}

}  // namespace larder
