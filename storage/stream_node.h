// A node of a stream: up to a hundred entries in one packed sequence (listpack.h), laid out as Redis publishes it, so that
// saving a node is a copy and loading one a check.
//
//   master entry:  live │ deleted │ field count n │ name 1 .. name n │ 0
//   entry:         flags │ ms │ seq │ [field count │ name 1 │ value 1 ..] or value 1 .. value n │ element count
//
// The first entry of a node gives it its ID and its field names. `ms` and `seq` are differences from the node's ID. An
// entry with the very same names in the same order has kSameFields and keeps its values only. The element count at an
// entry's end (of its elements but that one) is for walking backwards; the 0 of the master entry ends such a walk. A
// deleted entry stays, with kDeleted, until its node has no live one.
//
// Reading trusts the bytes: whatever comes from outside goes through validate_stream_node() first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "storage/listpack.h"
#include "storage/stream_id.h"
#include "storage/stream_memory.h"

namespace larder {

// The largest node, and about the largest entry.
inline constexpr size_t kStreamNodeBytesMax = size_t{1} << 30;

struct StreamNodeLimits {
  size_t bytes_max = 4096;   // stream-node-max-bytes; 0: no limit
  size_t entries_max = 100;  // stream-node-max-entries; 0: no limit
};

struct StreamNode {
  StreamId id;  // of its first entry, deleted or not
  char* content;
  uint32_t bytes;
  uint32_t capacity;
  uint32_t elements;  // of the packed sequence, for its frame in files

  Bytes sequence() const { return {content, bytes}; }
};

// Names and values alternate. Requires: an even number, at least 2.
using StreamFields = std::span<const Bytes>;

// An entry where it lies, valid until the stream changes.
struct StreamEntry {
  StreamId id;
  uint64_t field_count = 0;
  const char* names = nullptr;   // of the first name; in the master entry if `values` is set
  const char* values = nullptr;  // of the first value; null: every name is followed by its value

  // Calls visit(const PackedElement& name, const PackedElement& value) for each field.
  template <class Visit>
  void for_each_field(Visit visit) const {
    const char* name_at = names;
    const char* value_at = values;
    for (uint64_t i = 0; i < field_count; i++) {
      const PackedElement name = read_packed(name_at);
      const PackedElement value = read_packed(values != nullptr ? value_at : name.end());
      name_at = values != nullptr ? name.end() : value.end();
      value_at = value.end();
      visit(name, value);
    }
  }
};

// Steps through the entries of a node, deleted ones included, in both directions.
class StreamNodeReader {
 public:
  StreamNodeReader() = default;
  explicit StreamNodeReader(const StreamNode& node);

  uint64_t live() const { return live_; }
  uint64_t deleted() const { return deleted_; }
  // Where the entries begin and end.
  const char* begin() const { return begin_; }
  const char* end() const { return end_; }
  // The entry that starts at `at`. Returns where the next one starts. Requires: at != end().
  const char* read(const char* at, StreamEntry* entry, bool* is_deleted) const;
  // Where the entry starts that ends at `end`. Requires: end != begin().
  static const char* start_before(const char* end);
  // Where the first entry with an ID of at least `id` starts; end() if there is none.
  const char* at_or_after(StreamId id) const;
  // Whether the entry's names are the node's own.
  bool has_names(StreamFields fields) const;
  uint64_t field_count() const { return field_count_; }

 private:
  StreamId id_;
  uint64_t live_ = 0;
  uint64_t deleted_ = 0;
  uint64_t field_count_ = 0;
  const char* names_ = nullptr;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
};

// A node with one entry, whose ID is the node's.
StreamNode* create_stream_node(StreamMemory& memory, StreamId id, StreamFields fields);
// A node with these bytes. Requires: validate_stream_node() found them good; `elements` is their count.
StreamNode* create_stream_node(StreamMemory& memory, StreamId id, Bytes sequence, size_t elements);
void free_stream_node(StreamMemory& memory, StreamNode* node);
// Whether another entry may go into the node. `payload_bytes` is the length of its names and values.
bool stream_node_has_room(const StreamNode& node, size_t payload_bytes, const StreamNodeLimits& limits);
// Requires: id is above that of every entry of the node.
void append_to_stream_node(StreamMemory& memory, StreamNode& node, StreamId id, StreamFields fields);
// Gives back memory that only further entries would need.
void close_stream_node(StreamMemory& memory, StreamNode& node);
// Marks the entry that starts at `at` as deleted, with the counts of the node. Returns where the next one starts; other
// positions in the node are invalid then. Requires: it is not marked yet.
const char* delete_in_stream_node(StreamMemory& memory, StreamNode& node, const char* at);

// Takes out the deleted entries behind the last live one, whose IDs may be used again.
void drop_deleted_tail(StreamMemory& memory, StreamNode& node);

// What a node from outside holds.
struct StreamNodeFacts {
  size_t elements = 0;
  uint64_t live = 0;
  StreamId first;  // IDs of the first and the last entry, deleted ones included
  StreamId last;
};
// Checks every structural rule of a node with this ID, its IDs in ascending order included. False: it is malformed.
bool validate_stream_node(StreamId id, Bytes sequence, StreamNodeFacts* facts);

}  // namespace larder
