// Streams: packed nodes by the ID of their first entry, the stream's facts, its consumer groups.
//
//   nodes:      count │ (ID: a string of 16 bytes │ listpack) ...
//   facts:      length │ last ID      version 2: │ first ID │ last deleted ID │ entries ever added
//   groups:     count │ (name │ last ID │ [2: entries read] │ pending │ consumers) ...
//   pending:    count │ (ID, 16 raw bytes │ delivery time, 8 bytes │ deliveries) ...
//   consumers:  count │ (name │ seen time, 8 bytes │ [3: active time, 8 bytes] │ count │ (ID, 16 raw bytes) ...) ...
//
// Other IDs are two lengths. Version 1 is kStreamListpacks, and so on.

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "persistence/rdb_codecs.h"
#include "storage/stream_value.h"

namespace larder {
namespace {

constexpr size_t kTimeBytes = 8;

bool has_facts(RdbType type) { return type != RdbType::kStreamListpacks; }
bool has_active_times(RdbType type) { return type == RdbType::kStreamListpacks3; }

// ---- Reading

bool read_id(RdbInput& in, StreamId* id) { return in.length(&id->ms) && in.length(&id->seq); }

bool read_raw_id(RdbInput& in, StreamId* id) {
  Bytes raw;
  if (!in.raw(kStreamIdRawBytes, &raw)) return false;
  *id = read_raw_stream_id(raw.data());
  return true;
}

bool read_time(RdbInput& in, int64_t* time_ms) {
  uint64_t stored;
  if (!in.little_endian(kTimeBytes, &stored)) return false;
  *time_ms = static_cast<int64_t>(stored);
  return true;
}

bool read_nodes(RdbInput& in, RdbPlace& place, StreamStructure& stream) {
  uint64_t count;
  if (!in.count(&count)) return false;
  for (uint64_t i = 0; i < count; i++) {
    if (!in.text(&place.text)) return false;
    if (place.text.size() != kStreamIdRawBytes) return in.corrupt("a stream's node has no ID");
    const StreamId id = read_raw_stream_id(place.text.bytes().data());
    if (!in.text(&place.second)) return false;
    Bytes sequence;
    size_t elements;
    if (!read_listpack_frame(place.second.bytes(), &sequence, &elements) || !stream.load_node(id, sequence)) {
      return in.corrupt("a node of a stream is damaged");
    }
  }
  return true;
}

bool read_facts(RdbInput& in, RdbType type, StreamStructure& stream) {
  StreamStructure::Facts facts;
  if (!in.length(&facts.length) || !read_id(in, &facts.last_id)) return false;
  facts.entries_added = facts.length;
  if (has_facts(type) &&
      (!read_id(in, &facts.first_id) || !read_id(in, &facts.max_deleted_id) || !in.length(&facts.entries_added))) {
    return false;
  }
  return stream.load_facts(facts) || in.corrupt("what is said of a stream is not what is in it");
}

bool read_pending(RdbInput& in, StreamGroup& group) {
  uint64_t count;
  if (!in.count(&count)) return false;
  for (uint64_t i = 0; i < count; i++) {
    StreamId id;
    int64_t delivered_ms;
    uint64_t deliveries;
    if (!read_raw_id(in, &id) || !read_time(in, &delivered_ms) || !in.length(&deliveries)) return false;
    if (!group.load_pending(id, delivered_ms, deliveries)) return in.corrupt("an entry is pending twice");
  }
  return true;
}

bool read_consumer(RdbInput& in, RdbType type, RdbPlace& place, StreamGroup& group) {
  int64_t seen_ms;
  if (!in.text(&place.text)) return false;
  place.text.keep();
  if (!read_time(in, &seen_ms)) return false;
  int64_t active_ms = seen_ms;
  if (has_active_times(type) && !read_time(in, &active_ms)) return false;
  if (group.find_consumer(place.text.bytes()) != nullptr) return in.corrupt("a group has a consumer twice");
  StreamConsumer* consumer = group.create_consumer(place.text.bytes(), seen_ms);
  consumer->active_ms = active_ms;
  uint64_t count;
  if (!in.count(&count)) return false;
  for (uint64_t i = 0; i < count; i++) {
    StreamId id;
    if (!read_raw_id(in, &id)) return false;
    if (!group.load_owner(id, consumer)) return in.corrupt("a consumer has an entry that is not pending for it");
  }
  return true;
}

bool read_group(RdbInput& in, RdbType type, RdbPlace& place, StreamStructure& stream) {
  if (!in.text(&place.text)) return false;
  place.text.keep();
  StreamId last_id;
  if (!read_id(in, &last_id)) return false;
  uint64_t stored_entries_read = 0;
  if (has_facts(type) && !in.length(&stored_entries_read)) return false;
  const int64_t entries_read =
      has_facts(type) ? static_cast<int64_t>(stored_entries_read) : stream.entries_added_up_to(last_id);
  if (entries_read < kEntriesReadUnknown) return in.corrupt("a count of entries read that is none");
  if (stream.find_group(place.text.bytes()) != nullptr) return in.corrupt("a stream has a group twice");
  StreamGroup* group = stream.create_group(place.text.bytes(), last_id, entries_read);
  if (!read_pending(in, *group)) return false;
  uint64_t consumers;
  if (!in.count(&consumers)) return false;
  for (uint64_t i = 0; i < consumers; i++) {
    if (!read_consumer(in, type, place, *group)) return false;
  }
  return group->is_fully_owned() || in.corrupt("a pending entry is nobody's");
}

// ---- Writing

void write_id(RdbEncoder& out, StreamId id) {
  out.length(id.ms);
  out.length(id.seq);
}

void write_raw_id(RdbEncoder& out, StreamId id) {
  char raw[kStreamIdRawBytes];
  write_raw_stream_id(raw, id);
  out.raw(Bytes(raw, sizeof(raw)));
}

// One part after the other; where it is in a tree is the next item's cursor, which is good while the stream does not
// change. Before the first change it becomes independent of the trees: it makes a list of the nodes that are left, and
// encodes all that comes behind them (the groups), which takes time in proportion to their pending entries. A node is
// copied when it is about to change and was not written.
class StreamPieces final : public RdbPieces {
 public:
  StreamPieces(const StreamStructure& stream, RdbType type) : stream_(stream), type_(type) {}

  bool write(RdbEncoder& out) override {
    const size_t bytes_max = out.size() + kPieceBytes;
    if (is_listed_) return write_listed(out, bytes_max);
    while (part_ != Part::kEnd && out.size() < bytes_max) write_some(out);
    return part_ != Part::kEnd;
  }

  void changing() override {
    if (is_listed_) return;
    is_listed_ = true;
    if (part_ == Part::kBegin) {
      node_count_ = stream_.nodes().size();
      writes_count_ = true;
      node_ = stream_.nodes().first();
      part_ = Part::kNodes;
    }
    if (part_ == Part::kNodes) nodes_.reserve(stream_.nodes().size());
    for (; part_ == Part::kNodes && node_; node_.next()) nodes_.push_back({node_.id(), node_.value(), nullptr, 0, 0});
    while (part_ != Part::kEnd) {
      if (behind_.empty() || behind_.back().size() >= kPieceBytes) behind_.emplace_back();
      RdbEncoder out(behind_.back());
      write_some(out);
    }
    for (const RdbChunk& chunk : behind_) held_bytes_ += chunk.size();
    held_bytes_ += nodes_.size() * sizeof(Node);
  }
  void item_changing(uint64_t, const void* item) override {
    const auto* node = static_cast<const StreamNode*>(item);
    const auto at = std::lower_bound(nodes_.begin() + static_cast<ptrdiff_t>(next_), nodes_.end(), node->id,
                                     [](const Node& a, StreamId id) { return a.id < id; });
    if (at == nodes_.end() || at->node != node) return;
    at->node = nullptr;
    at->bytes = node->bytes;
    at->elements = node->elements;
    at->copy = std::make_unique_for_overwrite<char[]>(node->bytes);
    std::memcpy(at->copy.get(), node->content, node->bytes);
    held_bytes_ += node->bytes;
  }
  void item_coming(uint64_t, Bytes) override {}
  size_t held_bytes() const override { return held_bytes_; }
  void let_go(Store&) override {}

 private:
  // A node that is still to be written: where it lies, or a copy.
  struct Node {
    StreamId id;
    const StreamNode* node;  // null: it has changed since
    std::unique_ptr<char[]> copy;
    uint32_t bytes;
    uint32_t elements;
  };
  enum class Part : uint8_t { kBegin, kNodes, kGroup, kPending, kConsumer, kConsumerPending, kEnd };
  // Items between two looks at the size.
  static constexpr int kItems = 64;

  bool write_listed(RdbEncoder& out, size_t bytes_max) {
    if (writes_count_) out.length(node_count_);
    writes_count_ = false;
    for (; next_ < nodes_.size() && out.size() < bytes_max; next_++) {
      Node& node = nodes_[next_];
      if (node.node != nullptr) {
        write_node(out, node.id, node.node->sequence(), node.node->elements);
      } else {
        write_node(out, node.id, Bytes(node.copy.get(), node.bytes), node.elements);
        node.copy.reset();
      }
    }
    while (next_ == nodes_.size() && !behind_.empty() && out.size() < bytes_max) {
      out.take(&behind_.front());
      behind_.pop_front();
    }
    return next_ < nodes_.size() || !behind_.empty();
  }

  void write_some(RdbEncoder& out) {
    switch (part_) {
      case Part::kBegin:
        out.length(stream_.nodes().size());
        node_ = stream_.nodes().first();
        part_ = Part::kNodes;
        return;
      case Part::kNodes:
        return write_next_node(out);
      case Part::kGroup:
        return begin_group(out);
      case Part::kPending:
        return write_pending(out);
      case Part::kConsumer:
        return begin_consumer(out);
      case Part::kConsumerPending:
        return write_consumer_pending(out);
      case Part::kEnd:
        return;
    }
  }

  void write_next_node(RdbEncoder& out) {
    if (!node_) {
      write_facts(out);
      part_ = Part::kGroup;
      return;
    }
    write_node(out, node_.id(), node_.value()->sequence(), node_.value()->elements);
    node_.next();
  }
  static void write_node(RdbEncoder& out, StreamId id, Bytes sequence, size_t elements) {
    char raw[kStreamIdRawBytes];
    write_raw_stream_id(raw, id);
    out.text(Bytes(raw, sizeof(raw)));
    out.listpack(sequence, elements);
  }

  void write_facts(RdbEncoder& out) {
    const StreamStructure::Facts facts = stream_.facts();
    out.length(facts.length);
    write_id(out, facts.last_id);
    write_id(out, facts.first_id);
    write_id(out, facts.max_deleted_id);
    out.length(facts.entries_added);
    out.length(stream_.groups().size());
  }

  const StreamGroup& group() const { return *stream_.groups()[group_]; }

  void begin_group(RdbEncoder& out) {
    if (group_ == stream_.groups().size()) {
      part_ = Part::kEnd;
      return;
    }
    out.text(group().name());
    write_id(out, group().last_id);
    out.length(static_cast<uint64_t>(group().entries_read));
    out.length(group().pending().size());
    pending_ = group().pending().first();
    part_ = Part::kPending;
  }

  void write_pending(RdbEncoder& out) {
    for (int i = 0; pending_ && i < kItems; i++, pending_.next()) {
      const StreamPending& pending = pending_.value();
      write_raw_id(out, pending_.id());
      out.little_endian(static_cast<uint64_t>(pending.delivered_ms), kTimeBytes);
      out.length(pending.deliveries);
    }
    if (pending_) return;
    out.length(group().consumers().size());
    consumer_ = 0;
    part_ = Part::kConsumer;
  }

  void begin_consumer(RdbEncoder& out) {
    if (consumer_ == group().consumers().size()) {
      group_++;
      part_ = Part::kGroup;
      return;
    }
    const StreamConsumer& consumer = *group().consumers()[consumer_];
    out.text(consumer.name);
    out.little_endian(static_cast<uint64_t>(consumer.seen_ms), kTimeBytes);
    if (has_active_times(type_)) out.little_endian(static_cast<uint64_t>(consumer.active_ms), kTimeBytes);
    out.length(consumer.pending.size());
    owned_ = consumer.pending.first();
    part_ = Part::kConsumerPending;
  }

  void write_consumer_pending(RdbEncoder& out) {
    for (int i = 0; owned_ && i < kItems; i++, owned_.next()) write_raw_id(out, owned_.id());
    if (owned_) return;
    consumer_++;
    part_ = Part::kConsumer;
  }

  const StreamStructure& stream_;
  const RdbType type_;
  Part part_ = Part::kBegin;
  StreamStructure::NodeTree::Cursor node_;
  size_t group_ = 0;
  StreamPendingTree::Cursor pending_;
  size_t consumer_ = 0;
  StreamIdSet::Cursor owned_;

  // From the first change on.
  bool is_listed_ = false;
  bool writes_count_ = false;
  size_t node_count_ = 0;
  std::vector<Node> nodes_;
  size_t next_ = 0;
  std::deque<RdbChunk> behind_;  // what comes behind the nodes
  size_t held_bytes_ = 0;
};

}  // namespace

bool read_rdb_stream(RdbInput& in, RdbType type, RdbPlace& place) {
  auto value = place.handle<StreamValue>();
  StreamStructure& stream = value.stream_or_create();
  if (!read_nodes(in, place, stream) || !read_facts(in, type, stream)) return false;
  uint64_t groups;
  if (!in.count(&groups)) return false;
  for (uint64_t i = 0; i < groups; i++) {
    if (!read_group(in, type, place, stream)) return false;
  }
  return true;
}

RdbType rdb_stream_type(int version) {
  return version >= rdb_version_of(RdbType::kStreamListpacks3) ? RdbType::kStreamListpacks3
                                                               : RdbType::kStreamListpacks2;
}

std::unique_ptr<RdbPieces> rdb_stream_pieces(const StreamStructure& stream, RdbType type) {
  return std::make_unique<StreamPieces>(stream, type);
}

}  // namespace larder
