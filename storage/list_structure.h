// A large list: packed nodes behind an index of positions.
//
//   groups_ (array)         group                          node (4 KB with its header)
//   ┌──────────────────┐    ┌────────────────────────┐     ┌────────┬──────┬──────────────────┬────────┐
//   │ group │ elements │ ─▶ │ node │ node │ ...  128 │ ──▶ │ header │ free │ packed elements  │  free  │
//   ├──────────────────┤    │ count│ count│ ...      │     └────────┴──────┴──────────────────┴────────┘
//   │ ...              │    └────────────────────────┘
//   └──────────────────┘
//
// A node holds elements in the format of listpack.h and has its free bytes on both sides, so that pushing and popping at
// either end of the list writes a few bytes and moves none. Elements that do not fit into a node of the usual size have
// one of their own. The counts lie in the groups, next to each other: an index is found by adding up counts, 128 at a
// time in the array of groups and then in one group, and no node but the one that has it is looked at. 10 million short
// elements are 30,000 nodes in 240 groups, so the middle is found in some 400 additions.
//
// In the middle an insertion moves the shorter side of one node, or splits it, and the two parts join their neighbours if these
// have the room; what takes bytes away closes the gap and joins a node that became small with its neighbour. So two
// thirds of a list that is written to everywhere are elements.
//
// Costs: ends O(1); an index O(nodes / 128 + 128 + elements of a node); 12 to 16 bytes of index and header for 4 KB.
// Snapshots and replies freeze nodes, which from then on are copied when they are to change: the epoch in a node's header says
// whether it is older than a freeze, so that freezing touches the index only.
// Rejected: a linked list of nodes (Redis; the middle of 10 million elements is 15,000 pointers away); a tree (no better
// at this fan-out, and every push would walk it); elements as allocations of their own (8 to 16 bytes each);
// compressing inner nodes (list-compress-depth is accepted and has no effect).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "storage/listpack.h"
#include "storage/structure.h"

namespace larder {

enum class ListEnd : uint8_t { kFront, kBack };

// Whether the element is `text`, which is `wanted` as it would be packed here: other writers may keep as a string what
// could be an integer.
bool is_same_packed(const PackedElement& element, const PackedText& wanted, Bytes text);

// Header of a node; `capacity` bytes follow it.
struct ListNode {
  uint32_t capacity;
  uint32_t begin;  // of the elements, in the bytes behind the header
  uint32_t end;
  uint32_t epoch : 31;        // of the list when the node was made; see FrozenNodes
  uint32_t is_left_over : 1;  // no longer in the list, and kept: the epoch is its index in FrozenNodes::left_over

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  const char* first() const { return bytes() + begin; }
  const char* last_end() const { return bytes() + end; }
  uint32_t size() const { return end - begin; }
  Bytes sequence() const { return {first(), size()}; }
};

// Nodes of a list as they were at one moment. A frozen node is not written to: whoever changes the list puts a copy of the node
// in its place. There may be several for one list, a snapshot's and those of replies, each made at another moment.
//
// Each moment has a number, the list's epoch, and a node has that of its making: so it is frozen if one of them was made later.
// A node that leaves the list is kept by the latest of those, which hands it on at its end if another one, made while the
// node was in the list, is still there.
struct FrozenNodes {
  struct Node {
    ListNode* node;
    uint32_t count;
  };
  struct LeftOver {
    ListNode* node;
    uint32_t made_at;  // epochs
    uint32_t left_at;
  };
  size_t memory_bytes() const { return left_over_bytes + nodes.capacity() * sizeof(Node); }

  std::vector<Node> nodes;
  size_t next = 0;  // those in front of it are released
  uint32_t epoch = 0;
  std::vector<LeftOver> left_over;
  size_t left_over_bytes = 0;
};

class ListStructure final : public Structure {
 public:
  static constexpr uint32_t kNodeBytes = 4096 - sizeof(ListNode);  // capacity of an ordinary node
  static constexpr uint32_t kGroupNodes = 128;

  explicit ListStructure(StructureResources& resources) : Structure(resources) {}
  ~ListStructure() override;

  size_t size() const override { return count_; }
  size_t memory_bytes() const override { return sizeof(*this) + allocated_bytes_; }
  Bytes encoding_name() const override { return is_named_listpack_ ? "listpack" : "quicklist"; }
  Structure* clone() const override;
  bool free_some(size_t elements_max) override;
  void check_integrity() const override;

  // Sum of the sizes of the elements as they are packed.
  size_t packed_bytes() const { return packed_bytes_; }
  // Whether OBJECT ENCODING shows it as Redis's small form. See list_value.h.
  bool is_named_listpack() const { return is_named_listpack_; }
  void set_named_listpack(bool on) { is_named_listpack_ = on; }

  // ---- Ends
  void push(ListEnd end, const PackedText& text);
  // Appends a whole number of well-formed elements at the back. Requires: count > 0.
  void append_packed(Bytes sequence, size_t count);
  // Requires: size() > 0.
  PackedElement end_element(ListEnd end) const;
  void pop(ListEnd end);

  // ---- Positions
  // A place in the list; good until the list changes.
  struct Place {
    uint32_t group = 0;
    uint32_t slot = 0;
    const char* at = nullptr;  // the element; null behind either end
  };
  // Requires: index < size().
  Place place_of(size_t index) const;
  PackedElement element(const Place& place) const { return read_packed(place.at); }
  // The place behind, and before. Requires: place.at != null.
  Place next(const Place& place) const;
  Place previous(const Place& place) const;

  // Calls visit(const PackedElement&) for `count` elements from `index` on. Requires: they exist.
  template <class Visit>
  void visit(size_t index, size_t count, Visit visit) const;
  // Calls visit(Bytes sequence, size_t count) for every node from the front: what a file is written from.
  template <class Visit>
  void visit_nodes(Visit visit) const;
  // The same in pieces, while the list does not change: some `bytes_max` bytes, from *walk on. False at the end.
  struct NodeWalk {
    uint32_t group = 0;
    uint32_t slot = 0;
  };
  template <class Visit>
  bool visit_some_nodes(NodeWalk* walk, size_t bytes_max, Visit visit) const;
  size_t node_count() const;

  // ---- For snapshots and replies
  // What the nodes of `count` elements from `index` on hold now stays readable until it is released, whatever becomes of the
  // list: a change costs the copy of a node. Returns the index of the first element in the first node. Takes 16 bytes and a
  // few ns a node. `frozen` is new, and stays where it is until thaw(). Requires: the elements exist.
  size_t freeze(size_t index, size_t count, FrozenNodes* frozen);
  // Whether someone may begin to read who will want a freeze. False when two thousand million freezes followed each other of which
  // there always was one: those who read already may have theirs.
  bool may_be_read() const { return freezes_.empty() || epoch_ < kEpochMax - kFreezesLeft; }
  // The first node that is not released was read.
  void release_frozen(FrozenNodes* frozen);
  // Releases all that is left. Nodes that are needed no more are in the list that is returned, for Store::dispose(); null: none.
  [[nodiscard]] Structure* thaw(FrozenNodes* frozen);

  // ---- Changes inside. Every Place is void afterwards, and so is every text that lies in the list.
  // Behind the last element: place.at is null.
  void insert_before(const Place& place, const PackedText& text);
  void replace(const Place& place, const PackedText& text);
  // Requires: index + count <= size().
  void erase(size_t index, size_t count);
  // Removes the first (or, from the back, the last) elements equal to `text`, `count_max` at most; returns how many.
  size_t remove_equal(Bytes text, size_t count_max, ListEnd from);

 private:
  struct Group {
    uint32_t capacity;
    uint32_t size;
    // capacity node pointers and then as many counts follow.
    ListNode** nodes() { return reinterpret_cast<ListNode**>(this + 1); }
    uint32_t* counts() { return reinterpret_cast<uint32_t*>(nodes() + capacity); }
    static size_t bytes_for(uint32_t capacity) {
      return sizeof(Group) + capacity * (sizeof(ListNode*) + sizeof(uint32_t));
    }
  };
  static_assert(sizeof(Group) % alignof(ListNode*) == 0);
  struct GroupRef {
    Group* group;
    uint64_t elements;
  };
  // A node's place in the index.
  struct NodeAt {
    uint32_t group;
    uint32_t slot;
  };
  static constexpr uint32_t kEpochMax = (uint32_t{1} << 31) - 1;
  static constexpr uint32_t kFreezesLeft = 1 << 20;

  static size_t node_bytes(const ListNode& node) { return sizeof(ListNode) + node.capacity; }
  size_t object_bytes() const override { return sizeof(*this); }

  ListNode*& node_at(NodeAt at) const { return groups_[at.group].group->nodes()[at.slot]; }
  uint32_t& count_at(NodeAt at) const { return groups_[at.group].group->counts()[at.slot]; }
  NodeAt end_node(ListEnd end) const;
  // Finds the node of an element; `index` becomes its index in the node.
  NodeAt find_node(size_t* index) const;
  // Where the element of this index in the node lies.
  const char* locate(NodeAt at, size_t index) const;
  bool next_node(NodeAt* at) const;
  bool previous_node(NodeAt* at) const;
  // The elements and bytes of a node have changed.
  void adjust(NodeAt at, int64_t elements, int64_t packed_bytes);

  void* allocate(size_t bytes);
  void release(void* block, size_t bytes);
  ListNode* new_node(size_t capacity);
  void free_node(ListNode* node);
  // The node as one that may be written to.
  ListNode* own_node(NodeAt at) {
    ListNode* const node = node_at(at);
    return node->epoch >= frozen_below_ ? node : copy_frozen(at);
  }
  ListNode* copy_frozen(NodeAt at);
  void restart_epochs();
  static void leave_over_node(FrozenNodes& owner, const FrozenNodes::LeftOver& left);
  void adopt(ListNode* node);
  // Moves the elements to a node of that capacity, against its `side`.
  void resize_node(NodeAt at, size_t capacity, ListEnd side);

  // Puts a node with `count` elements into the index, before what is at `at` (behind everything: slot = size).
  NodeAt add_node(NodeAt at, ListNode* node, uint32_t count);
  void remove_node(NodeAt at);
  Group* new_group(uint32_t capacity);
  void insert_group(uint32_t index, Group* group, uint64_t elements);
  void remove_group(uint32_t index);
  NodeAt split_group(NodeAt at);
  void grow_group(uint32_t index);

  char* make_room_at_end(ListEnd end, size_t bytes);
  char* open_gap(ListNode* node, size_t offset, size_t bytes);
  void close_gap(ListNode* node, size_t offset, size_t bytes);
  NodeAt split_node(NodeAt at, size_t offset);
  NodeAt make_room_before(NodeAt at, size_t offset, size_t bytes, char** out);
  void replace_only(NodeAt at, const PackedText& text);
  void erase_in_node(NodeAt at, size_t index, size_t count);
  size_t remove_equal_in_node(NodeAt at, const PackedText& wanted, Bytes text, size_t count_max, ListEnd from);
  bool settle_node(NodeAt at, bool changed);
  bool is_small(NodeAt at) const;
  void join_if_small(NodeAt at);
  bool join_with_next(NodeAt at, size_t bytes_max);

  GroupRef* groups_ = nullptr;
  uint32_t group_count_ = 0;
  uint32_t group_capacity_ = 0;
  bool is_named_listpack_ = false;
  uint32_t epoch_ = 0;
  uint32_t frozen_below_ = 0;          // nodes with a lower epoch are frozen: that of the last of freezes_
  std::vector<FrozenNodes*> freezes_;  // in the order of their epochs
  size_t count_ = 0;
  size_t packed_bytes_ = 0;
  size_t allocated_bytes_ = 0;
};

template <class Visit>
void ListStructure::visit(size_t index, size_t count, Visit visit) const {
  if (count == 0) return;
  NodeAt at = find_node(&index);
  for (const char* position = locate(at, index);;) {
    const char* const end = node_at(at)->last_end();
    while (position != end) {
      const PackedElement element = read_packed(position);
      visit(element);
      if (--count == 0) return;
      position = element.end();
    }
    next_node(&at);
    position = node_at(at)->first();
  }
}

template <class Visit>
void ListStructure::visit_nodes(Visit visit) const {
  for (uint32_t g = 0; g < group_count_; g++) {
    for (uint32_t s = 0; s < groups_[g].group->size; s++) visit(node_at({g, s})->sequence(), count_at({g, s}));
  }
}

template <class Visit>
bool ListStructure::visit_some_nodes(NodeWalk* walk, size_t bytes_max, Visit visit) const {
  for (size_t bytes = 0; walk->group < group_count_ && bytes < bytes_max;) {
    const NodeAt at{walk->group, walk->slot};
    const Bytes sequence = node_at(at)->sequence();
    visit(sequence, count_at(at));
    bytes += sequence.size();
    if (++walk->slot < groups_[walk->group].group->size) continue;
    walk->slot = 0;
    walk->group++;
  }
  return walk->group < group_count_;
}

}  // namespace larder
