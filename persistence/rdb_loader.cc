#include "persistence/rdb_loader.h"

#include <algorithm>
#include <utility>

#include "persistence/dump_payload.h"
#include "persistence/rdb_ahead.h"
#include "storage/eviction.h"

namespace larder {
namespace {

// Keys are longer than this in no file that a server wrote.
constexpr size_t kKeyBytesMax = kEntryKeyBytesMax;
// The first version whose files end with a checksum.
constexpr int kChecksumSinceVersion = 5;
constexpr int kAuxSinceVersion = 7;
constexpr int64_t kMsPerSecond = 1000;
// The least that a key takes: a type, the length of an empty key, and a value as short as that.
constexpr uint64_t kKeyItemBytesMin = 3;

// The parts of a module's data, up to their end.
bool skip_module_parts(RdbInput& in) {
  uint64_t kind;
  while (in.length(&kind)) {
    uint64_t ignored;
    bool read = false;
    switch (static_cast<RdbModulePart>(kind)) {
      case RdbModulePart::kEof:
        return true;
      case RdbModulePart::kSigned:
      case RdbModulePart::kUnsigned:
        read = in.length(&ignored);
        break;
      case RdbModulePart::kFloat:
        read = in.little_endian(4, &ignored);
        break;
      case RdbModulePart::kDouble:
        read = in.little_endian(8, &ignored);
        break;
      case RdbModulePart::kString:
        read = in.skip_text();
        break;
      default:
        return in.corrupt("module data of no known kind");
    }
    if (!read) return false;
  }
  return false;
}

bool read_collection(RdbInput& in, RdbType type, RdbPlace& place) {
  switch (type) {
    case RdbType::kList:
    case RdbType::kListZiplist:
    case RdbType::kListQuicklist:
    case RdbType::kListQuicklist2:
      return read_rdb_list(in, type, place);
    case RdbType::kSet:
    case RdbType::kSetIntset:
    case RdbType::kSetListpack:
      return read_rdb_set(in, type, place);
    case RdbType::kZset:
    case RdbType::kZset2:
    case RdbType::kZsetZiplist:
    case RdbType::kZsetListpack:
      return read_rdb_zset(in, type, place);
    case RdbType::kHash:
    case RdbType::kHashZipmap:
    case RdbType::kHashZiplist:
    case RdbType::kHashListpack:
    case RdbType::kHashMetadataPreGa:
    case RdbType::kHashListpackExPreGa:
    case RdbType::kHashMetadata:
    case RdbType::kHashListpackEx:
    case RdbType::kHashValkey:
      return read_rdb_hash(in, type, place);
    case RdbType::kStreamListpacks:
    case RdbType::kStreamListpacks2:
    case RdbType::kStreamListpacks3:
      return read_rdb_stream(in, type, place);
    case RdbType::kModulePreGa:
    case RdbType::kModule2:
      return in.fail(ErrorCode::kUnsupported, "a value of a module");
    case RdbType::kString:
      break;
  }
  LARDER_UNREACHABLE();
}

}  // namespace

bool RdbValueReader::read(RdbInput& in, RdbType type, Keyspace& keyspace, const HashedKey& key, int64_t deadline_ms,
                          int64_t now_ms) {
  RdbPlace place{keyspace, key, now_ms, limits_, text_, second_, packed_};
  if (type == RdbType::kString) return read_rdb_string(in, place, deadline_ms);
  if (keyspace.table().find(key.hash, key.bytes) != nullptr) return in.corrupt("a key that was there already");
  if (read_collection(in, type, place)) {
    if (deadline_ms != kNoDeadline) keyspace.set_deadline(key, deadline_ms, now_ms);
    return true;
  }
  keyspace.erase(key, now_ms);
  return false;
}

Status read_dump_payload(Bytes payload, const RdbLimits& limits, Keyspace& keyspace, const HashedKey& key,
                         int64_t now_ms) {
  RdbInput in(dump_payload_body(payload));
  RdbValueReader values(limits);
  uint8_t type_byte;
  if (!in.byte(&type_byte)) return in.error();
  const std::optional<RdbType> type = rdb_type_of(type_byte, dump_payload_version(payload));
  if (!type) return Status(ErrorCode::kCorruption, "a value type that does not exist");
  if (!values.read(in, *type, keyspace, key, kNoDeadline, now_ms)) return in.error();
  if (in.bytes_left() == 0) return Status();
  keyspace.erase(key, now_ms);
  return Status(ErrorCode::kCorruption, "bytes behind the value");
}

RdbLoader::RdbLoader(Store& store, File& file, uint64_t offset, uint64_t end_offset, const RdbLoadOptions& options)
    : store_(store), options_(options), in_(file, offset, end_offset), values_(options.limits), scratch_(store, 0) {}

RdbLoader::RdbLoader(Store& store, Bytes bytes, const RdbLoadOptions& options)
    : store_(store), options_(options), in_(bytes), values_(options.limits), scratch_(store, 0) {}

Result<bool> RdbLoader::step(size_t keys_max) {
  if (!header_read_) {
    if (!read_header()) return in_.error();
    header_read_ = true;
  }
  const uint64_t keys_before = counts_.keys_loaded + counts_.keys_expired;
  bool ended = false;
  do {
    // What is said about a key is no whole without the key.
    if (deadline_ms_ == kNoDeadline && !has_access_) whole_offset_ = in_.offset();
    if (keys_prefetched_ == 0 && !options_.only_check) {
      keys_prefetched_ = prefetch_rdb_keys(in_.ahead(), store_.database(db_), store_);
    }
    if (!read_item(&ended)) return in_.error();
  } while (!ended && counts_.keys_loaded + counts_.keys_expired - keys_before < keys_max);
  return !ended;
}

bool RdbLoader::read_header() {
  Bytes header;
  if (!in_.raw(kRdbHeaderBytes, &header)) return false;
  const bool valkey = header.substr(0, 6) == "VALKEY";
  if (!valkey && header.substr(0, 5) != "REDIS") return in_.corrupt("no RDB file: its signature is missing");
  for (const char c : header.substr(valkey ? 6 : 5)) {
    if (!is_digit(c)) return in_.corrupt("an RDB version that is no number");
    version_ = version_ * 10 + (c - '0');
  }
  if (is_rdb_version(static_cast<uint64_t>(version_)) && valkey == (version_ >= kRdbVersionValkey)) {
    return true;
  }
  return in_.fail(ErrorCode::kUnsupported, "RDB version " + std::to_string(version_) + ", which is not known here,");
}

bool RdbLoader::read_item(bool* ended) {
  uint8_t code;
  if (!in_.byte(&code)) return false;
  if (code >= static_cast<uint8_t>(RdbOpcode::kSlotImport)) return read_opcode(static_cast<RdbOpcode>(code), ended);
  const std::optional<RdbType> type = rdb_type_of(code, version_);
  if (!type) return in_.corrupt("a value type that does not exist (" + std::to_string(code) + ")");
  return read_key(*type);
}

bool RdbLoader::read_opcode(RdbOpcode code, bool* ended) {
  // A damaged version must not be what turns the checksum off.
  if (version_ < kAuxSinceVersion && code <= RdbOpcode::kResizeDb) {
    return in_.corrupt("a part that files of this version do not have");
  }
  uint64_t value;
  switch (code) {
    case RdbOpcode::kExpireSeconds:
      if (!in_.little_endian(4, &value)) return false;
      deadline_ms_ = static_cast<int64_t>(static_cast<int32_t>(value)) * kMsPerSecond;
      return true;
    case RdbOpcode::kExpireMs:
      if (!in_.little_endian(8, &value)) return false;
      // The last moment of the clock means "never" in memory.
      deadline_ms_ = std::min(static_cast<int64_t>(value), kNoDeadline - 1);
      return true;
    case RdbOpcode::kFreq: {
      uint8_t frequency;
      if (!in_.byte(&frequency)) return false;
      has_access_ = store_.access().tracking() == AccessTracking::kFrequency;
      if (has_access_) access_state_ = store_.access().state_of_frequency(frequency);
      return true;
    }
    case RdbOpcode::kIdle:
      if (!in_.length(&value)) return false;
      has_access_ = store_.access().tracking() == AccessTracking::kRecency;
      if (has_access_)
        access_state_ = store_.access().state_of_idle(static_cast<uint32_t>(std::min<uint64_t>(value, UINT32_MAX)));
      return true;
    case RdbOpcode::kSelectDb:
      if (!in_.length(&value)) return false;
      if (value >= static_cast<uint64_t>(options_.databases > 0 ? options_.databases : store_.database_count())) {
        return in_.fail(ErrorCode::kResourceLimit, "database " + std::to_string(value) + ", more than are configured,");
      }
      db_ = static_cast<int>(value);
      return true;
    case RdbOpcode::kResizeDb:
      return read_sizes();
    case RdbOpcode::kSlotImport:
      return in_.fail(ErrorCode::kUnsupported, "a slot that was on its way between two nodes");
    case RdbOpcode::kSlotInfo:
      return in_.length(&value) && in_.length(&value) && in_.length(&value);
    case RdbOpcode::kAux:
      if (!in_.text(&key_)) return false;
      key_.keep();
      if (!in_.text(&second_)) return false;
      if (on_aux) on_aux(key_.bytes(), second_.bytes());
      return true;
    case RdbOpcode::kModuleAux:
      return skip_module_aux();
    case RdbOpcode::kFunction2:
      return read_function();
    case RdbOpcode::kFunctionPreGa:
      return in_.fail(ErrorCode::kUnsupported, "functions of a pre-release format");
    case RdbOpcode::kEof:
      *ended = true;
      if (!check_end()) return false;
      for (int db = 0; !options_.only_check && db < store_.database_count(); db++) store_.database(db).settle_keys();
      return true;
  }
  LARDER_UNREACHABLE();
}

// How many keys the database has. No more are believed in all than the file has room for.
bool RdbLoader::read_sizes() {
  uint64_t keys;
  uint64_t volatile_keys;
  if (!in_.length(&keys) || !in_.length(&volatile_keys)) return false;
  if (options_.only_check || store_.database(db_).size() > 0) return true;
  const uint64_t room = in_.bytes_left() / kKeyItemBytesMin;
  keys = std::min(keys, room - std::min(room, keys_expected_));
  keys_expected_ += keys;
  store_.database(db_).expect_keys(keys);
  return true;
}

bool RdbLoader::skip_module_aux() {
  uint64_t module_id;
  uint64_t when_kind;
  uint64_t when;
  if (!in_.length(&module_id) || !in_.length(&when_kind) || !in_.length(&when)) return false;
  if (when_kind != static_cast<uint64_t>(RdbModulePart::kUnsigned)) return in_.corrupt("module data without its place");
  counts_.module_parts++;
  return skip_module_parts(in_);
}

bool RdbLoader::read_function() {
  if (!in_.text(&second_)) return false;
  counts_.functions++;
  if (!on_function) return true;
  const Status loaded = on_function(second_.bytes());
  return loaded.ok() ||
         in_.fail(loaded.code(), "a library of functions does not load: " + std::string(loaded.message()));
}

bool RdbLoader::check_end() {
  if (version_ < kChecksumSinceVersion) return true;
  const uint64_t computed = in_.checksum();
  uint64_t stored;
  if (!in_.little_endian(kRdbChecksumBytes, &stored)) return false;
  if (stored == 0 || stored == computed || !options_.check_checksum) return true;
  return in_.corrupt("the checksum is wrong: some byte of the file is damaged; found");
}

bool RdbLoader::read_key(RdbType type) {
  if (keys_prefetched_ > 0) keys_prefetched_--;
  if (!in_.text(&key_)) return false;
  if (key_.size() > kKeyBytesMax) return in_.fail(ErrorCode::kResourceLimit, "a key that is too long");
  key_.keep();
  const HashedKey key = store_.hashed(key_.bytes());
  const bool expired = deadline_ms_ <= options_.now_ms && options_.drop_expired;
  const bool only_look = expired || options_.only_check;
  Keyspace& keyspace = only_look ? scratch_ : store_.database(db_);
  if (options_.replaces) keyspace.erase(key, options_.now_ms);
  const size_t size_before = keyspace.size();
  if (!values_.read(in_, type, keyspace, key, expired ? kNoDeadline : deadline_ms_, options_.now_ms)) return false;
  settle_key(keyspace, key, keyspace.size() > size_before);
  if (expired) {
    counts_.keys_expired++;
  } else {
    counts_.keys_loaded++;
    counts_.volatile_keys += deadline_ms_ != kNoDeadline;
  }
  forget_key_facts();
  return true;
}

// The value is built: what is left is its access state, or to take it away again.
void RdbLoader::settle_key(Keyspace& keyspace, const HashedKey& key, bool is_there) {
  if (!is_there) counts_.keys_empty++;
  if (&keyspace == &scratch_) {
    if (is_there && on_looked_at) on_looked_at(db_, *keyspace.table().find(key.hash, key.bytes)->item());
    (void)scratch_.flush();
  } else if (has_access_) {
    keyspace.set_access_state(key, access_state_);
  }
}

void RdbLoader::forget_key_facts() {
  deadline_ms_ = kNoDeadline;
  has_access_ = false;
}

}  // namespace larder
