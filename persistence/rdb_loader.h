// Reading RDB: a value, a DUMP payload, a whole file into a store in pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "persistence/rdb_codecs.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_input.h"
#include "storage/keyspace.h"

namespace larder {

// Reads values into keyspaces. Keeps the memory that it works with.
class RdbValueReader {
 public:
  explicit RdbValueReader(const RdbLimits& limits) : limits_(limits) {}
  // Builds the value behind its type byte under a key that must not exist yet. False: the input has the error, and the
  // key does not exist. A collection without elements (or whose fields are all over) makes no key either.
  bool read(RdbInput& in, RdbType type, Keyspace& keyspace, const HashedKey& key, int64_t deadline_ms, int64_t now_ms);

 private:
  RdbLimits limits_;
  RdbText text_;
  RdbText second_;
  Buffer packed_;
};

// Builds the value of a payload that passed check_dump_payload() (dump_payload.h); see RdbValueReader::read.
Status read_dump_payload(Bytes payload, const RdbLimits& limits, Keyspace& keyspace, const HashedKey& key,
                         int64_t now_ms);

struct RdbLoadOptions {
  int64_t now_ms = 0;
  bool drop_expired = true;  // keys past their deadline are not loaded
  bool check_checksum = true;
  bool only_check = false;  // reads everything, keeps nothing
  bool replaces = false;    // a key that is there already gives way; else it is an error
  int databases = 0;        // how many there may be; 0: as many as the store has
  RdbLimits limits;
};

struct RdbLoadCounts {
  uint64_t keys_loaded = 0;
  uint64_t keys_expired = 0;
  uint64_t keys_empty = 0;     // collections without elements, which old versions could write
  uint64_t volatile_keys = 0;  // of the loaded ones
  uint64_t functions = 0;      // libraries of functions that were in the file
  uint64_t module_parts = 0;   // auxiliary data of modules, which is skipped
};

class RdbLoader {
 public:
  // The file from `offset` to `end_offset`. Store and file outlive the loader.
  RdbLoader(Store& store, File& file, uint64_t offset, uint64_t end_offset, const RdbLoadOptions& options);
  // The same with bytes in memory, which outlive the loader.
  RdbLoader(Store& store, Bytes bytes, const RdbLoadOptions& options);

  // Loads about `keys_max` keys. True: there is more. False: the file is loaded, and its checksum was right. An error
  // names the offset of the damage; keys before it are in the store.
  Result<bool> step(size_t keys_max);
  // How far it has come. At the end: the first byte behind the checksum.
  uint64_t offset() const { return in_.offset(); }
  // Behind the last key (or other part) that was read as a whole.
  uint64_t whole_offset() const { return whole_offset_; }
  const RdbLoadCounts& counts() const { return counts_; }

  // Called every 256 KiB of a file, also inside a large collection, which is not to be looked at then.
  void on_progress(std::function<void()> call) { in_.on_progress = std::move(call); }

  // Called for every library of functions and every aux field, if set. A library's error ends the load.
  std::function<Status(Bytes library_code)> on_function;
  std::function<void(Bytes name, Bytes value)> on_aux;
  // With only_check: called for every key before it is forgotten, if set.
  std::function<void(int db, const Entry& entry)> on_looked_at;

 private:
  bool read_header();
  // One opcode or key. *ended: that was the end of the file.
  bool read_item(bool* ended);
  bool read_opcode(RdbOpcode code, bool* ended);
  bool read_key(RdbType type);
  bool read_function();
  bool read_sizes();
  bool skip_module_aux();
  bool check_end();
  void settle_key(Keyspace& keyspace, const HashedKey& key, bool is_there);
  void forget_key_facts();

  Store& store_;
  RdbLoadOptions options_;
  RdbInput in_;
  RdbValueReader values_;
  Keyspace scratch_;  // for values that are only looked at
  RdbText key_;
  RdbText second_;
  RdbLoadCounts counts_;
  size_t keys_prefetched_ = 0;  // that come next
  int version_ = 0;
  bool header_read_ = false;
  int db_ = 0;
  uint64_t keys_expected_ = 0;  // in all databases
  int64_t deadline_ms_ = kNoDeadline;
  bool has_access_ = false;
  uint32_t access_state_ = 0;
  uint64_t whole_offset_ = 0;
};

}  // namespace larder
