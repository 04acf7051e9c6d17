#include "persistence/rdb_functions.h"

#include "persistence/dump_payload.h"
#include "persistence/rdb_encoder.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_input.h"

namespace larder {
std::string dump_functions(std::span<const std::string> sources, bool compress) {
  RdbChunk chunk;
  RdbEncoder out(chunk);
  for (const std::string& source : sources) {
    out.byte(static_cast<uint8_t>(RdbOpcode::kFunction2));
    out.text(source);
  }
  return finish_dump_payload(chunk, kRdbVersionMin, compress);
}

Result<std::vector<std::string>> read_function_payload(Bytes payload) {
  RdbInput in(dump_payload_body(payload));
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
