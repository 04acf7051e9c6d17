//
// Writers get an entry of their type and write its value. Readers get the input behind the type byte and build the value
// under a key that does not exist yet, through the handle of its type, so that it takes the form that the limits ask
// for. Whatever the input holds, the value keeps every invariant of its type, or an error is latched in the input; what was
// built until then is the caller's to remove. A collection without elements leaves no key behind.
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer.h"
#include "base/bytes.h"
#include "persistence/rdb_encoder.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_input.h"
#include "persistence/rdb_legacy.h"
#include "storage/hash_value.h"
#include "storage/keyspace.h"
#include "storage/list_value.h"
#include "storage/set_value.h"
#include "storage/stream_value.h"
#include "storage/zset_value.h"

namespace larder {

// When a collection is kept packed: what the configuration says.
struct RdbLimits {
  ListLimits list;
  SetLimits set;
  HashLimits hash;
  ZsetLimits zset;
};

// Where a value is built.
struct RdbPlace {
  Keyspace& keyspace;
  HashedKey key;
  int64_t now_ms;
  const RdbLimits& limits;
  // Memory that readers work with; kept from value to value.
  RdbText& text;
  RdbText& second;
  Buffer& packed;

  // Requires: the key does not exist yet.
  template <class Value>
  Value handle() {
    return Value(keyspace, key, nullptr, now_ms);
  }
};

// A handle for reading an entry as it lies there, whatever the time. Of a hash every field is seen.
template <class Value>
class RdbEntryHandle {
 public:
  RdbEntryHandle(Store& store, const Entry& entry) {
    slot_.word = HashSlot::make(0, reinterpret_cast<uintptr_t>(&entry));
    value_ = Value(store.database(0), HashedKey{entry.key(), 0}, &slot_, INT64_MIN);
  }
  RdbEntryHandle(const RdbEntryHandle&) = delete;
  RdbEntryHandle& operator=(const RdbEntryHandle&) = delete;
  const Value* operator->() const { return &value_; }
  const Value& operator*() const { return value_; }

 private:
  EntrySlot slot_;
  Value value_;
};

// A value that is a structure, on its way into a file: as it was when this was made. Either the structure does not change
// until the last piece is written, or this is told of the changes as a StructureGuard is (HeldEntry sees to that).
class RdbPieces {
 public:
  // About what a piece adds to the chunk: some 20 us of work.
  static constexpr size_t kPieceBytes = 16 * 1024;

  virtual ~RdbPieces() = default;
  // Appends another piece. False: that was the last one.
  [[nodiscard]] virtual bool write(RdbEncoder& out) = 0;

  // ---- As of StructureGuard
  virtual void changing() = 0;
  virtual void item_changing(uint64_t hash, const void* item) = 0;
  virtual void item_coming(uint64_t hash, Bytes name) = 0;
  // Bytes of memory that it has taken because of changes.
  virtual size_t held_bytes() const = 0;
  // Lets go of the structure, and of what would take long to free.
  virtual void let_go(Store& store) = 0;
};

// `deadline_ms` of a string is put in with it, in one go.
bool read_rdb_string(RdbInput& in, RdbPlace& place, int64_t deadline_ms);
void write_rdb_string(RdbEncoder& out, Store& store, const Entry& entry);

// For each type of collection: what reads it; which RDB type an entry is written as; what writes it when it is packed in
// its entry, and when it is a structure.
bool read_rdb_list(RdbInput& in, RdbType type, RdbPlace& place);
void write_packed_rdb_list(RdbEncoder& out, Store& store, const Entry& entry);
std::unique_ptr<RdbPieces> rdb_list_pieces(ListStructure& list);

bool read_rdb_set(RdbInput& in, RdbType type, RdbPlace& place);
RdbType rdb_set_type(Store& store, const Entry& entry, int version);
void write_packed_rdb_set(RdbEncoder& out, RdbType type, Store& store, const Entry& entry);
std::unique_ptr<RdbPieces> rdb_set_pieces(const SetStructure& set);

bool read_rdb_hash(RdbInput& in, RdbType type, RdbPlace& place);
RdbType rdb_hash_type(Store& store, const Entry& entry);
void write_packed_rdb_hash(RdbEncoder& out, RdbType type, Store& store, const Entry& entry);
std::unique_ptr<RdbPieces> rdb_hash_pieces(const HashStructure& hash);

bool read_rdb_zset(RdbInput& in, RdbType type, RdbPlace& place);
RdbType rdb_zset_type(const Entry& entry);
void write_packed_rdb_zset(RdbEncoder& out, Store& store, const Entry& entry);
std::unique_ptr<RdbPieces> rdb_zset_pieces(const ZsetStructure& zset);

bool read_rdb_stream(RdbInput& in, RdbType type, RdbPlace& place);
RdbType rdb_stream_type(int version);
std::unique_ptr<RdbPieces> rdb_stream_pieces(const StreamStructure& stream, RdbType type);

}  // namespace larder
