#include "storage/stream_structure.h"

#include <algorithm>

#include "base/assert.h"

namespace larder {

StreamStructure::StreamStructure(StructureResources& resources)
    : Structure(resources), memory_(resources.blocks), nodes_(memory_), groups_(memory_) {}

StreamStructure::~StreamStructure() {
  while (free_some(SIZE_MAX)) {
  }
}

// ---- Entries

void StreamStructure::append(StreamId id, StreamFields fields, const StreamNodeLimits& limits) {
  LARDER_ASSERT(id > last_id_ && !fields.empty() && fields.size() % 2 == 0);
  size_t payload_bytes = 0;
  for (const Bytes text : fields) payload_bytes += text.size();
  LARDER_ASSERT(payload_bytes <= kStreamNodeBytesMax);
  if (tail_ != nullptr) announce_change(tail_);
  if (tail_ != nullptr && stream_node_has_room(*tail_, payload_bytes, limits)) {
    append_to_stream_node(memory_, *tail_, id, fields);
  } else {
    if (tail_ != nullptr) close_stream_node(memory_, *tail_);
    tail_ = create_stream_node(memory_, id, fields);
    nodes_.insert(id, tail_);
  }
  if (length_ == 0) first_id_ = id;
  length_++;
  entries_added_++;
  last_id_ = id;
}

StreamNode* StreamStructure::find_entry(StreamId id, const char** at) const {
  const auto cursor = nodes_.at_or_before(id);
  if (!cursor) return nullptr;
  const StreamNodeReader reader(*cursor.value());
  *at = reader.at_or_after(id);
  if (*at == reader.end()) return nullptr;
  StreamEntry entry;
  bool is_deleted;
  reader.read(*at, &entry, &is_deleted);
  return entry.id == id && !is_deleted ? cursor.value() : nullptr;
}

bool StreamStructure::contains(StreamId id) const {
  const char* at;
  return find_entry(id, &at) != nullptr;
}

void StreamStructure::remove_node(StreamId id, StreamNode* node) {
  announce_change(node);
  nodes_.erase(id);
  if (node == tail_) tail_ = nodes_.empty() ? nullptr : nodes_.last().value();
  free_stream_node(memory_, node);
}

bool StreamStructure::erase(StreamId id) {
  const char* at;
  StreamNode* node = find_entry(id, &at);
  if (node == nullptr) return false;
  if (StreamNodeReader(*node).live() == 1) {
    remove_node(node->id, node);
  } else {
    announce_change(node);
    delete_in_stream_node(memory_, *node, at);
  }
  length_--;
  max_deleted_id_ = std::max(max_deleted_id_, id);
  if (id == first_id_) update_first_id();
  return true;
}

void StreamStructure::update_first_id() {
  StreamEntry entry;
  StreamIterator entries(*this, kStreamIdMin, kStreamIdMax);
  first_id_ = entries.next(&entry) ? entry.id : StreamId{};
}

StreamId StreamStructure::last_entry_id() const {
  StreamEntry entry;
  const bool found = StreamIterator(*this, kStreamIdMin, kStreamIdMax, true).next(&entry);
  LARDER_ASSERT(found);
  return entry.id;
}

namespace {

StreamId last_id_in(const StreamNode& node) {
  const StreamNodeReader reader(node);
  StreamEntry entry;
  bool is_deleted;
  reader.read(StreamNodeReader::start_before(reader.end()), &entry, &is_deleted);
  return entry.id;
}

}  // namespace

uint64_t StreamStructure::trim(const StreamTrim& trim) {
  if (trim.by == StreamTrim::By::kNothing) return 0;
  uint64_t removed = 0;
  while (!nodes_.empty()) {
    if (trim.by == StreamTrim::By::kLength && length_ <= trim.length_max) break;
    StreamNode* node = nodes_.first().value();
    const uint64_t live = StreamNodeReader(*node).live();
    if (trim.limit > 0 && removed + live > trim.limit) break;
    const bool whole =
        trim.by == StreamTrim::By::kLength ? length_ - live >= trim.length_max : last_id_in(*node) < trim.id_min;
    if (whole) {
      remove_node(node->id, node);
      length_ -= live;
      removed += live;
      continue;
    }
    if (!trim.approximate) removed += trim_inside(node, trim);
    break;
  }
  if (removed > 0) update_first_id();
  return removed;
}

// Deletes entries from the front of the first node, of which some may stay.
uint64_t StreamStructure::trim_inside(StreamNode* node, const StreamTrim& trim) {
  uint64_t removed = 0;
  const char* at = StreamNodeReader(*node).begin();
  while (length_ > 0) {
    const StreamNodeReader reader(*node);
    if (at == reader.end()) break;
    StreamEntry entry;
    bool is_deleted;
    const char* const next = reader.read(at, &entry, &is_deleted);
    const bool stop = trim.by == StreamTrim::By::kLength ? length_ <= trim.length_max : entry.id >= trim.id_min;
    if (stop) break;
    if (is_deleted) {
      at = next;
      continue;
    }
    removed++;
    length_--;
    if (reader.live() == 1) {  // what is behind it is deleted too
      remove_node(node->id, node);
      break;
    }
    announce_change(node);
    at = delete_in_stream_node(memory_, *node, at);
  }
  return removed;
}

void StreamStructure::set_last_id(StreamId last_id) {
  // Entries to come may get IDs that deleted ones had.
  if (last_id < last_id_ && tail_ != nullptr) {
    announce_change(tail_);
    drop_deleted_tail(memory_, *tail_);
  }
  last_id_ = last_id;
}

// ---- Counting

bool StreamStructure::has_gap_from(StreamId from) const {
  if (length_ == 0 || max_deleted_id_.is_zero()) return false;
  if (first_id_ > max_deleted_id_) return false;
  return from <= max_deleted_id_;
}

int64_t StreamStructure::entries_added_up_to(StreamId id) const {
  const auto added = static_cast<int64_t>(entries_added_);
  const auto length = static_cast<int64_t>(length_);
  if (added == 0) return 0;
  if (length == 0 && id <= last_id_) return added;
  if (id == last_id_) return added;
  if (id > last_id_) return kEntriesReadUnknown;
  // Without a deleted entry among those that are left, the first of them has a known number.
  if (max_deleted_id_.is_zero() || max_deleted_id_ < first_id_) {
    if (id < first_id_) return added - length;
    if (id == first_id_) return added - length + 1;
  }
  return kEntriesReadUnknown;
}

std::optional<int64_t> StreamStructure::lag_of(const StreamGroup& group) const {
  const auto added = static_cast<int64_t>(entries_added_);
  if (added == 0) return 0;
  if (group.entries_read != kEntriesReadUnknown && !has_gap_from(group.last_id)) return added - group.entries_read;
  const int64_t read = entries_added_up_to(group.last_id);
  if (read == kEntriesReadUnknown) return {};
  return added - read;
}

// ---- Groups

StreamGroup* StreamStructure::create_group(Bytes name, StreamId last_id, int64_t entries_read) {
  StreamGroup* group = StreamGroup::create(memory_, name);
  group->last_id = last_id;
  group->entries_read = entries_read;
  groups_.insert(group);
  return group;
}

void StreamStructure::erase_group(StreamGroup* group) {
  groups_.remove(group);
  StreamGroup::destroy(group);
}

// ---- Loading

bool StreamStructure::load_node(StreamId id, Bytes sequence) {
  StreamNodeFacts facts;
  if (!validate_stream_node(id, sequence, &facts) || facts.live == 0) return false;
  if (!nodes_.empty() && facts.first <= last_id_) return false;
  tail_ = create_stream_node(memory_, id, sequence, facts.elements);
  nodes_.insert(id, tail_);
  length_ += facts.live;
  last_id_ = facts.last;
  if (first_id_.is_zero()) update_first_id();
  return true;
}

bool StreamStructure::load_facts(const Facts& facts) {
  if (facts.length != length_ || facts.last_id < last_id_ || facts.entries_added < length_) return false;
  if (facts.max_deleted_id > facts.last_id) return false;
  if (facts.entries_added > static_cast<uint64_t>(INT64_MAX)) return false;
  last_id_ = facts.last_id;
  max_deleted_id_ = facts.max_deleted_id;
  entries_added_ = facts.entries_added;
  return true;
}

// ---- Structure

size_t StreamStructure::size() const {
  size_t count = length_;
  for (const StreamGroup* group : groups_.all()) count += 1 + group->pending().size() + group->consumers().size();
  return count;
}

Structure* StreamStructure::clone() const {
  auto* copy = create_structure<StreamStructure>(resources());
  for (auto cursor = nodes_.first(); cursor; cursor.next()) {
    const StreamNode& node = *cursor.value();
    copy->tail_ = create_stream_node(copy->memory_, node.id, node.sequence(), node.elements);
    copy->nodes_.insert(node.id, copy->tail_);
  }
  copy->length_ = length_;
  copy->entries_added_ = entries_added_;
  copy->last_id_ = last_id_;
  copy->first_id_ = first_id_;
  copy->max_deleted_id_ = max_deleted_id_;
  for (const StreamGroup* group : groups_.all()) copy->groups_.insert(group->clone(copy->memory_));
  return copy;
}

bool StreamStructure::free_some(size_t elements_max) {
  size_t freed = 0;
  tail_ = nullptr;
  while (freed < elements_max && !nodes_.empty()) {
    freed += nodes_.free_first_leaf([&](StreamNode*& node) { free_stream_node(memory_, node); });
  }
  while (freed < elements_max && !groups_.empty()) {
    if (groups_.all().back()->free_some(elements_max - freed)) break;
    StreamGroup::destroy(groups_.remove_last());
    freed++;
  }
  return !nodes_.empty() || !groups_.empty();
}

void StreamStructure::check_integrity() const {
  nodes_.check_integrity();
  uint64_t live = 0;
  StreamId last;
  for (auto cursor = nodes_.first(); cursor; cursor.next()) {
    const StreamNode& node = *cursor.value();
    StreamNodeFacts facts;
    LARDER_ASSERT(cursor.id() == node.id && validate_stream_node(node.id, node.sequence(), &facts));
    LARDER_ASSERT(facts.elements == node.elements && facts.live > 0 && node.bytes <= node.capacity);
    LARDER_ASSERT(live == 0 || facts.first > last);
    last = facts.last;
    live += facts.live;
  }
  LARDER_ASSERT(live == length_ && last <= last_id_);
  LARDER_ASSERT(tail_ == (nodes_.empty() ? nullptr : nodes_.last().value()));
  StreamEntry entry;
  const bool any = StreamIterator(*this, kStreamIdMin, kStreamIdMax).next(&entry);
  LARDER_ASSERT(any == (length_ > 0) && first_id_ == (any ? entry.id : StreamId{}));
  for (const StreamGroup* group : groups_.all()) {
    group->check_integrity();
    LARDER_ASSERT(groups_.find(group->name()) == group && group->is_fully_owned());
  }
}

// ---- Iterating

StreamIterator::StreamIterator(const StreamStructure& stream, StreamId first, StreamId last, bool backwards)
    : first_(first), last_(last), backwards_(backwards) {
  if (stream.length() == 0 || first > last || first > stream.last_id()) return;
  const auto& nodes = stream.nodes();
  node_ = nodes.at_or_before(backwards ? last : first);
  if (!node_ && !backwards) node_ = nodes.first();
  open_node();
  if (node_ && !backwards) at_ = reader_.at_or_after(first);
}

void StreamIterator::open_node() {
  if (!node_) return;
  reader_ = StreamNodeReader(*node_.value());
  at_ = backwards_ ? reader_.end() : reader_.begin();
}

bool StreamIterator::next(StreamEntry* entry) { return backwards_ ? next_backwards(entry) : next_forwards(entry); }

bool StreamIterator::next_forwards(StreamEntry* entry) {
  while (node_) {
    if (at_ == reader_.end()) {
      node_.next();
      open_node();
      continue;
    }
    bool is_deleted;
    at_ = reader_.read(at_, entry, &is_deleted);
    if (entry->id > last_) break;
    if (!is_deleted) return true;
  }
  node_ = {};
  return false;
}

bool StreamIterator::next_backwards(StreamEntry* entry) {
  while (node_) {
    if (at_ == reader_.begin()) {
      node_.previous();
      open_node();
      continue;
    }
    at_ = StreamNodeReader::start_before(at_);
    bool is_deleted;
    reader_.read(at_, entry, &is_deleted);
    if (entry->id < first_) break;
    if (!is_deleted && entry->id <= last_) return true;
  }
  node_ = {};
  return false;
}

}  // namespace larder
