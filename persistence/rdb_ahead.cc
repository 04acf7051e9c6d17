#include "persistence/rdb_ahead.h"

#include <algorithm>

#include "persistence/rdb_format.h"

namespace larder {
namespace {

constexpr size_t kKeysMax = 16;
// A value of more parts is not skipped: what comes behind it is too far away.
constexpr uint64_t kPartsMax = 64;

// Reads what RdbInput reads, as far as a look needs it. False: not understood, or not there as a whole.
class Skipper {
 public:
  explicit Skipper(Bytes bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool byte(uint8_t* value) {
    if (at_ == end_) return false;
    *value = static_cast<uint8_t>(*at_++);
    return true;
  }
  bool skip(uint64_t size) {
    if (size > static_cast<uint64_t>(end_ - at_)) return false;
    at_ += size;
    return true;
  }
  // Of a string that is neither compressed nor a number.
  bool plain_text(Bytes* text) {
    bool is_encoding;
    uint64_t size;
    if (!length(&size, &is_encoding) || is_encoding) return false;
    *text = Bytes(at_, static_cast<size_t>(std::min<uint64_t>(size, static_cast<uint64_t>(end_ - at_))));
    return skip(size);
  }
  bool skip_text() {
    bool is_encoding;
    uint64_t size;
    if (!length(&size, &is_encoding)) return false;
    if (!is_encoding) return skip(size);
    if (size <= kRdbInt32) return skip(uint64_t{1} << size);
    uint64_t raw_size;
    return size == kRdbLzf && length(&size, &is_encoding) && !is_encoding && length(&raw_size, &is_encoding) &&
           !is_encoding && skip(size);
  }
  bool count(uint64_t* value) {
    bool is_encoding;
    return length(value, &is_encoding) && !is_encoding && *value <= kPartsMax;
  }

  bool length(uint64_t* value, bool* is_encoding) {
    uint8_t first;
    if (!byte(&first)) return false;
    *is_encoding = first >> 6 == 3;
    *value = first & 0x3f;
    if (first >> 6 != 1 && first >> 6 != 2) return true;
    // Of the forms of more than two bytes only the one of 32 bits is met where it matters.
    if (first >> 6 == 2 && first != 0x80) return false;
    size_t more = 1;
    if (first == 0x80) {
      *value = 0;
      more = 4;
    }
    for (; more > 0; more--) {
      uint8_t next;
      if (!byte(&next)) return false;
      *value = (*value << 8) | next;
    }
    return true;
  }

 private:
  const char* at_;
  const char* end_;
};

bool skip_texts(Skipper& in, uint64_t count, uint64_t bytes_behind = 0) {
  for (; count > 0; count--) {
    if (!in.skip_text() || !in.skip(bytes_behind)) return false;
  }
  return true;
}

bool skip_value(Skipper& in, RdbType type) {
  uint64_t count;
  switch (type) {
    case RdbType::kString:
    case RdbType::kListZiplist:
    case RdbType::kSetIntset:
    case RdbType::kZsetZiplist:
    case RdbType::kHashZipmap:
    case RdbType::kHashZiplist:
    case RdbType::kHashListpack:
    case RdbType::kZsetListpack:
    case RdbType::kSetListpack:
      return in.skip_text();
    case RdbType::kList:
    case RdbType::kSet:
    case RdbType::kListQuicklist:
      return in.count(&count) && skip_texts(in, count);
    case RdbType::kHash:
      return in.count(&count) && skip_texts(in, 2 * count);
    case RdbType::kZset2:
      return in.count(&count) && skip_texts(in, count, sizeof(double));
    case RdbType::kListQuicklist2:
      if (!in.count(&count)) return false;
      for (uint64_t container; count > 0; count--) {
        if (!in.count(&container) || !in.skip_text()) return false;
      }
      return true;
    default:
      return false;
  }
}

// The next key and its value type. False: something else comes next.
bool next_key(Skipper& in, RdbType* type, Bytes* key) {
  uint8_t code;
  while (in.byte(&code)) {
    uint64_t ignored;
    bool is_encoding;
    switch (static_cast<RdbOpcode>(code)) {
      case RdbOpcode::kExpireMs:
        if (!in.skip(8)) return false;
        continue;
      case RdbOpcode::kExpireSeconds:
        if (!in.skip(4)) return false;
        continue;
      case RdbOpcode::kFreq:
        if (!in.skip(1)) return false;
        continue;
      case RdbOpcode::kIdle:
        if (!in.length(&ignored, &is_encoding)) return false;
        continue;
      default:
        break;
    }
    *type = static_cast<RdbType>(code);
    return code <= static_cast<uint8_t>(RdbType::kHashListpackEx) && in.plain_text(key);
  }
  return false;
}

}  // namespace

size_t prefetch_rdb_keys(Bytes bytes, const Keyspace& keyspace, const Store& store) {
  Skipper in(bytes);
  RdbType type;
  Bytes key;
  // All hashes first: the table's directory is not in the nearest cache either, and 16 looks at it in a row wait together.
  uint64_t hashes[kKeysMax];
  size_t count = 0;
  while (count < kKeysMax && next_key(in, &type, &key)) {
    hashes[count++] = store.hashed(key).hash;
    if (!skip_value(in, type)) break;
  }
  for (size_t i = 0; i < count; i++) keyspace.prefetch_place(hashes[i]);
  return count;
}

}  // namespace larder
