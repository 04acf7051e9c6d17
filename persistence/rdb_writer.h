// Writing values, keys and whole files in the RDB format. What is written depends on the version: 10 is what Redis 7.0
// reads, 11 (7.2) adds packed sets and the activity time of stream consumers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "persistence/rdb_codecs.h"
#include "persistence/rdb_encoder.h"
#include "persistence/rdb_format.h"
#include "storage/keyspace.h"

namespace larder {

struct RdbWriteOptions {
  int version = kRdbVersion;  // kRdbVersionMin .. kRdbVersionFieldDeadlines; a value may need a later one
  bool with_access = false;   // idle times or frequencies of the keys, as the store tracks them
};

// What is in front of a value in a file.
struct RdbEntryHead {
  RdbType type;
  std::string key;
  int64_t deadline_ms;
  uint32_t access_state;
};

class RdbWriter {
 public:
  RdbWriter(Store& store, const RdbWriteOptions& options) : store_(store), options_(options) {}

  // ---- A file: header, aux fields, keys, end. The checksum is the business of who finishes the chunks.
  void header(RdbEncoder& out) const;
  void aux(RdbEncoder& out, Bytes name, Bytes value) const;
  // What follows belongs to this database; `keys` and `volatile_keys` are hints for who loads.
  void select(RdbEncoder& out, int db, uint64_t keys, uint64_t volatile_keys) const;
  // A key with its value, deadline and access state.
  void entry(RdbEncoder& out, const Entry& entry) const;
  // The same up to the value, for a value that is written later.
  RdbEntryHead head_of(const Entry& entry) const;
  void head(RdbEncoder& out, const RdbEntryHead& head) const {
    write_head(out, head.type, head.key, head.deadline_ms, head.access_state);
  }
  // The value of such an entry, in pieces. Requires: it is a structure.
  std::unique_ptr<RdbPieces> pieces(const Entry& entry) const;
  // The source of a library of functions. Before all keys.
  void function(RdbEncoder& out, Bytes library_source) const;
  void end(RdbEncoder& out) const;

  // ---- A value by itself
  RdbType type_of(const Entry& entry) const;
  void value(RdbEncoder& out, const Entry& entry) const;

 private:
  void write_head(RdbEncoder& out, RdbType type, Bytes key, int64_t deadline_ms, uint32_t access_state) const;

  Store& store_;
  RdbWriteOptions options_;
};

// The payload of DUMP: type, value, version and checksum. The version is the oldest one that knows the type.
std::string dump_entry(Store& store, const Entry& entry, const RdbWriteOptions& options, bool compress);

}  // namespace larder
