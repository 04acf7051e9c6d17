// The codecs, one per type, each in a file of its own: rdb_string.cc, rdb_list.cc ...
//
// Writers get an entry of their type and write its value. Readers get the input behind the type byte and build a value of
// the memory form that the limits ask for; whatever the input holds, they build a value that keeps every invariant of its type, or
// latch an error in the input and leave nothing behind.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/bytes.h"
#include "persistence/rdb_encoder.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_input.h"
#include "storage/keyspace.h"
#include "storage/structure.h"

namespace larder {

// When a collection is kept packed: what the configuration says (list-max-listpack-size and its kin).
struct RdbLimits {
  int64_t list_node = -2;  // > 0: elements of a node; -1 .. -5: 4 to 64 KB
  size_t set_integers = 512;
  size_t set_entries = 128;
  size_t set_value_bytes = 64;
  size_t hash_entries = 512;
  size_t hash_value_bytes = 64;
  size_t zset_entries = 128;
  size_t zset_value_bytes = 64;
  size_t stream_node_bytes = 4096;
  size_t stream_node_entries = 100;
};

// A value that was read, ready to be put into a keyspace. Owns the structure, if there is one, until it is released.
class RdbValue {
 public:
  explicit RdbValue(Store& store) : store_(store) {}
  ~RdbValue() { clear(); }
  RdbValue(const RdbValue&) = delete;
  RdbValue& operator=(const RdbValue&) = delete;

  void clear();
  Store& store() { return store_; }

  ValueType type = ValueType::kString;
  Encoding encoding = Encoding::kEmbedded;
  // The text of a string, or packed bytes. A view of `text` or `packed`.
  Bytes bytes;
  Structure* structure = nullptr;

  // Memory that readers work with; kept from value to value.
  RdbText text;
  RdbText second;
  Buffer packed;

 private:
  Store& store_;
};

bool read_rdb_string(RdbInput& in, RdbValue* value);
void write_rdb_string(RdbEncoder& out, Store& store, const Entry& entry);

}  // namespace larder
