#include "storage/stream_node.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"

namespace larder {
namespace {

constexpr int64_t kDeleted = 1;
constexpr int64_t kSameFields = 2;

// The elements of an entry besides its fields: flags, ms, seq. And one more that counts the fields, unless kSameFields.
constexpr int64_t kEntryHeadElements = 3;
constexpr size_t kFirstCapacityBytes = 256;
constexpr size_t kNodeDoublingBytesMax = 1024 * 1024;

const char* skip_packed(const char* at, uint64_t count) {
  for (; count > 0; count--) at = read_packed(at).end();
  return at;
}

void reserve(StreamMemory& memory, StreamNode& node, size_t bytes) {
  if (bytes <= node.capacity) return;
  const size_t growth = node.capacity < kNodeDoublingBytesMax ? node.capacity : node.capacity / 4;
  const size_t wanted = block_bytes(std::max(bytes, node.capacity + growth));
  auto* content = static_cast<char*>(memory.allocate(wanted));
  std::memcpy(content, node.content, node.bytes);
  memory.free(node.content, node.capacity);
  node.content = content;
  node.capacity = static_cast<uint32_t>(wanted);
}

// Replaces the integer element at `at`. Returns its end.
const char* replace_integer(StreamMemory& memory, StreamNode& node, const char* at, int64_t number) {
  const auto offset = static_cast<size_t>(at - node.content);
  const size_t old_bytes = read_packed(at).total_bytes;
  const PackedText text(number);
  const size_t new_bytes = text.total_bytes();
  if (new_bytes != old_bytes) {
    reserve(memory, node, node.bytes + new_bytes);
    char* const place = node.content + offset;
    std::memmove(place + new_bytes, place + old_bytes, node.bytes - offset - old_bytes);
    node.bytes = static_cast<uint32_t>(node.bytes + new_bytes - old_bytes);
  }
  return text.write(node.content + offset);
}

// Adds to one of the two counts in front (0: live, 1: deleted).
void add_to_count(StreamMemory& memory, StreamNode& node, int index, int64_t delta) {
  const PackedElement first = read_packed(node.content);
  const PackedElement element = index == 0 ? first : read_packed(first.end());
  replace_integer(memory, node, element.at, element.number + delta);
}

// Writes elements behind each other. The caller has measured them.
class Writer {
 public:
  explicit Writer(char* out) : out_(out) {}
  void integer(int64_t number) { out_ = PackedText(number).write(out_); }
  void text(Bytes bytes) { out_ = PackedText(bytes).write(out_); }
  const char* end() const { return out_; }

 private:
  char* out_;
};

// An upper bound of what an element takes besides its bytes: 5 in front, 5 behind.
constexpr size_t kElementOverheadMax = 10;
constexpr size_t kIntegerElementBytesMax = 10;

size_t fields_bytes_max(StreamFields fields) {
  size_t bytes = 0;
  for (const Bytes text : fields) bytes += text.size() + kElementOverheadMax;
  return bytes;
}

}  // namespace

// ---- Reading

StreamNodeReader::StreamNodeReader(const StreamNode& node) : id_(node.id), end_(node.content + node.bytes) {
  const PackedElement live = read_packed(node.content);
  const PackedElement deleted = read_packed(live.end());
  const PackedElement field_count = read_packed(deleted.end());
  live_ = static_cast<uint64_t>(live.number);
  deleted_ = static_cast<uint64_t>(deleted.number);
  field_count_ = static_cast<uint64_t>(field_count.number);
  names_ = field_count.end();
  begin_ = skip_packed(names_, field_count_ + 1);
}

const char* StreamNodeReader::read(const char* at, StreamEntry* entry, bool* is_deleted) const {
  const PackedElement flags = read_packed(at);
  const PackedElement ms = read_packed(flags.end());
  const PackedElement seq = read_packed(ms.end());
  entry->id = {id_.ms + static_cast<uint64_t>(ms.number), id_.seq + static_cast<uint64_t>(seq.number)};
  *is_deleted = (flags.number & kDeleted) != 0;
  if (flags.number & kSameFields) {
    entry->field_count = field_count_;
    entry->names = names_;
    entry->values = seq.end();
    return skip_packed(entry->values, field_count_ + 1);
  }
  const PackedElement count = read_packed(seq.end());
  entry->field_count = static_cast<uint64_t>(count.number);
  entry->names = count.end();
  entry->values = nullptr;
  return skip_packed(entry->names, 2 * entry->field_count + 1);
}

const char* StreamNodeReader::start_before(const char* end) {
  const PackedElement count = read_packed_before(end);
  const char* at = count.at;
  for (int64_t i = 0; i < count.number; i++) at = read_packed_before(at).at;
  return at;
}

const char* StreamNodeReader::at_or_after(StreamId id) const {
  StreamEntry entry;
  bool is_deleted;
  for (const char* at = begin_; at != end_;) {
    const char* next = read(at, &entry, &is_deleted);
    if (entry.id >= id) return at;
    at = next;
  }
  return end_;
}

bool StreamNodeReader::has_names(StreamFields fields) const {
  if (fields.size() / 2 != field_count_) return false;
  const char* at = names_;
  for (size_t i = 0; i < fields.size(); i += 2) {
    const PackedElement name = read_packed(at);
    if (!name.equals(fields[i])) return false;
    at = name.end();
  }
  return true;
}

// ---- Changing

static StreamNode* create_empty_node(StreamMemory& memory, StreamId id, size_t capacity) {
  const size_t bytes = block_bytes(capacity);
  auto* content = static_cast<char*>(memory.allocate(bytes));
  return new (memory.allocate(sizeof(StreamNode))) StreamNode{id, content, 0, static_cast<uint32_t>(bytes), 0};
}

StreamNode* create_stream_node(StreamMemory& memory, StreamId id, StreamFields fields) {
  size_t master_bytes = 5 * kIntegerElementBytesMax;
  for (size_t i = 0; i < fields.size(); i += 2) master_bytes += fields[i].size() + kElementOverheadMax;
  StreamNode* node = create_empty_node(memory, id, std::max(master_bytes, kFirstCapacityBytes));
  const auto field_count = static_cast<int64_t>(fields.size() / 2);
  Writer writer(node->content);
  writer.integer(0);
  writer.integer(0);
  writer.integer(field_count);
  for (size_t i = 0; i < fields.size(); i += 2) writer.text(fields[i]);
  writer.integer(0);
  node->bytes = static_cast<uint32_t>(writer.end() - node->content);
  node->elements = static_cast<uint32_t>(field_count + 4);
  append_to_stream_node(memory, *node, id, fields);
  return node;
}

StreamNode* create_stream_node(StreamMemory& memory, StreamId id, Bytes sequence, size_t elements) {
  LARDER_ASSERT(sequence.size() <= UINT32_MAX / 2 && !sequence.empty());
  StreamNode* node = create_empty_node(memory, id, sequence.size());
  std::memcpy(node->content, sequence.data(), sequence.size());
  node->bytes = static_cast<uint32_t>(sequence.size());
  node->elements = static_cast<uint32_t>(elements);
  return node;
}

void free_stream_node(StreamMemory& memory, StreamNode* node) {
  memory.free(node->content, node->capacity);
  memory.free(node, sizeof(StreamNode));
}

bool stream_node_has_room(const StreamNode& node, size_t payload_bytes, const StreamNodeLimits& limits) {
  const bool bounded = limits.bytes_max > 0 && limits.bytes_max < kStreamNodeBytesMax;
  const size_t bytes_max = bounded ? limits.bytes_max : kStreamNodeBytesMax;
  if (node.bytes + kListpackFrameBytes + payload_bytes >= bytes_max) return false;
  if (limits.entries_max == 0) return true;
  const PackedElement live = read_packed(node.content);
  const PackedElement deleted = read_packed(live.end());
  return static_cast<uint64_t>(live.number + deleted.number) < limits.entries_max;
}

void append_to_stream_node(StreamMemory& memory, StreamNode& node, StreamId id, StreamFields fields) {
  reserve(memory, node, node.bytes + fields_bytes_max(fields) + 6 * kIntegerElementBytesMax);
  const bool same = StreamNodeReader(node).has_names(fields);
  const auto field_count = static_cast<int64_t>(fields.size() / 2);
  Writer writer(node.content + node.bytes);
  writer.integer(same ? kSameFields : 0);
  writer.integer(static_cast<int64_t>(id.ms - node.id.ms));
  writer.integer(static_cast<int64_t>(id.seq - node.id.seq));
  if (!same) writer.integer(field_count);
  for (size_t i = same ? 1 : 0; i < fields.size(); i += same ? 2 : 1) writer.text(fields[i]);
  const int64_t elements = kEntryHeadElements + (same ? field_count : 2 * field_count + 1);
  writer.integer(elements);
  node.bytes = static_cast<uint32_t>(writer.end() - node.content);
  node.elements += static_cast<uint32_t>(elements + 1);
  add_to_count(memory, node, 0, 1);
}

void close_stream_node(StreamMemory& memory, StreamNode& node) {
  const size_t wanted = block_bytes(node.bytes);
  if (wanted >= node.capacity) return;
  auto* content = static_cast<char*>(memory.allocate(wanted));
  std::memcpy(content, node.content, node.bytes);
  memory.free(node.content, node.capacity);
  node.content = content;
  node.capacity = static_cast<uint32_t>(wanted);
}

const char* delete_in_stream_node(StreamMemory& memory, StreamNode& node, const char* at) {
  // Counted from the end: what is in front may move.
  StreamEntry entry;
  bool is_deleted;
  const char* const next = StreamNodeReader(node).read(at, &entry, &is_deleted);
  LARDER_ASSERT(!is_deleted);
  const auto rest = static_cast<size_t>(node.content + node.bytes - next);
  replace_integer(memory, node, at, read_packed(at).number | kDeleted);
  add_to_count(memory, node, 0, -1);
  add_to_count(memory, node, 1, 1);
  return node.content + node.bytes - rest;
}

void drop_deleted_tail(StreamMemory& memory, StreamNode& node) {
  for (;;) {
    const StreamNodeReader reader(node);
    const char* const at = StreamNodeReader::start_before(reader.end());
    StreamEntry entry;
    bool is_deleted;
    reader.read(at, &entry, &is_deleted);
    if (!is_deleted) return;
    node.elements -= static_cast<uint32_t>(read_packed_before(reader.end()).number + 1);
    node.bytes = static_cast<uint32_t>(at - node.content);
    add_to_count(memory, node, 1, -1);
  }
}

// ---- From outside

namespace {

// Takes elements of a sequence that is known to be well formed, one by one.
class Taker {
 public:
  explicit Taker(Bytes sequence) : at_(sequence.data()), end_(sequence.data() + sequence.size()) {}
  bool at_end() const { return at_ == end_; }
  bool ok() const { return ok_; }
  int64_t integer() {
    const PackedElement element = next();
    if (!element.is_integer) ok_ = false;
    return element.number;
  }
  // A number of elements that are still to come.
  uint64_t count() {
    const int64_t number = integer();
    if (number < 0 || number > end_ - at_) ok_ = false;
    return ok_ ? static_cast<uint64_t>(number) : 0;
  }
  void skip(uint64_t elements) {
    for (; elements > 0 && ok_; elements--) next();
  }

 private:
  PackedElement next() {
    if (at_ == end_) ok_ = false;
    if (!ok_) return {};
    const PackedElement element = read_packed(at_);
    at_ = element.end();
    return element;
  }
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace

bool validate_stream_node(StreamId id, Bytes sequence, StreamNodeFacts* facts) {
  if (sequence.size() > kStreamNodeBytesMax + kStreamNodeBytesMax / 2) return false;
  if (!validate_packed(sequence, &facts->elements)) return false;
  Taker take(sequence);
  const uint64_t live = take.count();
  const uint64_t deleted = take.count();
  const uint64_t master_fields = take.count();
  take.skip(master_fields);
  if (take.integer() != 0 || !take.ok()) return false;
  uint64_t seen_live = 0;
  uint64_t seen_deleted = 0;
  while (!take.at_end()) {
    const int64_t flags = take.integer();
    const StreamId delta{static_cast<uint64_t>(take.integer()), static_cast<uint64_t>(take.integer())};
    const StreamId entry{id.ms + delta.ms, id.seq + delta.seq};
    const bool first = seen_live + seen_deleted == 0;
    if (entry < id || (!first && entry <= facts->last)) return false;
    if (first) facts->first = entry;
    facts->last = entry;
    ++((flags & kDeleted) ? seen_deleted : seen_live);
    const bool same = (flags & kSameFields) != 0;
    const uint64_t fields = same ? master_fields : take.count();
    take.skip(same ? fields : 2 * fields);
    const uint64_t elements = kEntryHeadElements + (same ? fields : 2 * fields + 1);
    if (static_cast<uint64_t>(take.integer()) != elements || !take.ok()) return false;
  }
  facts->live = live;
  return seen_live == live && seen_deleted == deleted && live + deleted > 0;
}

}  // namespace larder
