// A stream: entries in the order of their IDs, appended at one end, and the consumer groups that read them.
//
//   StreamStructure ── counts, last ID ...
//     ├─ nodes:  node ID → StreamNode, up to a hundred entries packed together       StreamIdTree
//     └─ groups: by name                                                            StreamGroup
//
// A stream has no packed form of its own: with one entry it takes about 600 bytes, of which the node's first 256 are soon used.
// Unlike other collections a stream may be empty: it keeps its last ID and its groups.
//
// Invariants: no node is without a live entry; length() is the sum of the nodes' live entries; first_id() is the ID of the
// first live entry, 0-0 when there is none; last_id() is at least that of every entry.
//
// Cost: append is constant but for a new node each hundred entries; a look-up is one in the tree and half a node's worth
// of elements. See docs/design/stream.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "storage/stream_group.h"
#include "storage/stream_id_tree.h"
#include "storage/stream_memory.h"
#include "storage/stream_node.h"
#include "storage/structure.h"

namespace larder {

// What is cut off a stream's front.
struct StreamTrim {
  enum class By : uint8_t { kNothing, kLength, kId };
  By by = By::kNothing;
  bool approximate = false;  // whole nodes only
  uint64_t length_max = 0;   // kLength: so many entries stay
  StreamId id_min;           // kId: entries below it go
  uint64_t limit = 0;        // of entries removed in one go; 0: none
};

class StreamStructure final : public Structure {
 public:
  using NodeTree = StreamIdTree<StreamNode*>;

  explicit StreamStructure(StructureResources& resources);
  ~StreamStructure() override;

  uint64_t length() const { return length_; }
  StreamId last_id() const { return last_id_; }
  StreamId first_id() const { return first_id_; }
  StreamId max_deleted_id() const { return max_deleted_id_; }
  // Of all entries that were ever added.
  uint64_t entries_added() const { return entries_added_; }
  const NodeTree& nodes() const { return nodes_; }

  // ---- Entries
  // Requires: id is above last_id(), and the fields' bytes are at most kStreamNodeBytesMax.
  void append(StreamId id, StreamFields fields, const StreamNodeLimits& limits);
  // Whether the entry was there.
  bool erase(StreamId id);
  bool contains(StreamId id) const;
  // Returns how many entries went.
  uint64_t trim(const StreamTrim& trim);
  // Requires: length() > 0.
  StreamId last_entry_id() const;
  // XSETID. Requires: last_id is at least last_entry_id(), and max_deleted_id at most last_id.
  void set_last_id(StreamId last_id);
  void set_entries_added(uint64_t count) { entries_added_ = count; }
  void set_max_deleted_id(StreamId id) { max_deleted_id_ = id; }

  // ---- How far a group has come, as a number of entries
  // Whether an entry at or behind `from` was deleted from the middle, so that IDs no longer tell counts.
  bool has_gap_from(StreamId from) const;
  // How many entries were ever added up to `id`; kEntriesReadUnknown if it cannot be told.
  int64_t entries_added_up_to(StreamId id) const;
  // How many of the entries ever added the group has yet to read. Nothing if it cannot be told.
  std::optional<int64_t> lag_of(const StreamGroup& group) const;

  // ---- Groups
  std::span<StreamGroup* const> groups() const { return groups_.all(); }
  StreamGroup* find_group(Bytes name) const { return groups_.find(name); }
  // Requires: there is none of that name.
  StreamGroup* create_group(Bytes name, StreamId last_id, int64_t entries_read);
  // Time in proportion to its pending entries.
  void erase_group(StreamGroup* group);

  // ---- Loading, into a new stream: nodes in ascending order, then the facts, then groups.
  // False: the node is malformed, has no live entry or is not above the one before.
  [[nodiscard]] bool load_node(StreamId id, Bytes sequence);
  struct Facts {
    uint64_t length = 0;
    StreamId last_id;
    StreamId first_id;
    StreamId max_deleted_id;
    uint64_t entries_added = 0;
  };
  Facts facts() const { return {length_, last_id_, first_id_, max_deleted_id_, entries_added_}; }
  // False: they contradict the nodes. first_id is not looked at, since the nodes tell it.
  [[nodiscard]] bool load_facts(const Facts& facts);

  // ---- Structure
  // What there is to free: entries, groups, consumers and pending entries. Not the number that XLEN shows.
  size_t size() const override;
  size_t memory_bytes() const override { return block_bytes(sizeof(*this)) + memory_.bytes(); }
  Bytes encoding_name() const override { return "stream"; }
  Structure* clone() const override;
  bool free_some(size_t elements_max) override;
  void check_integrity() const override;

 private:
  size_t object_bytes() const override { return sizeof(*this); }
  void announce_change(const StreamNode* node) {
    if (is_guarded()) [[unlikely]]
      tell_item_changing(0, node);
  }
  // Null when there is no such entry; *at is where it starts otherwise.
  StreamNode* find_entry(StreamId id, const char** at) const;
  void remove_node(StreamId id, StreamNode* node);
  void update_first_id();
  uint64_t trim_inside(StreamNode* node, const StreamTrim& trim);

  StreamMemory memory_;
  NodeTree nodes_;
  StreamNode* tail_ = nullptr;  // the last node, to which entries are appended
  StreamNameIndex<StreamGroup> groups_;
  uint64_t length_ = 0;
  uint64_t entries_added_ = 0;
  StreamId last_id_;
  StreamId first_id_;
  StreamId max_deleted_id_;
};

// Live entries with IDs from `first` to `last`, both included, in one direction or the other. Good until the stream changes.
class StreamIterator {
 public:
  StreamIterator(const StreamStructure& stream, StreamId first, StreamId last, bool backwards = false);
  // The next entry; false when there are no more.
  bool next(StreamEntry* entry);

 private:
  void open_node();
  bool next_forwards(StreamEntry* entry);
  bool next_backwards(StreamEntry* entry);

  StreamStructure::NodeTree::Cursor node_;
  StreamNodeReader reader_;
  const char* at_ = nullptr;
  StreamId first_;
  StreamId last_;
  bool backwards_;
};

}  // namespace larder
