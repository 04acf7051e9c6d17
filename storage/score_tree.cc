#include "storage/score_tree.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace larder {
namespace {

constexpr uint32_t kHintBits = 16;
constexpr uint32_t kAddressBits = 48;
constexpr uint64_t kAddressMask = (uint64_t{1} << kAddressBits) - 1;
constexpr uint64_t kHintLast = (1u << kHintBits) - 1;

constexpr uint32_t kLeafSlotsMin = 15;   // fewer: the leaf looks for a neighbour to merge with
constexpr uint32_t kLeafMergedMax = 46;  // and what both may hold together
constexpr uint32_t kChildrenMin = 16;
constexpr uint32_t kChildrenMergedMax = 47;
constexpr uint32_t kSpareSlotsMax = 8;  // a leaf with more free slots moves to a smaller block
// A leaf whose hints crowd into less than this part of their range, with as many as this sharing one, gets a new frame.
constexpr uint64_t kHintSpreadMin = 0x1000;
constexpr uint32_t kHintSharersMax = 4;

// 2, 6, 10 ... 62 slots: blocks of 32, 64, 96 ... 512 bytes.
constexpr uint32_t leaf_capacity_for(uint32_t slots) { return (slots + 1) / 4 * 4 + 2; }
// 3, 7, 15, 31, 63.
constexpr uint32_t inner_capacity_for(uint32_t children) {
  return std::max<uint32_t>(std::bit_ceil(children + 1) - 1, 3);
}
static_assert(leaf_capacity_for(62) == 62 && leaf_capacity_for(7) == 10 && inner_capacity_for(63) == 63);

uint64_t packed_address(const ZsetMember* member) { return reinterpret_cast<uintptr_t>(member); }

// How many of `count` ascending numbers are below `bound`. Without branches that depend on them.
uint32_t count_below(const uint64_t* sorted, uint32_t count, uint64_t bound) {
  const uint64_t* begin = sorted;
  while (count > 1) {
    const uint32_t half = count / 2;
    begin += begin[half - 1] < bound ? half : 0;
    count -= half;
  }
  return static_cast<uint32_t>(begin - sorted) + (count == 1 && *begin < bound ? 1 : 0);
}

// The first i in [low, high) for which is_before(i) is false; `high` if there is none.
template <class IsBefore>
uint32_t partition_index(uint32_t low, uint32_t high, IsBefore is_before) {
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (is_before(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

uint64_t sum_of(const uint64_t* counts, uint32_t count) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += counts[i];
  return sum;
}

}  // namespace

// ---- Nodes

struct ScoreTree::Leaf {
  uint64_t* slots() { return reinterpret_cast<uint64_t*>(this + 1); }
  const uint64_t* slots() const { return reinterpret_cast<const uint64_t*>(this + 1); }
  ZsetMember* member(uint32_t i) const { return reinterpret_cast<ZsetMember*>(slots()[i] & kAddressMask); }
  uint64_t hint(uint32_t i) const { return slots()[i] >> kAddressBits; }

  bool frames(uint64_t order) const { return order >= base && (order - base) >> shift <= kHintLast; }
  uint64_t hint_of(uint64_t order) const {
    if (order <= base) return 0;
    return std::min((order - base) >> shift, kHintLast);
  }
  uint64_t slot_for(uint64_t order, const ZsetMember* member) const {
    return hint_of(order) << kAddressBits | packed_address(member);
  }
  // Half of the range that is in use is left free on both sides, for what comes next.
  void set_frame(uint64_t first, uint64_t last) {
    const uint64_t spare = (last - first) / 2 + 1;
    base = first - std::min(first, spare);
    const uint64_t range = last - base + std::min(spare, UINT64_MAX - last);
    const auto range_bits = static_cast<uint32_t>(std::bit_width(range));
    shift = static_cast<uint8_t>(range_bits > kHintBits ? range_bits - kHintBits : 0);
  }
  // Chooses the frame anew and computes all hints.
  void reframe() {
    LARDER_ASSERT(count > 0);
    uint64_t orders[kLeafSlotsMax];
    for (uint32_t i = 0; i < count; i++) prefetch_line(member(i));
    for (uint32_t i = 0; i < count; i++) orders[i] = member(i)->order();
    set_frame(orders[0], orders[count - 1]);
    for (uint32_t i = 0; i < count; i++) slots()[i] = slot_for(orders[i], member(i));
  }
  // Whether the hints around slot `i` tell too little.
  bool is_crowded(uint32_t i) const {
    if (shift == 0 || count < kHintSharersMax) return false;
    const uint32_t first = std::min(i, count - kHintSharersMax);
    return hint(first) == hint(first + kHintSharersMax - 1) && hint(count - 1u) - hint(0) < kHintSpreadMin;
  }

  uint64_t base;
  uint8_t shift;
  uint8_t count;
  uint8_t capacity;
  uint8_t unused[5];
};

struct ScoreTree::Inner {
  uint64_t* orders() { return reinterpret_cast<uint64_t*>(this + 1); }
  ZsetMember** leasts() { return reinterpret_cast<ZsetMember**>(orders() + capacity); }
  void** children() { return reinterpret_cast<void**>(orders() + 2 * capacity); }
  uint64_t* counts() { return orders() + 3 * capacity; }
  const uint64_t* orders() const { return const_cast<Inner*>(this)->orders(); }
  ZsetMember* const* leasts() const { return const_cast<Inner*>(this)->leasts(); }
  void* const* children() const { return const_cast<Inner*>(this)->children(); }
  const uint64_t* counts() const { return const_cast<Inner*>(this)->counts(); }

  void set_least(uint32_t i, uint64_t order, ZsetMember* least) {
    orders()[i] = order;
    leasts()[i] = least;
  }
  // Copies `n` children of `from`, from `begin` on, to `at`.
  void copy_children(uint32_t at, const Inner& from, uint32_t begin, uint32_t n) {
    std::memcpy(orders() + at, from.orders() + begin, n * sizeof(uint64_t));
    std::memcpy(leasts() + at, from.leasts() + begin, n * sizeof(ZsetMember*));
    std::memcpy(children() + at, from.children() + begin, n * sizeof(void*));
    std::memcpy(counts() + at, from.counts() + begin, n * sizeof(uint64_t));
  }
  void move_children(uint32_t to, uint32_t from) {
    const size_t n = count - from;
    std::memmove(orders() + to, orders() + from, n * sizeof(uint64_t));
    std::memmove(leasts() + to, leasts() + from, n * sizeof(ZsetMember*));
    std::memmove(children() + to, children() + from, n * sizeof(void*));
    std::memmove(counts() + to, counts() + from, n * sizeof(uint64_t));
  }
  void remove_child(uint32_t i) {
    move_children(i, i + 1);
    count--;
  }

  uint8_t count;
  uint8_t capacity;
  uint8_t unused[6];
};

uint32_t ScoreTree::leaf_count(const Leaf* leaf) { return leaf->count; }
ZsetMember* ScoreTree::leaf_member(const Leaf* leaf, uint32_t i) { return leaf->member(i); }
size_t ScoreTree::leaf_bytes(uint32_t capacity) { return sizeof(Leaf) + capacity * sizeof(uint64_t); }
size_t ScoreTree::inner_bytes(uint32_t capacity) { return sizeof(Inner) + capacity * 4 * sizeof(uint64_t); }

ScoreTree::Leaf* ScoreTree::new_leaf(uint32_t capacity) {
  const size_t size = leaf_bytes(capacity);
  auto* leaf = static_cast<Leaf*>(blocks_->allocate(size));
  bytes_ += block_bytes(size);
  leaf->base = 0;
  leaf->shift = 0;
  leaf->count = 0;
  leaf->capacity = static_cast<uint8_t>(capacity);
  return leaf;
}

ScoreTree::Inner* ScoreTree::new_inner(uint32_t capacity) {
  const size_t size = inner_bytes(capacity);
  auto* inner = static_cast<Inner*>(blocks_->allocate(size));
  bytes_ += block_bytes(size);
  inner->count = 0;
  inner->capacity = static_cast<uint8_t>(capacity);
  return inner;
}

void ScoreTree::free_leaf(Leaf* leaf) {
  const size_t size = leaf_bytes(leaf->capacity);
  bytes_ -= block_bytes(size);
  blocks_->free(leaf, size);
}

void ScoreTree::free_inner(Inner* inner) {
  const size_t size = inner_bytes(inner->capacity);
  bytes_ -= block_bytes(size);
  blocks_->free(inner, size);
}

// The leaf with room for `slots` of them, no less than it has members; it moves when that is another block.
ScoreTree::Leaf* ScoreTree::resize_leaf(Leaf* leaf, uint32_t slots) {
  const uint32_t capacity = leaf_capacity_for(slots);
  LARDER_ASSERT(capacity >= leaf->count && capacity <= kLeafSlotsMax);
  if (capacity == leaf->capacity) return leaf;
  Leaf* resized = new_leaf(capacity);
  resized->base = leaf->base;
  resized->shift = leaf->shift;
  resized->count = leaf->count;
  std::memcpy(resized->slots(), leaf->slots(), leaf->count * sizeof(uint64_t));
  free_leaf(leaf);
  return resized;
}

ScoreTree::Inner* ScoreTree::resize_inner(Inner* inner, uint32_t capacity) {
  LARDER_ASSERT(capacity >= inner->count && capacity <= kChildrenMax);
  if (capacity == inner->capacity) return inner;
  Inner* resized = new_inner(capacity);
  resized->count = inner->count;
  resized->copy_children(0, *inner, 0, inner->count);
  free_inner(inner);
  return resized;
}

ScoreTree::~ScoreTree() {
  while (free_some(SIZE_MAX)) {
  }
}

bool ScoreTree::free_some(size_t nodes_max) {
  for (; nodes_max > 0 && root_ != nullptr; nodes_max--) {
    void* node = root_;
    Inner* parent = nullptr;
    uint32_t level = height_;
    for (; level > 0 && static_cast<Inner*>(node)->count > 0; level--) {
      parent = static_cast<Inner*>(node);
      node = parent->children()[parent->count - 1];
    }
    if (level == 0) {
      free_leaf(static_cast<Leaf*>(node));
    } else {
      free_inner(static_cast<Inner*>(node));
    }
    if (parent == nullptr) {
      root_ = nullptr;
    } else {
      parent->count--;
    }
  }
  return root_ != nullptr;
}

// ---- Search. A probe is a place between members: is_before(order, member) says whether that member lies before it.

struct ScoreTree::ScoreProbe {
  static constexpr bool kByScore = true;
  bool is_before(uint64_t other, const ZsetMember*) const { return other < order || (after && other == order); }
  uint64_t order;
  bool after;
};

// Behind the member itself.
struct ScoreTree::MemberProbe {
  static constexpr bool kByScore = true;
  explicit MemberProbe(const ZsetMember& member) : MemberProbe(member.order(), member.bytes()) {}
  MemberProbe(uint64_t score_order, Bytes member_bytes) : order(score_order), bytes(member_bytes) {}
  bool is_before(uint64_t other_order, const ZsetMember* other) const {
    return other_order < order || (other_order == order && other->bytes() <= bytes);
  }
  uint64_t order;
  Bytes bytes;
};

struct ScoreTree::BytesProbe {
  static constexpr bool kByScore = false;
  bool is_before(uint64_t, const ZsetMember* other) const {
    const int order_of_bytes = other->bytes().compare(bytes);
    return order_of_bytes < 0 || (after && order_of_bytes == 0);
  }
  uint64_t order = 0;
  Bytes bytes;
  bool after;
};

template <class Probe>
uint32_t ScoreTree::children_before(const Inner& inner, const Probe& probe) {
  uint32_t low = 0;
  uint32_t high = inner.count;
  const uint64_t* orders = inner.orders();
  if constexpr (Probe::kByScore) {
    low = count_below(orders, inner.count, probe.order);
    if (low == high || orders[low] != probe.order) [[likely]]
      return low;
    high = low + 1;
    while (high < inner.count && orders[high] == probe.order) high++;
  }
  return partition_index(low, high, [&](uint32_t i) { return probe.is_before(orders[i], inner.leasts()[i]); });
}

template <class Probe>
uint32_t ScoreTree::slots_before(const Leaf& leaf, const Probe& probe) {
  uint32_t low = 0;
  uint32_t high = leaf.count;
  if constexpr (Probe::kByScore) {
    const uint64_t hint = leaf.hint_of(probe.order);
    low = count_below(leaf.slots(), leaf.count, hint << kAddressBits);
    if (low == high || leaf.hint(low) != hint) [[likely]]
      return low;
    if (hint != kHintLast) high = low + count_below(leaf.slots() + low, high - low, (hint + 1) << kAddressBits);
  }
  return partition_index(low, high, [&](uint32_t i) {
    const ZsetMember* member = leaf.member(i);
    return probe.is_before(Probe::kByScore ? member->order() : 0, member);
  });
}

// All lines of a leaf at once: a search reads four of them one after the other.
void ScoreTree::prefetch_leaf(const void* leaf) {
  constexpr size_t kLineBytes = 64;
  const char* at = static_cast<const char*>(leaf);
  for (size_t offset = 0; offset < 8 * kLineBytes; offset += kLineBytes) prefetch_line(at + offset);
}

template <class Probe>
size_t ScoreTree::rank_of_probe(const Probe& probe) const {
  if (root_ == nullptr) return 0;
  size_t rank = 0;
  const void* node = root_;
  for (uint32_t level = height_; level > 0; level--) {
    const auto& inner = *static_cast<const Inner*>(node);
    const uint32_t before = children_before(inner, probe);
    if (before == 0) return rank;
    node = inner.children()[before - 1];
    if (level == 1) prefetch_leaf(node);
    rank += sum_of(inner.counts(), before - 1);
  }
  return rank + slots_before(*static_cast<const Leaf*>(node), probe);
}

size_t ScoreTree::rank_of(const ZsetPosition& position) const {
  if (position.by == ZsetPosition::By::kScore) {
    return rank_of_probe(ScoreProbe{score_order(position.score), position.after});
  }
  return rank_of_probe(BytesProbe{.bytes = position.bytes, .after = position.after});
}

size_t ScoreTree::rank_behind(uint64_t order, Bytes bytes) const { return rank_of_probe(MemberProbe(order, bytes)); }

size_t ScoreTree::rank_of(const ZsetMember* member) const { return rank_of_probe(MemberProbe(*member)) - 1; }

void ScoreTree::prefetch(double score) const {
  const ScoreProbe probe{score_order(score), true};
  const void* node = root_;
  for (uint32_t level = height_; level > 0; level--) {
    const auto& inner = *static_cast<const Inner*>(node);
    const uint32_t before = children_before(inner, probe);
    node = inner.children()[before > 0 ? before - 1 : 0];
  }
  if (node != nullptr) prefetch_leaf(node);
}

void ScoreTree::find(const ZsetMember* member, Path& path) const {
  const MemberProbe probe(*member);
  void* node = root_;
  path.depth = height_;
  for (uint32_t depth = 0; depth < height_; depth++) {
    auto* inner = static_cast<Inner*>(node);
    const uint32_t before = children_before(*inner, probe);
    LARDER_ASSERT(before > 0);
    path.inners[depth] = inner;
    path.taken[depth] = static_cast<uint8_t>(before - 1);
    node = inner->children()[before - 1];
  }
  path.leaf = static_cast<Leaf*>(node);
  // The very slot is known, so that no member has to be looked at.
  const uint64_t wanted = path.leaf->slot_for(probe.order, member);
  const uint64_t* slots = path.leaf->slots();
  uint32_t i = count_below(slots, path.leaf->count, wanted >> kAddressBits << kAddressBits);
  while (i < path.leaf->count && slots[i] != wanted) i++;
  LARDER_ASSERT(i < path.leaf->count);
  path.slot = i;
}

void ScoreTree::find_rank(size_t rank, Path& path) const {
  LARDER_ASSERT(rank < size_);
  void* node = root_;
  path.depth = height_;
  for (uint32_t depth = 0; depth < height_; depth++) {
    auto* inner = static_cast<Inner*>(node);
    const uint64_t* counts = inner->counts();
    uint32_t i = 0;
    while (rank >= counts[i]) rank -= counts[i++];
    path.inners[depth] = inner;
    path.taken[depth] = static_cast<uint8_t>(i);
    node = inner->children()[i];
  }
  path.leaf = static_cast<Leaf*>(node);
  path.slot = static_cast<uint32_t>(rank);
}

ScoreTree::Leaf* ScoreTree::step(Path& path, bool downwards) {
  uint32_t depth = path.depth;
  LARDER_ASSERT(depth < kHeightMax);
  for (;;) {
    if (depth == 0) return nullptr;
    depth--;
    if (downwards ? path.taken[depth] > 0 : path.taken[depth] + 1 < path.inners[depth]->count) break;
  }
  path.taken[depth] = static_cast<uint8_t>(path.taken[depth] + (downwards ? -1 : 1));
  void* node = path.inners[depth]->children()[path.taken[depth]];
  while (++depth < path.depth) {
    auto* inner = static_cast<Inner*>(node);
    path.inners[depth] = inner;
    path.taken[depth] = static_cast<uint8_t>(downwards ? inner->count - 1 : 0);
    node = inner->children()[path.taken[depth]];
  }
  path.leaf = static_cast<Leaf*>(node);
  return path.leaf;
}

// ---- Insertion

// Puts a child before the one at `at` of the inner node that `link` refers to; the node may move.
ScoreTree::Inner* ScoreTree::add_child(void*& link, uint32_t at, uint64_t order, ZsetMember* least, void* child,
                                       uint64_t count) {
  auto* inner = static_cast<Inner*>(link);
  if (inner->count == inner->capacity) inner = resize_inner(inner, inner_capacity_for(inner->count + 1u));
  link = inner;
  inner->move_children(at + 1, at);
  inner->set_least(at, order, least);
  inner->children()[at] = child;
  inner->counts()[at] = count;
  inner->count++;
  return inner;
}

void ScoreTree::add_root_level() {
  LARDER_ASSERT(height_ + 1 < kHeightMax);
  Inner* inner = new_inner(inner_capacity_for(2));
  ZsetMember* least = height_ == 0 ? static_cast<Leaf*>(root_)->member(0) : static_cast<Inner*>(root_)->leasts()[0];
  void* old_root = root_;
  root_ = inner;
  height_++;
  add_child(root_, 0, least->order(), least, old_root, size_);
}

// Cuts the child at `at`, an inner node, in two. Input in order fills nodes at the tree's edges from one side: there the
// full part is left nearly full.
void ScoreTree::split_inner(void*& parent_link, uint32_t at, Edges edges) {
  auto* parent = static_cast<Inner*>(parent_link);
  auto* node = static_cast<Inner*>(parent->children()[at]);
  const uint32_t keep = edges.right ? node->count * 7u / 8 : edges.left ? node->count / 8u : node->count / 2u;
  const uint32_t moved = node->count - keep;
  Inner* right = new_inner(inner_capacity_for(moved));
  right->copy_children(0, *node, keep, moved);
  right->count = static_cast<uint8_t>(moved);
  node->count = static_cast<uint8_t>(keep);
  node = resize_inner(node, inner_capacity_for(keep));
  const uint64_t moved_members = sum_of(right->counts(), moved);
  parent->children()[at] = node;
  parent->counts()[at] -= moved_members;
  add_child(parent_link, at + 1, right->orders()[0], right->leasts()[0], right, moved_members);
}

// Makes room in the child at `at`, a full leaf: returns false when it is cut in two, and true when the member went to a
// leaf of its own at an edge of the tree.
bool ScoreTree::split_leaf(void*& parent_link, uint32_t at, ZsetMember* member, const MemberProbe& probe, Edges edges) {
  auto* parent = static_cast<Inner*>(parent_link);
  auto* leaf = static_cast<Leaf*>(parent->children()[at]);
  const uint32_t before = slots_before(*leaf, probe);
  if ((edges.right && before == leaf->count) || (edges.left && before == 0)) {
    Leaf* single = new_leaf(leaf_capacity_for(1));
    single->set_frame(probe.order, probe.order);
    single->count = 1;
    single->slots()[0] = single->slot_for(probe.order, member);
    add_child(parent_link, before == 0 ? at : at + 1, probe.order, member, single, 1);
    return true;
  }
  const uint32_t keep = leaf->count / 2;
  const uint32_t moved = leaf->count - keep;
  Leaf* right = new_leaf(leaf_capacity_for(moved));
  right->base = leaf->base;
  right->shift = leaf->shift;
  right->count = static_cast<uint8_t>(moved);
  std::memcpy(right->slots(), leaf->slots() + keep, moved * sizeof(uint64_t));
  leaf->count = static_cast<uint8_t>(keep);
  parent->children()[at] = resize_leaf(leaf, keep);
  parent->counts()[at] -= moved;
  ZsetMember* least = right->member(0);
  add_child(parent_link, at + 1, least->order(), least, right, moved);
  return false;
}

void ScoreTree::put_in_leaf(void*& link, ZsetMember* member, const MemberProbe& probe) {
  auto* leaf = static_cast<Leaf*>(link);
  if (leaf->count == leaf->capacity) leaf = resize_leaf(leaf, leaf->count + 1u);
  link = leaf;
  const uint32_t at = slots_before(*leaf, probe);
  uint64_t* slots = leaf->slots();
  std::memmove(slots + at + 1, slots + at, (leaf->count - at) * sizeof(uint64_t));
  slots[at] = leaf->slot_for(probe.order, member);
  leaf->count++;
  if (!leaf->frames(probe.order) || leaf->is_crowded(at)) [[unlikely]]
    leaf->reframe();
}

void ScoreTree::insert(ZsetMember* member) {
  const MemberProbe probe(*member);
  if (root_ == nullptr) {
    Leaf* leaf = new_leaf(leaf_capacity_for(1));
    leaf->set_frame(probe.order, probe.order);
    root_ = leaf;
  }
  const uint32_t root_count = height_ == 0 ? static_cast<Leaf*>(root_)->count : static_cast<Inner*>(root_)->count;
  if (root_count == (height_ == 0 ? kLeafSlotsMax : kChildrenMax)) add_root_level();
  size_++;
  Edges edges{true, true};
  void** link = &root_;
  for (uint32_t level = height_; level > 0; level--) {
    auto* inner = static_cast<Inner*>(*link);
    const uint32_t before = children_before(*inner, probe);
    uint32_t at = before > 0 ? before - 1 : 0;
    const Edges below{edges.left && at == 0, edges.right && at + 1 == inner->count};
    void* child = inner->children()[at];
    if (level == 1) prefetch_leaf(child);
    const uint32_t child_count = level == 1 ? static_cast<Leaf*>(child)->count : static_cast<Inner*>(child)->count;
    const bool is_full = child_count == (level == 1 ? kLeafSlotsMax : kChildrenMax);
    bool placed = false;
    if (is_full) [[unlikely]] {
      if (level == 1) {
        placed = split_leaf(*link, at, member, probe, below);
      } else {
        split_inner(*link, at, below);
      }
      inner = static_cast<Inner*>(*link);
      if (!placed && probe.is_before(inner->orders()[at + 1], inner->leasts()[at + 1])) at++;
    }
    if (placed) return;
    if (before == 0) inner->set_least(0, probe.order, member);
    inner->counts()[at]++;
    edges = {edges.left && at == 0, edges.right && at + 1 == inner->count};
    link = &inner->children()[at];
  }
  put_in_leaf(*link, member, probe);
}

// A leaf of these alone. Requires: there are 1 to kLeafSlotsMax.
ScoreTree::Leaf* ScoreTree::full_leaf(std::span<ZsetMember* const> members) {
  const auto count = static_cast<uint32_t>(members.size());
  Leaf* leaf = new_leaf(leaf_capacity_for(count));
  leaf->set_frame(members.front()->order(), members.back()->order());
  leaf->count = static_cast<uint8_t>(count);
  for (uint32_t i = 0; i < count; i++) leaf->slots()[i] = leaf->slot_for(members[i]->order(), members[i]);
  return leaf;
}

// Hangs the leaf behind all others. Nodes on the way are split as insert() does at the right edge.
void ScoreTree::append_leaf(Leaf* leaf) {
  const uint32_t count = leaf->count;
  if (root_ == nullptr) {
    root_ = leaf;
    size_ = count;
    return;
  }
  if (height_ == 0 || static_cast<Inner*>(root_)->count == kChildrenMax) add_root_level();
  size_ += count;
  void** link = &root_;
  for (uint32_t level = height_; level > 1; level--) {
    auto* inner = static_cast<Inner*>(*link);
    if (static_cast<Inner*>(inner->children()[inner->count - 1])->count == kChildrenMax) {
      split_inner(*link, inner->count - 1u, {.left = false, .right = true});
      inner = static_cast<Inner*>(*link);
    }
    inner->counts()[inner->count - 1] += count;
    link = &inner->children()[inner->count - 1];
  }
  ZsetMember* least = leaf->member(0);
  add_child(*link, static_cast<Inner*>(*link)->count, least->order(), least, leaf, count);
}

void ScoreTree::append(std::span<ZsetMember* const> members) {
  while (!members.empty()) {
    const size_t count = std::min<size_t>(members.size(), kLeafSlotsMax);
    append_leaf(full_leaf(members.first(count)));
    members = members.subspan(count);
  }
}

// ---- Removal

void ScoreTree::remove(const ZsetMember* member) {
  Path path;
  find(member, path);
  erase_slots(path, 1);
}

uint32_t ScoreTree::remove_some(size_t rank, size_t count_max, ZsetMember* (&removed)[kLeafSlotsMax]) {
  Path path;
  find_rank(rank, path);
  const auto count = static_cast<uint32_t>(std::min<size_t>(count_max, path.leaf->count - path.slot));
  LARDER_ASSERT(count > 0);
  for (uint32_t i = 0; i < count; i++) removed[i] = path.leaf->member(path.slot + i);
  for (uint32_t i = 0; i < count; i++) prefetch_line(removed[i]);
  erase_slots(path, count);
  return count;
}

// Takes `count` slots out, and sees to the nodes on the path, from the leaf up.
void ScoreTree::erase_slots(Path& path, uint32_t count) {
  Leaf* leaf = path.leaf;
  uint64_t* slots = leaf->slots();
  const uint32_t behind = path.slot + count;
  std::memmove(slots + path.slot, slots + behind, (leaf->count - behind) * sizeof(uint64_t));
  leaf->count = static_cast<uint8_t>(leaf->count - count);
  size_ -= count;
  for (uint32_t depth = 0; depth < path.depth; depth++) path.inners[depth]->counts()[path.taken[depth]] -= count;

  void* settled = settle_leaf(path, path.slot == 0);
  if (path.depth == 0) {
    root_ = settled;
    return;
  }
  for (uint32_t depth = path.depth - 1; depth > 0; depth--) settle_inner(path, depth);
  drop_root_levels();
}

// Frees, merges or shrinks the path's leaf after members have gone, and tells its parent. Returns the leaf, null when it
// is gone (as it may be into a neighbour).
void* ScoreTree::settle_leaf(Path& path, bool least_changed) {
  Leaf* leaf = path.leaf;
  Inner* parent = path.depth > 0 ? path.inners[path.depth - 1] : nullptr;
  const uint32_t at = path.depth > 0 ? path.taken[path.depth - 1] : 0;
  if (leaf->count == 0) {
    free_leaf(leaf);
    if (parent != nullptr) parent->remove_child(at);
    return nullptr;
  }
  if (parent != nullptr && least_changed) parent->set_least(at, leaf->member(0)->order(), leaf->member(0));
  if (parent != nullptr && leaf->count < kLeafSlotsMin) {
    if (at + 1 < parent->count && merge_leaves(*parent, at)) return nullptr;
    if (at > 0 && merge_leaves(*parent, at - 1)) return nullptr;
  }
  if (leaf->capacity - leaf->count <= static_cast<int>(kSpareSlotsMax)) return leaf;
  leaf = resize_leaf(leaf, leaf->count + 1u);
  if (parent != nullptr) parent->children()[at] = leaf;
  return leaf;
}

// Makes the children at `left` and behind it one, if they are small enough.
bool ScoreTree::merge_leaves(Inner& parent, uint32_t left) {
  auto* into = static_cast<Leaf*>(parent.children()[left]);
  auto* from = static_cast<Leaf*>(parent.children()[left + 1]);
  const uint32_t count = into->count + from->count;
  if (count > kLeafMergedMax) return false;
  if (count > into->capacity) into = resize_leaf(into, count);
  std::memcpy(into->slots() + into->count, from->slots(), from->count * sizeof(uint64_t));
  into->count = static_cast<uint8_t>(count);
  into->reframe();
  free_leaf(from);
  parent.children()[left] = into;
  parent.counts()[left] = count;
  parent.remove_child(left + 1);
  return true;
}

bool ScoreTree::merge_inners(Inner& parent, uint32_t left) {
  auto* into = static_cast<Inner*>(parent.children()[left]);
  auto* from = static_cast<Inner*>(parent.children()[left + 1]);
  const uint32_t count = into->count + from->count;
  if (count > kChildrenMergedMax) return false;
  if (count > into->capacity) into = resize_inner(into, inner_capacity_for(count));
  into->copy_children(into->count, *from, 0, from->count);
  into->count = static_cast<uint8_t>(count);
  free_inner(from);
  parent.children()[left] = into;
  parent.counts()[left] += parent.counts()[left + 1];
  parent.remove_child(left + 1);
  return true;
}

// The same as settle_leaf for the path's inner node at `depth`. Requires: depth > 0.
void ScoreTree::settle_inner(Path& path, uint32_t depth) {
  Inner* inner = path.inners[depth];
  Inner& parent = *path.inners[depth - 1];
  const uint32_t at = path.taken[depth - 1];
  if (inner->count == 0) {
    free_inner(inner);
    return parent.remove_child(at);
  }
  parent.set_least(at, inner->orders()[0], inner->leasts()[0]);
  if (inner->count >= kChildrenMin) return;
  if (at + 1 < parent.count && merge_inners(parent, at)) return;
  if (at > 0 && merge_inners(parent, at - 1)) return;
  if (inner->count <= inner->capacity / 4) {
    parent.children()[at] = resize_inner(inner, inner_capacity_for(inner->count));
  }
}

// A root with one child is none.
void ScoreTree::drop_root_levels() {
  while (height_ > 0) {
    auto* inner = static_cast<Inner*>(root_);
    if (inner->count > 1) return;
    root_ = inner->count == 1 ? inner->children()[0] : nullptr;
    height_ = inner->count == 1 ? height_ - 1 : 0;
    free_inner(inner);
  }
}

// Whether a new score leaves the member between its neighbours in the leaf; then it is set. Slots at the ends of a leaf
// are left to a removal and an insertion.
bool ScoreTree::move_within_leaf(Leaf& leaf, uint32_t slot, ZsetMember* member, double score) {
  if (slot == 0 || slot + 1u >= leaf.count) return false;
  const MemberProbe probe(score_order(score), member->bytes());
  const uint64_t hint = leaf.hint_of(probe.order);
  const auto lies_before = [&](uint32_t i) {
    if (leaf.hint(i) != hint) return leaf.hint(i) < hint;
    return probe.is_before(leaf.member(i)->order(), leaf.member(i));
  };
  if (!lies_before(slot - 1) || lies_before(slot + 1)) return false;
  leaf.slots()[slot] = leaf.slot_for(probe.order, member);
  member->set_score(score);
  return true;
}

void ScoreTree::set_score(ZsetMember* member, double score) {
  Path path;
  find(member, path);
  if (move_within_leaf(*path.leaf, path.slot, member, score)) return;
  erase_slots(path, 1);
  member->set_score(score);
  insert(member);
}

void ScoreTree::replace(const ZsetMember* member, ZsetMember* copy) {
  Path path;
  find(member, path);
  path.leaf->slots()[path.slot] = path.leaf->slot_for(copy->order(), copy);
  // The first member of a leaf is the least one of the nodes above, up to where the path is not the first child.
  for (uint32_t depth = 0; depth < path.depth; depth++) {
    ZsetMember*& least = path.inners[depth]->leasts()[path.taken[depth]];
    if (least == member) least = copy;
  }
}

// ---- Checks

// What a node was found to hold.
struct ScoreTree::Span {
  uint64_t count = 0;
  ZsetMember* first = nullptr;
  ZsetMember* last = nullptr;
  size_t bytes = 0;
};

void ScoreTree::check_node(const void* node, uint32_t level, Span* span) const {
  const auto in_order = [](const ZsetMember* a, const ZsetMember* b) {
    return a->order() < b->order() || (a->order() == b->order() && a->bytes() < b->bytes());
  };
  if (level == 0) {
    const auto& leaf = *static_cast<const Leaf*>(node);
    LARDER_ASSERT(leaf.count > 0 && leaf.count <= leaf.capacity && leaf.capacity <= kLeafSlotsMax);
    for (uint32_t i = 0; i < leaf.count; i++) {
      LARDER_ASSERT(leaf.slots()[i] == leaf.slot_for(leaf.member(i)->order(), leaf.member(i)));
      LARDER_ASSERT(i == 0 || (in_order(leaf.member(i - 1), leaf.member(i)) && leaf.hint(i - 1) <= leaf.hint(i)));
    }
    *span = {leaf.count, leaf.member(0), leaf.member(leaf.count - 1u), block_bytes(leaf_bytes(leaf.capacity))};
    return;
  }
  const auto& inner = *static_cast<const Inner*>(node);
  LARDER_ASSERT(inner.count > 0 && inner.count <= inner.capacity && inner.capacity <= kChildrenMax);
  span->bytes = block_bytes(inner_bytes(inner.capacity));
  for (uint32_t i = 0; i < inner.count; i++) {
    Span below;
    check_node(inner.children()[i], level - 1, &below);
    LARDER_ASSERT(below.count == inner.counts()[i]);
    LARDER_ASSERT(below.first == inner.leasts()[i] && below.first->order() == inner.orders()[i]);
    LARDER_ASSERT(i == 0 || in_order(span->last, below.first));
    if (i == 0) span->first = below.first;
    span->last = below.last;
    span->count += below.count;
    span->bytes += below.bytes;
  }
}

void ScoreTree::check_integrity() const {
  LARDER_ASSERT((root_ == nullptr) == (size_ == 0) && height_ < kHeightMax);
  Span span;
  if (root_ != nullptr) check_node(root_, height_, &span);
  LARDER_ASSERT(span.count == size_ && span.bytes == bytes_);
  LARDER_ASSERT(height_ == 0 || static_cast<const Inner*>(root_)->count > 1);
}

}  // namespace larder
