#include "storage/list_structure.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/assert.h"

namespace larder {
namespace {

constexpr uint32_t kFirstGroupNodes = 4;
constexpr uint32_t kFirstGroups = 2;
// Two nodes of no more are made one, which has room left for what comes next.
constexpr uint32_t kJoinedBytesMax = ListStructure::kNodeBytes / 8 * 7;

}  // namespace

bool is_same_packed(const PackedElement& element, const PackedText& wanted, Bytes text) {
  if (wanted.equals(element)) return true;
  return wanted.is_integer() && !element.is_integer && element.bytes == text;
}

ListStructure::~ListStructure() {
  while (free_some(SIZE_MAX)) {
  }
  if (groups_ != nullptr) release(groups_, group_capacity_ * sizeof(GroupRef));
}

// ---- Memory

void* ListStructure::allocate(size_t bytes) {
  allocated_bytes_ += block_bytes(bytes);
  return resources().blocks.allocate(bytes);
}

void ListStructure::release(void* block, size_t bytes) {
  allocated_bytes_ -= block_bytes(bytes);
  resources().blocks.free(block, bytes);
}

ListNode* ListStructure::new_node(size_t capacity) {
  LARDER_ASSERT(capacity <= UINT32_MAX);
  auto* node = static_cast<ListNode*>(allocate(sizeof(ListNode) + capacity));
  node->capacity = static_cast<uint32_t>(capacity);
  node->begin = node->end = 0;
  node->epoch = epoch_;
  node->is_left_over = 0;
  return node;
}

void ListStructure::free_node(ListNode* node) {
  if (node->epoch >= frozen_below_) return release(node, node_bytes(*node));
  allocated_bytes_ -= block_bytes(node_bytes(*node));
  leave_over_node(*freezes_.back(), {node, node->epoch, epoch_});
}

void ListStructure::resize_node(NodeAt at, size_t capacity, ListEnd side) {
  ListNode* old = node_at(at);
  ListNode* node = new_node(capacity);
  LARDER_ASSERT(old->size() <= capacity);
  node->begin = side == ListEnd::kFront ? 0 : node->capacity - old->size();
  node->end = node->begin + old->size();
  std::memcpy(node->bytes() + node->begin, old->first(), old->size());
  node_at(at) = node;
  free_node(old);
}

// ---- Frozen nodes

ListNode* ListStructure::copy_frozen(NodeAt at) {
  ListNode* const old = node_at(at);
  ListNode* node = new_node(old->capacity);
  node->begin = old->begin;
  node->end = old->end;
  std::memcpy(node->bytes() + node->begin, old->first(), old->size());
  node_at(at) = node;
  free_node(old);
  return node;
}

size_t ListStructure::freeze(size_t index, size_t count, FrozenNodes* frozen) {
  LARDER_ASSERT(frozen->nodes.empty() && frozen->left_over.empty());
  LARDER_ASSERT(freezes_.empty() || epoch_ < kEpochMax);
  LARDER_ASSERT(count > 0 && index < count_ && count <= count_ - index);
  if (freezes_.empty() && epoch_ >= kEpochMax / 2) restart_epochs();
  NodeAt at = find_node(&index);
  for (size_t wanted = index + count;;) {
    frozen->nodes.push_back({node_at(at), count_at(at)});
    if (wanted <= count_at(at)) break;
    wanted -= count_at(at);
    const bool more = next_node(&at);
    LARDER_ASSERT(more);
  }
  frozen_below_ = frozen->epoch = ++epoch_;
  freezes_.push_back(frozen);
  return index;
}

// Epochs are only compared, so without a freeze they may all begin anew: once in a thousand million freezes.
void ListStructure::restart_epochs() {
  for (uint32_t g = 0; g < group_count_; g++) {
    for (uint32_t s = 0; s < groups_[g].group->size; s++) node_at({g, s})->epoch = 0;
  }
  epoch_ = 0;
}

void ListStructure::leave_over_node(FrozenNodes& owner, const FrozenNodes::LeftOver& left) {
  left.node->is_left_over = 1;
  left.node->epoch = static_cast<uint32_t>(owner.left_over.size()) & kEpochMax;
  owner.left_over.push_back(left);
  owner.left_over_bytes += block_bytes(node_bytes(*left.node));
}

void ListStructure::release_frozen(FrozenNodes* frozen) {
  ListNode* const node = frozen->nodes[frozen->next++].node;
  if (freezes_.size() > 1) return;  // another one may need it: it goes, or is written to again, when that has ended
  if (!node->is_left_over) {
    node->epoch = epoch_;
    return;
  }
  const uint32_t at = node->epoch;
  LARDER_ASSERT(frozen->left_over[at].node == node);
  frozen->left_over[at] = frozen->left_over.back();
  frozen->left_over[at].node->epoch = at;
  frozen->left_over.pop_back();
  frozen->left_over_bytes -= block_bytes(node_bytes(*node));
  resources().blocks.free(node, node_bytes(*node));
}

Structure* ListStructure::thaw(FrozenNodes* frozen) {
  std::erase(freezes_, frozen);
  frozen_below_ = freezes_.empty() ? 0 : freezes_.back()->epoch;
  ListStructure* garbage = nullptr;
  for (const FrozenNodes::LeftOver& left : frozen->left_over) {
    const auto needs = [&](const FrozenNodes* other) {
      return left.made_at < other->epoch && other->epoch <= left.left_at;
    };
    if (const auto other = std::find_if(freezes_.begin(), freezes_.end(), needs); other != freezes_.end()) {
      leave_over_node(**other, left);
      continue;
    }
    if (garbage == nullptr) garbage = create_structure<ListStructure>(resources());
    garbage->adopt(left.node);
  }
  *frozen = FrozenNodes();
  return garbage;
}

// At the back of a list that is only to be freed: the node counts as one element.
void ListStructure::adopt(ListNode* node) {
  node->is_left_over = 0;
  node->epoch = 0;
  allocated_bytes_ += block_bytes(node_bytes(*node));
  add_node(group_count_ == 0 ? NodeAt{0, 0} : NodeAt{group_count_ - 1, groups_[group_count_ - 1].group->size}, node, 1);
}

bool ListStructure::free_some(size_t elements_max) {
  size_t freed = 0;
  while (group_count_ > 0 && freed < elements_max) {
    const NodeAt last = end_node(ListEnd::kBack);
    freed += count_at(last);
    remove_node(last);
  }
  return group_count_ > 0;
}

Structure* ListStructure::clone() const {
  auto* copy = create_structure<ListStructure>(resources());
  visit_nodes([&](Bytes sequence, size_t count) { copy->append_packed(sequence, count); });
  copy->is_named_listpack_ = is_named_listpack_;
  return copy;
}

// ---- The index

ListStructure::NodeAt ListStructure::end_node(ListEnd end) const {
  if (end == ListEnd::kFront) return {0, 0};
  return {group_count_ - 1, groups_[group_count_ - 1].group->size - 1};
}

bool ListStructure::next_node(NodeAt* at) const {
  if (++at->slot < groups_[at->group].group->size) return true;
  at->slot = 0;
  return ++at->group < group_count_;
}

bool ListStructure::previous_node(NodeAt* at) const {
  if (at->slot > 0) {
    --at->slot;
    return true;
  }
  if (at->group == 0) return false;
  --at->group;
  at->slot = groups_[at->group].group->size - 1;
  return true;
}

ListStructure::NodeAt ListStructure::find_node(size_t* index) const {
  LARDER_ASSERT(*index < count_);
  NodeAt at{0, 0};
  if (*index < count_ / 2) {
    while (*index >= groups_[at.group].elements) *index -= groups_[at.group++].elements;
  } else {
    // From the back: `before` counts what is in front of the group.
    size_t before = count_;
    at.group = group_count_;
    do before -= groups_[--at.group].elements;
    while (*index < before);
    *index -= before;
  }
  const uint32_t* counts = groups_[at.group].group->counts();
  while (*index >= counts[at.slot]) *index -= counts[at.slot++];
  return at;
}

const char* ListStructure::locate(NodeAt at, size_t index) const {
  const ListNode* node = node_at(at);
  const size_t count = count_at(at);
  if (index <= count / 2) {
    const char* position = node->first();
    for (; index > 0; index--) position = read_packed(position).end();
    return position;
  }
  const char* position = node->last_end();
  for (; index < count; index++) position = read_packed_before(position).at;
  return position;
}

void ListStructure::adjust(NodeAt at, int64_t elements, int64_t packed_bytes) {
  count_at(at) = static_cast<uint32_t>(count_at(at) + elements);
  groups_[at.group].elements = static_cast<uint64_t>(static_cast<int64_t>(groups_[at.group].elements) + elements);
  count_ = static_cast<size_t>(static_cast<int64_t>(count_) + elements);
  packed_bytes_ = static_cast<size_t>(static_cast<int64_t>(packed_bytes_) + packed_bytes);
}

ListStructure::Group* ListStructure::new_group(uint32_t capacity) {
  auto* group = static_cast<Group*>(allocate(Group::bytes_for(capacity)));
  group->capacity = capacity;
  group->size = 0;
  return group;
}

void ListStructure::insert_group(uint32_t index, Group* group, uint64_t elements) {
  if (group_count_ == group_capacity_) {
    const uint32_t capacity = group_capacity_ == 0 ? kFirstGroups : group_capacity_ * 2;
    auto* groups = static_cast<GroupRef*>(allocate(capacity * sizeof(GroupRef)));
    if (groups_ != nullptr) {
      std::memcpy(groups, groups_, group_count_ * sizeof(GroupRef));
      release(groups_, group_capacity_ * sizeof(GroupRef));
    }
    groups_ = groups;
    group_capacity_ = capacity;
  }
  std::memmove(groups_ + index + 1, groups_ + index, (group_count_ - index) * sizeof(GroupRef));
  groups_[index] = {group, elements};
  group_count_++;
}

void ListStructure::remove_group(uint32_t index) {
  Group* group = groups_[index].group;
  release(group, Group::bytes_for(group->capacity));
  group_count_--;
  std::memmove(groups_ + index, groups_ + index + 1, (group_count_ - index) * sizeof(GroupRef));
}

void ListStructure::grow_group(uint32_t index) {
  Group* old = groups_[index].group;
  Group* group = new_group(std::min(old->capacity * 2, kGroupNodes));
  group->size = old->size;
  std::memcpy(group->nodes(), old->nodes(), old->size * sizeof(ListNode*));
  std::memcpy(group->counts(), old->counts(), old->size * sizeof(uint32_t));
  release(old, Group::bytes_for(old->capacity));
  groups_[index].group = group;
}

// A full group makes room at the place: at an end of it with a new group, in the middle by giving half of it away.
ListStructure::NodeAt ListStructure::split_group(NodeAt at) {
  if (at.slot == 0) {
    insert_group(at.group, new_group(kGroupNodes), 0);
    return {at.group, 0};
  }
  const uint32_t kept = at.slot == kGroupNodes ? kGroupNodes : kGroupNodes / 2;
  Group* left = groups_[at.group].group;
  Group* right = new_group(kGroupNodes);
  right->size = kGroupNodes - kept;
  std::memcpy(right->nodes(), left->nodes() + kept, right->size * sizeof(ListNode*));
  std::memcpy(right->counts(), left->counts() + kept, right->size * sizeof(uint32_t));
  uint64_t moved = 0;
  for (uint32_t i = 0; i < right->size; i++) moved += right->counts()[i];
  left->size = kept;
  groups_[at.group].elements -= moved;
  insert_group(at.group + 1, right, moved);
  return at.slot < kept || (at.slot == kept && kept < kGroupNodes) ? at : NodeAt{at.group + 1, at.slot - kept};
}

ListStructure::NodeAt ListStructure::add_node(NodeAt at, ListNode* node, uint32_t count) {
  if (group_count_ == 0) insert_group(0, new_group(kFirstGroupNodes), 0);
  const Group* full = groups_[at.group].group;
  if (full->size == full->capacity) {
    if (full->capacity < kGroupNodes) {
      grow_group(at.group);
    } else {
      at = split_group(at);
    }
  }
  Group* group = groups_[at.group].group;
  const uint32_t behind = group->size - at.slot;
  std::memmove(group->nodes() + at.slot + 1, group->nodes() + at.slot, behind * sizeof(ListNode*));
  std::memmove(group->counts() + at.slot + 1, group->counts() + at.slot, behind * sizeof(uint32_t));
  group->nodes()[at.slot] = node;
  group->counts()[at.slot] = 0;
  group->size++;
  adjust(at, count, node->size());
  return at;
}

void ListStructure::remove_node(NodeAt at) {
  ListNode* node = node_at(at);
  adjust(at, -static_cast<int64_t>(count_at(at)), -static_cast<int64_t>(node->size()));
  free_node(node);
  Group* group = groups_[at.group].group;
  group->size--;
  const uint32_t behind = group->size - at.slot;
  std::memmove(group->nodes() + at.slot, group->nodes() + at.slot + 1, behind * sizeof(ListNode*));
  std::memmove(group->counts() + at.slot, group->counts() + at.slot + 1, behind * sizeof(uint32_t));
  if (group->size == 0) remove_group(at.group);
}

size_t ListStructure::node_count() const {
  size_t count = 0;
  for (uint32_t g = 0; g < group_count_; g++) count += groups_[g].group->size;
  return count;
}

// ---- Ends

void ListStructure::push(ListEnd end, const PackedText& text) {
  if (is_guarded()) [[unlikely]]
    tell_changing();
  const size_t bytes = text.total_bytes();
  char* out = make_room_at_end(end, bytes);
  text.write(out);
  adjust(end_node(end), 1, static_cast<int64_t>(bytes));
}

// Extends the end node by `bytes`, or adds a node; returns where they are. They are not counted yet.
char* ListStructure::make_room_at_end(ListEnd end, size_t bytes) {
  const bool front = end == ListEnd::kFront;
  const auto take = [&](ListNode* node) {
    if (front) {
      node->begin -= static_cast<uint32_t>(bytes);
      return node->bytes() + node->begin;
    }
    node->end += static_cast<uint32_t>(bytes);
    return node->bytes() + node->end - bytes;
  };
  if (count_ > 0) {
    const NodeAt at = end_node(end);
    ListNode* node = node_at(at);
    if (bytes <= (front ? node->begin : node->capacity - node->end)) [[likely]]
      return take(own_node(at));
    // The other side's free bytes serve when they are many enough that this does not happen at every push.
    const size_t size = node->size();
    const size_t free = node->capacity - size;
    const ListEnd other_side = front ? ListEnd::kBack : ListEnd::kFront;
    if (bytes <= free && free >= node->capacity / 4) {
      node = own_node(at);
      const auto begin = static_cast<uint32_t>(front ? node->capacity - size : 0);
      std::memmove(node->bytes() + begin, node->first(), size);
      node->begin = begin;
      node->end = static_cast<uint32_t>(begin + size);
      return take(node);
    }
    if (node->capacity < kNodeBytes && size + bytes <= kNodeBytes) {
      resize_node(at, kNodeBytes, other_side);
      return take(node_at(at));
    }
    // What a node that is left behind does not use is given back.
    if (free > node->capacity / 8) resize_node(at, size, ListEnd::kFront);
  }
  ListNode* node = new_node(std::max<size_t>(bytes, kNodeBytes));
  if (front) node->begin = node->end = node->capacity;
  const NodeAt at =
      front || group_count_ == 0 ? NodeAt{0, 0} : NodeAt{group_count_ - 1, groups_[group_count_ - 1].group->size};
  add_node(at, node, 0);
  return take(node);
}

void ListStructure::append_packed(Bytes sequence, size_t count) {
  if (is_guarded()) [[unlikely]]
    tell_changing();
  LARDER_ASSERT(count > 0 && sequence.size() <= UINT32_MAX);
  if (count_ > 0) {
    const NodeAt at = end_node(ListEnd::kBack);
    ListNode* node = node_at(at);
    if (sequence.size() <= node->capacity - node->end) {
      node = own_node(at);
      std::memcpy(node->bytes() + node->end, sequence.data(), sequence.size());
      node->end += static_cast<uint32_t>(sequence.size());
      adjust(at, static_cast<int64_t>(count), static_cast<int64_t>(sequence.size()));
      return;
    }
  }
  ListNode* node = new_node(sequence.size());
  std::memcpy(node->bytes(), sequence.data(), sequence.size());
  node->end = node->capacity;
  const NodeAt at = group_count_ == 0 ? NodeAt{0, 0} : NodeAt{group_count_ - 1, groups_[group_count_ - 1].group->size};
  add_node(at, node, static_cast<uint32_t>(count));
}

PackedElement ListStructure::end_element(ListEnd end) const {
  LARDER_ASSERT(count_ > 0);
  const ListNode* node = node_at(end_node(end));
  return end == ListEnd::kFront ? read_packed(node->first()) : read_packed_before(node->last_end());
}

void ListStructure::pop(ListEnd end) {
  if (is_guarded()) [[unlikely]]
    tell_changing();
  const PackedElement element = end_element(end);
  const NodeAt at = end_node(end);
  if (count_at(at) == 1) return remove_node(at);
  ListNode* node = own_node(at);
  if (end == ListEnd::kFront) {
    node->begin += static_cast<uint32_t>(element.total_bytes);
  } else {
    node->end -= static_cast<uint32_t>(element.total_bytes);
  }
  adjust(at, -1, -static_cast<int64_t>(element.total_bytes));
}

// ---- Positions

ListStructure::Place ListStructure::place_of(size_t index) const {
  const NodeAt at = find_node(&index);
  return {at.group, at.slot, locate(at, index)};
}

ListStructure::Place ListStructure::next(const Place& place) const {
  NodeAt at{place.group, place.slot};
  const char* behind = read_packed(place.at).end();
  if (behind != node_at(at)->last_end()) return {at.group, at.slot, behind};
  if (!next_node(&at)) return {at.group, at.slot, nullptr};
  return {at.group, at.slot, node_at(at)->first()};
}

ListStructure::Place ListStructure::previous(const Place& place) const {
  NodeAt at{place.group, place.slot};
  if (place.at != node_at(at)->first()) return {at.group, at.slot, read_packed_before(place.at).at};
  if (!previous_node(&at)) return {at.group, at.slot, nullptr};
  return {at.group, at.slot, read_packed_before(node_at(at)->last_end()).at};
}

// ---- Changes inside

// Room for `bytes` at `offset` of the elements. Requires: the node has it.
char* ListStructure::open_gap(ListNode* node, size_t offset, size_t bytes) {
  char* const base = node->bytes();
  const size_t behind = node->size() - offset;
  const size_t room_behind = node->capacity - node->end;
  LARDER_ASSERT(bytes <= node->begin + room_behind);
  const auto added = static_cast<uint32_t>(bytes);
  if (bytes <= node->begin && (offset <= behind || bytes > room_behind)) {
    std::memmove(base + node->begin - bytes, base + node->begin, offset);
    node->begin -= added;
  } else if (bytes <= room_behind) {
    std::memmove(base + node->begin + offset + bytes, base + node->begin + offset, behind);
    node->end += added;
  } else {
    // Both sides together: everything moves to the front. The part before the gap goes first, to the left.
    std::memmove(base, base + node->begin, offset);
    std::memmove(base + offset + bytes, base + node->begin + offset, behind);
    node->end = static_cast<uint32_t>(offset + bytes + behind);
    node->begin = 0;
  }
  return base + node->begin + offset;
}

void ListStructure::close_gap(ListNode* node, size_t offset, size_t bytes) {
  char* const base = node->bytes();
  const size_t behind = node->size() - offset - bytes;
  if (offset < behind) {
    std::memmove(base + node->begin + bytes, base + node->begin, offset);
    node->begin += static_cast<uint32_t>(bytes);
  } else {
    std::memmove(base + node->begin + offset, base + node->begin + offset + bytes, behind);
    node->end -= static_cast<uint32_t>(bytes);
  }
}

// What is from `offset` on goes to a node of its own, which is returned. Requires: there are elements on both sides.
ListStructure::NodeAt ListStructure::split_node(NodeAt at, size_t offset) {
  ListNode* node = own_node(at);
  const size_t moved_bytes = node->size() - offset;
  const auto moved_count = static_cast<uint32_t>(count_packed({node->first() + offset, moved_bytes}));
  ListNode* behind = new_node(std::max<size_t>(moved_bytes, kNodeBytes));
  std::memcpy(behind->bytes(), node->first() + offset, moved_bytes);
  behind->end = static_cast<uint32_t>(moved_bytes);
  node->end -= static_cast<uint32_t>(moved_bytes);
  adjust(at, -static_cast<int64_t>(moved_count), -static_cast<int64_t>(moved_bytes));
  return add_node({at.group, at.slot + 1}, behind, moved_count);
}

// Room for `bytes` in front of the element at `offset` of a node that has not got them. They are not counted yet.
ListStructure::NodeAt ListStructure::make_room_before(NodeAt at, size_t offset, size_t bytes, char** out) {
  const auto fits = [&](NodeAt into) { return bytes <= node_at(into)->capacity - node_at(into)->size(); };
  if (node_at(at)->capacity < kNodeBytes && node_at(at)->size() + bytes <= kNodeBytes) {
    resize_node(at, kNodeBytes, ListEnd::kFront);
    *out = open_gap(node_at(at), offset, bytes);
    return at;
  }
  NodeAt behind = offset > 0 ? split_node(at, offset) : at;
  NodeAt before = behind;
  if (previous_node(&before) && fits(before)) {
    *out = open_gap(own_node(before), node_at(before)->size(), bytes);
    return before;
  }
  if (fits(behind)) {
    *out = open_gap(own_node(behind), 0, bytes);
    return behind;
  }
  behind = add_node(behind, new_node(std::max<size_t>(bytes, kNodeBytes)), 0);
  *out = open_gap(node_at(behind), 0, bytes);
  return behind;
}

void ListStructure::insert_before(const Place& place, const PackedText& text) {
  if (is_guarded()) [[unlikely]]
    tell_changing();
  if (place.at == nullptr) return push(ListEnd::kBack, text);
  const size_t bytes = text.total_bytes();
  NodeAt at{place.group, place.slot};
  ListNode* node = node_at(at);
  const auto offset = static_cast<size_t>(place.at - node->first());
  if (bytes <= node->capacity - node->size()) {
    text.write(open_gap(own_node(at), offset, bytes));
    return adjust(at, 1, static_cast<int64_t>(bytes));
  }
  char* out;
  at = make_room_before(at, offset, bytes, &out);
  text.write(out);
  adjust(at, 1, static_cast<int64_t>(bytes));
  // A split leaves two parts of any size: unless they grow with their neighbours, half of the memory of a list that is written to
  // everywhere is free bytes.
  if (at.slot + 2 < groups_[at.group].group->size) join_with_next({at.group, at.slot + 1}, kNodeBytes);
  if (at.slot > 0) join_with_next({at.group, at.slot - 1}, kNodeBytes);
}

// The only element of its node becomes another, in a node that is as large as it needs.
void ListStructure::replace_only(NodeAt at, const PackedText& text) {
  ListNode* node = own_node(at);
  const auto old_bytes = static_cast<int64_t>(node->size());
  const size_t bytes = text.total_bytes();
  node->begin = node->end = 0;
  resize_node(at, std::max<size_t>(bytes, kNodeBytes), ListEnd::kFront);
  node = node_at(at);
  node->end = static_cast<uint32_t>(bytes);
  text.write(node->bytes());
  adjust(at, 0, static_cast<int64_t>(bytes) - old_bytes);
}

void ListStructure::replace(const Place& place, const PackedText& text) {
  if (is_guarded()) [[unlikely]]
    tell_changing();
  const NodeAt at{place.group, place.slot};
  ListNode* node = node_at(at);
  const size_t old_bytes = read_packed(place.at).total_bytes;
  const size_t bytes = text.total_bytes();
  const auto offset = static_cast<size_t>(place.at - node->first());
  const bool fits = bytes <= old_bytes || bytes - old_bytes <= node->capacity - node->size();
  // Also when a large element is no more: its node goes too.
  const bool is_wasteful = node->capacity > 2 * kNodeBytes && bytes < node->capacity / 4;
  if (count_at(at) == 1 && (!fits || is_wasteful)) return replace_only(at, text);
  node = own_node(at);
  if (bytes == old_bytes) {
    text.write(node->bytes() + node->begin + offset);
    return;
  }
  close_gap(node, offset, old_bytes);
  adjust(at, -1, -static_cast<int64_t>(old_bytes));
  if (fits) {
    text.write(open_gap(node, offset, bytes));
    adjust(at, 1, static_cast<int64_t>(bytes));
    return join_if_small(at);
  }
  if (offset < node->size()) return insert_before({at.group, at.slot, node->first() + offset}, text);
  NodeAt behind = at;
  if (!next_node(&behind)) return push(ListEnd::kBack, text);
  insert_before({behind.group, behind.slot, node_at(behind)->first()}, text);
}

void ListStructure::erase_in_node(NodeAt at, size_t index, size_t count) {
  ListNode* node = node_at(at);
  const auto begin = static_cast<size_t>(locate(at, index) - node->first());
  const auto end = static_cast<size_t>(locate(at, index + count) - node->first());
  close_gap(own_node(at), begin, end - begin);
  adjust(at, -static_cast<int64_t>(count), -static_cast<int64_t>(end - begin));
}

void ListStructure::erase(size_t index, size_t count) {
  if (is_guarded()) [[unlikely]]
    tell_changing();
  LARDER_ASSERT(index <= count_ && count <= count_ - index);
  while (count > 0) {
    size_t first = index;
    const NodeAt at = find_node(&first);
    const size_t here = std::min<size_t>(count, count_at(at) - first);
    if (here == count_at(at)) {
      remove_node(at);
    } else {
      erase_in_node(at, first, here);
    }
    count -= here;
  }
  for (size_t neighbour : {index, index - 1}) {
    if (neighbour < count_) join_if_small(find_node(&neighbour));
  }
}

// Whether a node should be joined with a neighbour, if one has the room.
bool ListStructure::is_small(NodeAt at) const { return node_at(at)->size() < kJoinedBytesMax / 2; }

void ListStructure::join_if_small(NodeAt at) {
  if (!is_small(at)) return;
  if (at.slot + 1 < groups_[at.group].group->size && join_with_next(at, kJoinedBytesMax)) return;
  if (at.slot > 0) join_with_next({at.group, at.slot - 1}, kJoinedBytesMax);
}

// Takes the next node of the same group in, unless the two have more than `bytes_max`.
bool ListStructure::join_with_next(NodeAt at, size_t bytes_max) {
  const NodeAt behind{at.group, at.slot + 1};
  const ListNode* from = node_at(behind);
  const size_t bytes = from->size();
  const size_t together = node_at(at)->size() + bytes;
  if (together > bytes_max) return false;
  if (node_at(at)->capacity < together) resize_node(at, kNodeBytes, ListEnd::kFront);
  ListNode* node = own_node(at);
  std::memcpy(open_gap(node, node->size(), bytes), from->first(), bytes);
  const uint32_t count = count_at(behind);
  remove_node(behind);
  adjust(at, count, static_cast<int64_t>(bytes));
  return true;
}

// Removes what equals `text`; leaves the node where it is, even without elements.
size_t ListStructure::remove_equal_in_node(NodeAt at, const PackedText& wanted, Bytes text, size_t count_max,
                                           ListEnd from) {
  ListNode* node = node_at(at);
  std::vector<PackedElement> found;
  const bool forward = from == ListEnd::kFront;
  const char* const stop = forward ? node->last_end() : node->first();
  for (const char* position = forward ? node->first() : node->last_end();
       position != stop && found.size() < count_max;) {
    const PackedElement element = forward ? read_packed(position) : read_packed_before(position);
    position = forward ? element.end() : element.at;
    if (is_same_packed(element, wanted, text)) found.push_back(element);
  }
  if (found.empty()) return 0;
  if (!forward) std::reverse(found.begin(), found.end());
  // What stays between two of them moves down. It is read where it was found, in a frozen node for one.
  ListNode* const old = node;
  const char* const old_end = old->last_end();
  node = own_node(at);
  char* out = node->bytes() + (found.front().at - old->bytes());
  size_t bytes = 0;
  for (size_t i = 0; i < found.size(); i++) {
    const char* keep = found[i].end();
    const char* const keep_end = i + 1 < found.size() ? found[i + 1].at : old_end;
    std::memmove(out, keep, static_cast<size_t>(keep_end - keep));
    out += keep_end - keep;
    bytes += found[i].total_bytes;
  }
  node->end -= static_cast<uint32_t>(bytes);
  adjust(at, -static_cast<int64_t>(found.size()), -static_cast<int64_t>(bytes));
  return found.size();
}

size_t ListStructure::remove_equal(Bytes text, size_t count_max, ListEnd from) {
  if (is_guarded()) [[unlikely]]
    tell_changing();
  const PackedText wanted(text);
  size_t removed = 0;
  if (count_ == 0) return 0;
  NodeAt at = end_node(from);
  for (bool more = true; more && removed < count_max;) {
    const size_t here = remove_equal_in_node(at, wanted, text, count_max - removed, from);
    removed += here;
    if (from == ListEnd::kBack) {
      NodeAt before = at;
      more = previous_node(&before);
      settle_node(at, here > 0);
      at = before;
      continue;
    }
    // Where the node behind is found afterwards: at the same place if this one goes.
    const bool alone_in_group = groups_[at.group].group->size == 1;
    const bool gone = settle_node(at, here > 0);
    if (!gone) {
      more = next_node(&at);
    } else if (alone_in_group) {
      at.slot = 0;
      more = at.group < group_count_;
    } else if (at.slot == groups_[at.group].group->size) {
      at = {at.group + 1, 0};
      more = at.group < group_count_;
    }
  }
  return removed;
}

// After a removal in the node: it goes when it is empty, or when the node before it takes its elements. True: it is gone.
bool ListStructure::settle_node(NodeAt at, bool changed) {
  if (!changed) return false;
  if (count_at(at) == 0) {
    remove_node(at);
    return true;
  }
  return is_small(at) && at.slot > 0 && join_with_next({at.group, at.slot - 1}, kJoinedBytesMax);
}

void ListStructure::check_integrity() const {
  size_t count = 0;
  size_t packed_bytes = 0;
  size_t allocated = group_capacity_ == 0 ? 0 : block_bytes(group_capacity_ * sizeof(GroupRef));
  for (uint32_t g = 0; g < group_count_; g++) {
    const Group& group = *groups_[g].group;
    LARDER_ASSERT(group.size > 0 && group.size <= group.capacity && group.capacity <= kGroupNodes);
    allocated += block_bytes(Group::bytes_for(group.capacity));
    uint64_t elements = 0;
    for (uint32_t s = 0; s < group.size; s++) {
      const ListNode* node = node_at({g, s});
      LARDER_ASSERT(node->begin < node->end && node->end <= node->capacity);
      allocated += block_bytes(sizeof(ListNode) + node->capacity);
      size_t counted = 0;
      LARDER_ASSERT(validate_packed(node->sequence(), &counted));
      LARDER_ASSERT(counted == count_at({g, s}) && counted > 0);
      elements += counted;
      packed_bytes += node->size();
    }
    LARDER_ASSERT(elements == groups_[g].elements);
    count += elements;
  }
  LARDER_ASSERT(count == count_ && packed_bytes == packed_bytes_ && allocated == allocated_bytes_);
}

}  // namespace larder
