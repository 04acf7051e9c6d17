#include "persistence/rdb_writer.h"

#include <algorithm>

#include "base/number_text.h"
#include "persistence/dump_payload.h"
#include "storage/eviction.h"

namespace larder {
namespace {

void opcode(RdbEncoder& out, RdbOpcode code) { out.byte(static_cast<uint8_t>(code)); }

}  // namespace

void RdbWriter::header(RdbEncoder& out) const {
  std::string text = "REDIS" + std::to_string(options_.version);
  text.insert(5, kRdbHeaderBytes - text.size(), '0');
  out.raw(text);
}

void RdbWriter::aux(RdbEncoder& out, Bytes name, Bytes value) const {
  opcode(out, RdbOpcode::kAux);
  out.text(name);
  out.text(value);
}

void RdbWriter::select(RdbEncoder& out, int db, uint64_t keys, uint64_t volatile_keys) const {
  opcode(out, RdbOpcode::kSelectDb);
  out.length(static_cast<uint64_t>(db));
  if (keys == 0) return;
  opcode(out, RdbOpcode::kResizeDb);
  out.length(keys);
  out.length(volatile_keys);
}

RdbEntryHead RdbWriter::head_of(const Entry& entry) const {
  return {type_of(entry), std::string(entry.key()), entry.deadline_ms(), entry.access_state()};
}

void RdbWriter::write_head(RdbEncoder& out, RdbType type, Bytes key, int64_t deadline_ms, uint32_t access_state) const {
  if (deadline_ms != kNoDeadline) {
    opcode(out, RdbOpcode::kExpireMs);
    out.little_endian(static_cast<uint64_t>(deadline_ms), 8);
  }
  if (options_.with_access) {
    const AccessTracker& access = store_.access();
    if (access.tracking() == AccessTracking::kFrequency) {
      opcode(out, RdbOpcode::kFreq);
      out.byte(access.frequency(access_state));
    } else {
      opcode(out, RdbOpcode::kIdle);
      out.length(access.idle_seconds(access_state));
    }
  }
  out.byte(static_cast<uint8_t>(type));
  out.text(key);
}

void RdbWriter::entry(RdbEncoder& out, const Entry& entry) const {
  write_head(out, type_of(entry), entry.key(), entry.deadline_ms(), entry.access_state());
  value(out, entry);
}

void RdbWriter::end(RdbEncoder& out) const { opcode(out, RdbOpcode::kEof); }

void RdbWriter::function(RdbEncoder& out, Bytes library_source) const {
  opcode(out, RdbOpcode::kFunction2);
  out.text(library_source);
}

RdbType RdbWriter::type_of(const Entry& entry) const {
  switch (entry.type()) {
    case ValueType::kString:
      return RdbType::kString;
    case ValueType::kList:
      return RdbType::kListQuicklist2;
    case ValueType::kSet:
      return rdb_set_type(store_, entry, options_.version);
    case ValueType::kHash:
      return rdb_hash_type(store_, entry);
    case ValueType::kZset:
      return rdb_zset_type(entry);
    case ValueType::kStream:
      return rdb_stream_type(options_.version);
  }
  LARDER_UNREACHABLE();
}

std::unique_ptr<RdbPieces> RdbWriter::pieces(const Entry& entry) const {
  Structure* structure = entry.structure();
  switch (entry.type()) {
    case ValueType::kList:
      return rdb_list_pieces(*static_cast<ListStructure*>(structure));
    case ValueType::kSet:
      return rdb_set_pieces(*static_cast<const SetStructure*>(structure));
    case ValueType::kHash:
      return rdb_hash_pieces(*static_cast<const HashStructure*>(structure));
    case ValueType::kZset:
      return rdb_zset_pieces(*static_cast<const ZsetStructure*>(structure));
    case ValueType::kStream:
      return rdb_stream_pieces(*static_cast<const StreamStructure*>(structure), type_of(entry));
    case ValueType::kString:
      break;
  }
  LARDER_UNREACHABLE();
}

void RdbWriter::value(RdbEncoder& out, const Entry& entry) const {
  if (entry.encoding() == Encoding::kStructure) {
    const std::unique_ptr<RdbPieces> whole = pieces(entry);
    while (whole->write(out)) {
    }
    return;
  }
  switch (entry.type()) {
    case ValueType::kString:
      return write_rdb_string(out, store_, entry);
    case ValueType::kList:
      return write_packed_rdb_list(out, store_, entry);
    case ValueType::kSet:
      return write_packed_rdb_set(out, type_of(entry), store_, entry);
    case ValueType::kHash:
      return write_packed_rdb_hash(out, type_of(entry), store_, entry);
    case ValueType::kZset:
      return write_packed_rdb_zset(out, store_, entry);
    case ValueType::kStream:
      break;  // always a structure
  }
  LARDER_UNREACHABLE();
}

std::string dump_entry(Store& store, const Entry& entry, const RdbWriteOptions& options, bool compress) {
  const RdbWriter writer(store, options);
  RdbChunk chunk;
  RdbEncoder out(chunk);
  const RdbType type = writer.type_of(entry);
  out.byte(static_cast<uint8_t>(type));
  writer.value(out, entry);
  return finish_dump_payload(chunk, rdb_version_of(type), compress);
}

}  // namespace larder
