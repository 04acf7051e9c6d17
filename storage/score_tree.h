// The order of a large sorted set: a B+ tree of members by (score, bytes) that counts what is below every branch, so that a
// rank is found, and a member of a given rank, in O(log n).
//
//   inner node: up to 63 children, as four arrays          leaf: up to 62 members, in order
//   ┌──────────────────────────────────────────────┐      ┌─────────────────────────────────────┐
//   │ count, capacity                              │      │ base │ shift, count, capacity       │
//   │ least score of each child, as score_order()  │      │ hint (16 bits) │ address (48 bits)  │
//   │ least member of each child                   │      │ ...                                 │
//   │ child                                        │      └─────────────────────────────────────┘
//   │ members below it                             │
//   └──────────────────────────────────────────────┘
//
// The idea of the hints. Members are scattered over memory, so a search that looks at one costs a cache miss, and a binary
// search in a leaf would cost six. Scores beside the addresses would spare that, at 8 bytes a member. A hint is the score in
// 16 bits: (order - base) >> shift, cut off at both ends, where base and shift (the frame) are chosen for each leaf so that its
// members spread over the range. Hints never contradict the order; where two are equal, and only there, the members are
// looked at. Hints of a leaf are computed anew when a score falls outside of the frame, when a few members of different scores
// share one, and when leaves merge.
//
// Nodes have as many slots as they need, rounded up (leaves by 4, inner nodes by doubling): with a million random members the
// tree takes about 10 bytes a member. There are no links between leaves: a walk keeps the path from the root.
//
// Growth and shrinking. Full nodes are split on the way down, in the middle, but at the outer edges of the tree so that ascending or
// descending input leaves full nodes behind. A node that falls below a quarter is merged with a neighbour if both fit into
// three quarters of one. The least member of each child is kept exactly.
//
// Rejected. A skip list (Redis): 40 bytes a member and two dependent misses a step. A tree of scores and copies of members:
// twice the bytes. Score beside address: 8 bytes a member more for what the hints do nearly as well.
//
// The tree refers to members and owns none; only set_score() writes to one. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/prefetch.h"
#include "storage/block_allocator.h"
#include "storage/zset_member.h"

namespace larder {

// A place between members. By bytes is meaningful where all scores are the same.
struct ZsetPosition {
  enum class By : uint8_t { kScore, kBytes };
  static ZsetPosition before_score(double score) { return {By::kScore, false, score, {}}; }
  static ZsetPosition after_score(double score) { return {By::kScore, true, score, {}}; }
  static ZsetPosition before_bytes(Bytes bytes) { return {By::kBytes, false, 0, bytes}; }
  static ZsetPosition after_bytes(Bytes bytes) { return {By::kBytes, true, 0, bytes}; }

  // Whether the member lies before this place.
  bool follows(double member_score, Bytes member_bytes) const {
    if (by == By::kScore) return member_score < score || (after && member_score == score);
    return member_bytes < bytes || (after && member_bytes == bytes);
  }

  By by = By::kScore;
  bool after = false;  // behind what equals it
  double score = 0;
  Bytes bytes;
};

class ScoreTree {
 public:
  static constexpr uint32_t kLeafSlotsMax = 62;  // a leaf of 512 bytes
  static constexpr uint32_t kChildrenMax = 63;   // an inner node of 2 KB
  static constexpr uint32_t kHeightMax = 16;     // 24^15 members

  explicit ScoreTree(BlockAllocator& blocks) : blocks_(&blocks) {}
  ~ScoreTree();
  ScoreTree(const ScoreTree&) = delete;
  ScoreTree& operator=(const ScoreTree&) = delete;

  size_t size() const { return size_; }
  // Of the nodes; not of this object.
  size_t bytes_allocated() const { return bytes_; }

  // Requires: no member of the same score and bytes is inside. Cheapest at either end.
  void insert(ZsetMember* member);
  // Puts members behind all that are inside, into leaves of their own: full ones, but for the last. Requires: they are in order.
  void append(std::span<ZsetMember* const> members);
  // Requires: the member is inside.
  void remove(const ZsetMember* member);
  // Gives the member another score and moves it to where it belongs. Requires: it is inside.
  void set_score(ZsetMember* member, double score);
  // `copy`, which equals the member in score and bytes, takes its place. Requires: the member is inside.
  void replace(const ZsetMember* member, ZsetMember* copy);
  // Brings in the leaf where a member of this score would be searched.
  void prefetch(double score) const;

  // Requires: the member is inside.
  size_t rank_of(const ZsetMember* member) const;
  // Members that lie before the place.
  size_t rank_of(const ZsetPosition& position) const;
  // Members that lie before where this one is or would be, and the one itself. `order` is that of its score.
  size_t rank_behind(uint64_t order, Bytes bytes) const;

  // Calls visit(ZsetMember*) for `count` members from `rank` on, upwards or downwards. `visit` must not change the tree.
  // Requires: the ranks exist.
  template <class Visit>
  void visit(size_t rank, size_t count, bool downwards, Visit visit) const;

  // Takes out up to `count_max` members from `rank` on, those that share a leaf (at least one); they are written to
  // `removed`. Returns how many. Requires: rank < size(), count_max > 0.
  uint32_t remove_some(size_t rank, size_t count_max, ZsetMember* (&removed)[kLeafSlotsMax]);

  // Frees about `nodes_max` nodes; true when some are left. The tree serves nothing else afterwards. Looks at no member.
  bool free_some(size_t nodes_max);

  // Checks every invariant; stops the process when one is broken. Looks at every member.
  void check_integrity() const;

 private:
  struct Leaf;
  struct Inner;
  struct Path;
  struct ScoreProbe;
  struct MemberProbe;
  struct BytesProbe;
  struct Span;

  static size_t leaf_bytes(uint32_t capacity);
  static size_t inner_bytes(uint32_t capacity);
  Leaf* new_leaf(uint32_t capacity);
  Inner* new_inner(uint32_t capacity);
  void free_leaf(Leaf* leaf);
  void free_inner(Inner* inner);
  Leaf* resize_leaf(Leaf* leaf, uint32_t slots);
  Inner* resize_inner(Inner* inner, uint32_t capacity);

  template <class Probe>
  static uint32_t children_before(const Inner& inner, const Probe& probe);
  template <class Probe>
  static uint32_t slots_before(const Leaf& leaf, const Probe& probe);
  template <class Probe>
  size_t rank_of_probe(const Probe& probe) const;
  void find(const ZsetMember* member, Path& path) const;
  void find_rank(size_t rank, Path& path) const;
  // The leaf before or behind that of the path; null at the end.
  static Leaf* step(Path& path, bool downwards);
  static uint32_t leaf_count(const Leaf* leaf);
  static ZsetMember* leaf_member(const Leaf* leaf, uint32_t i);
  static void prefetch_leaf(const void* leaf);

  struct Edges {
    bool left;
    bool right;
  };
  Inner* add_child(void*& link, uint32_t at, uint64_t order, ZsetMember* least, void* child, uint64_t count);
  void split_inner(void*& parent_link, uint32_t at, Edges edges);
  bool split_leaf(void*& parent_link, uint32_t at, ZsetMember* member, const MemberProbe& probe, Edges edges);
  void put_in_leaf(void*& link, ZsetMember* member, const MemberProbe& probe);
  void add_root_level();
  Leaf* full_leaf(std::span<ZsetMember* const> members);
  void append_leaf(Leaf* leaf);
  bool move_within_leaf(Leaf& leaf, uint32_t slot, ZsetMember* member, double score);

  void erase_slots(Path& path, uint32_t count);
  void* settle_leaf(Path& path, bool least_changed);
  bool merge_leaves(Inner& parent, uint32_t left);
  bool merge_inners(Inner& parent, uint32_t left);
  void settle_inner(Path& path, uint32_t level);
  void drop_root_levels();
  void check_node(const void* node, uint32_t level, Span* span) const;

  BlockAllocator* blocks_;
  void* root_ = nullptr;
  uint32_t height_ = 0;  // levels of inner nodes above the leaves
  size_t size_ = 0;
  size_t bytes_ = 0;
};

// From the root down: the child taken at each level of inner nodes, the leaf, and a slot in it.
struct ScoreTree::Path {
  Inner* inners[kHeightMax];
  uint8_t taken[kHeightMax];
  uint32_t depth = 0;
  Leaf* leaf = nullptr;
  uint32_t slot = 0;
};

template <class Visit>
void ScoreTree::visit(size_t rank, size_t count, bool downwards, Visit visit) const {
  if (count == 0) return;
  LARDER_ASSERT(rank < size_ && (downwards ? count <= rank + 1 : count <= size_ - rank));
  constexpr uint32_t kAhead = 12;  // members whose lines are under way: the memory's latency over the work per member
  Path path;
  find_rank(rank, path);
  const Leaf* leaf = path.leaf;
  uint32_t slot = path.slot;
  for (;;) {
    const uint32_t here = downwards ? slot + 1 : leaf_count(leaf) - slot;
    const auto taken = static_cast<uint32_t>(here < count ? here : count);
    count -= taken;
    const auto member_at = [&](uint32_t i) { return leaf_member(leaf, downwards ? slot - i : slot + i); };
    for (uint32_t i = 0; i < taken && i < kAhead; i++) prefetch_line(member_at(i));
    for (uint32_t i = 0; i < taken; i++) {
      if (i + kAhead < taken) prefetch_line(member_at(i + kAhead));
      visit(member_at(i));
    }
    if (count == 0) return;
    leaf = step(path, downwards);
    slot = downwards ? leaf_count(leaf) - 1 : 0;
  }
}

}  // namespace larder
