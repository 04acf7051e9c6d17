// An ordered map from stream IDs to small plain values: the index of a stream's nodes, and the lists of pending entries of
// its groups and consumers.
//
// A B+ tree. Leaves hold IDs and values in two arrays and know their neighbours; inner nodes hold one separator a child.
//
//             inner: id0 id1 id2 ...          id_i is at most the smallest ID under child i; id0 is not looked at
//            /       |         \              .
//   leaf ⇄ leaf ⇄ leaf ...                    ids[capacity] │ values[capacity]
//
// IDs come in ascending order nearly always, so an insertion behind the last one does not split a full leaf in half but
// opens a new one: leaves are full, not half full. The only leaf of a small tree grows from 2 to kLeafMax in steps, since
// there may be thousands of consumers with a few pending entries each. A node goes when its last item goes, and a leaf
// that has become sparse moves to a smaller block; nothing is merged. So acknowledging in any order gives the memory
// back, and the height stays what the number of leaves asks for.
//
// Cost: look-up 50-100 ns among a million; bytes an item: 16 for the ID, the value, and 1.
// Rejected: a radix tree over the 16 bytes of the ID (a node of its own for each pending entry), a hash table (XPENDING
// and XAUTOCLAIM walk in order), one tree shared by group and consumers (XREADGROUP of a consumer's own history would
// walk everybody's).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

#include "base/assert.h"
#include "storage/stream_id.h"
#include "storage/stream_memory.h"

namespace larder {

template <class Value>
class StreamIdTree {
  static_assert(std::is_trivially_copyable_v<Value> && alignof(Value) <= 8);
  struct Leaf;

 public:
  explicit StreamIdTree(StreamMemory& memory) : memory_(memory) {}
  ~StreamIdTree() {
    while (free_first_leaf([](Value&) {}) > 0) {
    }
  }
  StreamIdTree(const StreamIdTree&) = delete;
  StreamIdTree& operator=(const StreamIdTree&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // An item where it lies; valid until the tree changes. Converts to false past either end.
  class Cursor {
   public:
    Cursor() = default;
    explicit operator bool() const { return leaf_ != nullptr; }
    StreamId id() const { return leaf_->ids()[at_]; }
    Value& value() const { return leaf_->values()[at_]; }
    void next() {
      if (++at_ == leaf_->count) *this = Cursor(leaf_->next, 0);
    }
    void previous() {
      if (at_-- == 0)
        *this = leaf_->previous != nullptr ? Cursor(leaf_->previous, leaf_->previous->count - 1) : Cursor();
    }

   private:
    friend class StreamIdTree;
    Cursor(Leaf* leaf, uint32_t at) : leaf_(leaf), at_(at) {}
    Leaf* leaf_ = nullptr;
    uint32_t at_ = 0;
  };
  Cursor first() const { return first_ != nullptr ? Cursor(first_, 0) : Cursor(); }
  Cursor last() const { return last_ != nullptr ? Cursor(last_, last_->count - 1) : Cursor(); }
  // The first item not below `id`, and the last one not above it.
  Cursor at_or_after(StreamId id) const;
  Cursor at_or_before(StreamId id) const;
  // Null when there is none. Valid until the tree changes.
  Value* find(StreamId id) const;

  // Returns whether the ID is new; if it is not, the value stays as it was.
  bool insert(StreamId id, const Value& value);
  // Returns whether there was one.
  bool erase(StreamId id);
  // Frees the leaf with the smallest IDs, after visit(Value&) for each of them. Returns how many: 0 when it was empty.
  template <class Visit>
  size_t free_first_leaf(Visit visit);

  // Stops the process when something is wrong.
  void check_integrity() const;

 private:
  static constexpr uint32_t kLeafMax = 62;  // with it leaves fill their size class for values of 0, 8 and 24 bytes
  static constexpr uint32_t kLeafMin = 2;
  static constexpr uint32_t kInnerMax = 42;   // 1,024 bytes
  static constexpr uint32_t kHeightMax = 24;  // inner levels; even nodes of two children hold 16 million leaves
  static constexpr size_t kValueBytes = std::is_empty_v<Value> ? 0 : sizeof(Value);

  struct Leaf {
    Leaf* next;
    Leaf* previous;
    uint32_t count;
    uint32_t capacity;

    StreamId* ids() { return reinterpret_cast<StreamId*>(this + 1); }
    Value* values() { return reinterpret_cast<Value*>(ids() + capacity); }
    static size_t bytes(uint32_t capacity) { return sizeof(Leaf) + capacity * (sizeof(StreamId) + kValueBytes); }
  };
  struct Inner {
    uint64_t count;
    StreamId ids[kInnerMax];
    void* children[kInnerMax];
  };
  // The way from the root to a leaf.
  struct Path {
    Inner* inner[kHeightMax];
    uint32_t at[kHeightMax];
    Leaf* leaf = nullptr;
  };

  static uint32_t leaf_position(Leaf* leaf, StreamId id) {
    return static_cast<uint32_t>(std::lower_bound(leaf->ids(), leaf->ids() + leaf->count, id) - leaf->ids());
  }
  static uint32_t child_position(const Inner& inner, StreamId id) {
    return static_cast<uint32_t>(std::upper_bound(inner.ids + 1, inner.ids + inner.count, id) - inner.ids - 1);
  }
  Path path_to(StreamId id) const;
  Leaf* leaf_for(StreamId id) const;
  Leaf* create_leaf(uint32_t capacity);
  void free_leaf(Leaf* leaf);
  Inner* create_inner();
  void free_inner(Inner* inner);
  // Puts a leaf (or null) in the place of the one that the path ends in.
  void replace_child(const Path& path, uint32_t level, void* child);
  Leaf* resize_leaf(const Path& path, uint32_t capacity);
  Leaf* split_leaf(Path& path, uint32_t position);
  void insert_child(Path& path, StreamId id, void* child);
  void remove_leaf(Path& path);
  static void insert_at(Leaf* leaf, uint32_t position, StreamId id, const Value& value);
  static void copy_items(Leaf* to, uint32_t to_at, Leaf* from, uint32_t from_at, uint32_t count);
  size_t check_below(void* node, uint32_t level, const StreamId* low, const StreamId* high, Leaf** previous) const;

  StreamMemory& memory_;
  void* root_ = nullptr;  // a leaf if height_ is 0
  uint32_t height_ = 0;   // inner levels
  Leaf* first_ = nullptr;
  Leaf* last_ = nullptr;
  size_t size_ = 0;
};

// ---- Looking up

template <class Value>
typename StreamIdTree<Value>::Path StreamIdTree<Value>::path_to(StreamId id) const {
  Path path;
  void* node = root_;
  for (uint32_t level = 0; level < height_; level++) {
    auto* inner = static_cast<Inner*>(node);
    const uint32_t at = child_position(*inner, id);
    path.inner[level] = inner;
    path.at[level] = at;
    node = inner->children[at];
  }
  path.leaf = static_cast<Leaf*>(node);
  return path;
}

template <class Value>
typename StreamIdTree<Value>::Leaf* StreamIdTree<Value>::leaf_for(StreamId id) const {
  void* node = root_;
  for (uint32_t level = 0; level < height_; level++) {
    auto* inner = static_cast<Inner*>(node);
    node = inner->children[child_position(*inner, id)];
  }
  return static_cast<Leaf*>(node);
}

template <class Value>
typename StreamIdTree<Value>::Cursor StreamIdTree<Value>::at_or_after(StreamId id) const {
  Leaf* leaf = leaf_for(id);
  if (leaf == nullptr) return {};
  const uint32_t position = leaf_position(leaf, id);
  if (position < leaf->count) return Cursor(leaf, position);
  return leaf->next != nullptr ? Cursor(leaf->next, 0) : Cursor();
}

template <class Value>
typename StreamIdTree<Value>::Cursor StreamIdTree<Value>::at_or_before(StreamId id) const {
  Leaf* leaf = leaf_for(id);
  if (leaf == nullptr) return {};
  const uint32_t position = leaf_position(leaf, id);
  if (position < leaf->count && leaf->ids()[position] == id) return Cursor(leaf, position);
  if (position > 0) return Cursor(leaf, position - 1);
  return leaf->previous != nullptr ? Cursor(leaf->previous, leaf->previous->count - 1) : Cursor();
}

template <class Value>
Value* StreamIdTree<Value>::find(StreamId id) const {
  Leaf* leaf = leaf_for(id);
  if (leaf == nullptr) return nullptr;
  const uint32_t position = leaf_position(leaf, id);
  return position < leaf->count && leaf->ids()[position] == id ? &leaf->values()[position] : nullptr;
}

// ---- Nodes

template <class Value>
typename StreamIdTree<Value>::Leaf* StreamIdTree<Value>::create_leaf(uint32_t capacity) {
  return new (memory_.allocate(Leaf::bytes(capacity))) Leaf{nullptr, nullptr, 0, capacity};
}

template <class Value>
void StreamIdTree<Value>::free_leaf(Leaf* leaf) {
  memory_.free(leaf, Leaf::bytes(leaf->capacity));
}

template <class Value>
typename StreamIdTree<Value>::Inner* StreamIdTree<Value>::create_inner() {
  auto* inner = static_cast<Inner*>(memory_.allocate(sizeof(Inner)));
  inner->count = 0;
  return inner;
}

template <class Value>
void StreamIdTree<Value>::free_inner(Inner* inner) {
  memory_.free(inner, sizeof(Inner));
}

template <class Value>
void StreamIdTree<Value>::copy_items(Leaf* to, uint32_t to_at, Leaf* from, uint32_t from_at, uint32_t count) {
  std::memmove(to->ids() + to_at, from->ids() + from_at, count * sizeof(StreamId));
  if constexpr (kValueBytes > 0) {
    std::memmove(static_cast<void*>(to->values() + to_at), from->values() + from_at, count * kValueBytes);
  }
}

template <class Value>
void StreamIdTree<Value>::insert_at(Leaf* leaf, uint32_t position, StreamId id, const Value& value) {
  copy_items(leaf, position + 1, leaf, position, leaf->count - position);
  leaf->ids()[position] = id;
  if constexpr (kValueBytes > 0) leaf->values()[position] = value;
  leaf->count++;
}

template <class Value>
void StreamIdTree<Value>::replace_child(const Path& path, uint32_t level, void* child) {
  if (level == 0) {
    root_ = child;
  } else {
    path.inner[level - 1]->children[path.at[level - 1]] = child;
  }
}

// The path's leaf in a block for `capacity` items.
template <class Value>
typename StreamIdTree<Value>::Leaf* StreamIdTree<Value>::resize_leaf(const Path& path, uint32_t capacity) {
  Leaf* const old = path.leaf;
  LARDER_ASSERT(old->count <= capacity);
  Leaf* leaf = create_leaf(capacity);
  copy_items(leaf, 0, old, 0, old->count);
  leaf->count = old->count;
  leaf->next = old->next;
  leaf->previous = old->previous;
  (leaf->next != nullptr ? leaf->next->previous : last_) = leaf;
  (leaf->previous != nullptr ? leaf->previous->next : first_) = leaf;
  replace_child(path, height_, leaf);
  free_leaf(old);
  return leaf;
}

// Makes a second leaf behind the path's full one: empty if the insertion is going to be at the very end, else with the
// upper half.
template <class Value>
typename StreamIdTree<Value>::Leaf* StreamIdTree<Value>::split_leaf(Path& path, uint32_t position) {
  Leaf* const left = path.leaf;
  Leaf* right = create_leaf(kLeafMax);
  right->next = left->next;
  right->previous = left;
  (right->next != nullptr ? right->next->previous : last_) = right;
  left->next = right;
  if (right->next != nullptr || position < left->count) {
    const uint32_t kept = left->count / 2;
    right->count = left->count - kept;
    copy_items(right, 0, left, kept, right->count);
    left->count = kept;
  }
  return right;
}

// Puts a node behind the one that the path leads through on the lowest level. `id` separates the two.
template <class Value>
void StreamIdTree<Value>::insert_child(Path& path, StreamId id, void* child) {
  for (uint32_t level = height_; level > 0; level--) {
    Inner* inner = path.inner[level - 1];
    const uint32_t at = path.at[level - 1] + 1;
    const auto put = [&](Inner* node, uint64_t where) {
      std::copy_backward(node->ids + where, node->ids + node->count, node->ids + node->count + 1);
      std::copy_backward(node->children + where, node->children + node->count, node->children + node->count + 1);
      node->ids[where] = id;
      node->children[where] = child;
      node->count++;
    };
    if (inner->count < kInnerMax) return put(inner, at);
    Inner* right = create_inner();
    const uint64_t kept = at == inner->count ? inner->count : inner->count / 2;
    std::copy(inner->ids + kept, inner->ids + inner->count, right->ids);
    std::copy(inner->children + kept, inner->children + inner->count, right->children);
    right->count = inner->count - kept;
    inner->count = kept;
    if (at > kept || kept == kInnerMax) {
      put(right, at - kept);
    } else {
      put(inner, at);
    }
    id = right->ids[0];
    child = right;
  }
  LARDER_ASSERT(height_ < kHeightMax);
  Inner* root = create_inner();
  root->count = 2;
  root->ids[0] = kStreamIdMin;
  root->children[0] = root_;
  root->ids[1] = id;
  root->children[1] = child;
  root_ = root;
  height_++;
}

// ---- Changing

template <class Value>
bool StreamIdTree<Value>::insert(StreamId id, const Value& value) {
  if (root_ == nullptr) root_ = first_ = last_ = create_leaf(kLeafMin);
  Path path = path_to(id);
  Leaf* leaf = path.leaf;
  uint32_t position = leaf_position(leaf, id);
  if (position < leaf->count && leaf->ids()[position] == id) return false;
  size_++;
  if (leaf->count == leaf->capacity && leaf->capacity < kLeafMax) leaf = resize_leaf(path, leaf->capacity * 2 + 2);
  if (leaf->count < leaf->capacity) {
    insert_at(leaf, position, id, value);
    return true;
  }
  Leaf* right = split_leaf(path, position);
  if (position > leaf->count || right->count == 0) {
    insert_at(right, position - leaf->count, id, value);
  } else {
    insert_at(leaf, position, id, value);
  }
  insert_child(path, right->ids()[0], right);
  return true;
}

// Takes the path's leaf out of the tree, with the inner nodes that have no other child.
template <class Value>
void StreamIdTree<Value>::remove_leaf(Path& path) {
  Leaf* const leaf = path.leaf;
  (leaf->next != nullptr ? leaf->next->previous : last_) = leaf->previous;
  (leaf->previous != nullptr ? leaf->previous->next : first_) = leaf->next;
  free_leaf(leaf);
  uint32_t level = height_;
  for (; level > 0; level--) {
    Inner* inner = path.inner[level - 1];
    const uint32_t at = path.at[level - 1];
    std::copy(inner->ids + at + 1, inner->ids + inner->count, inner->ids + at);
    std::copy(inner->children + at + 1, inner->children + inner->count, inner->children + at);
    if (--inner->count > 0) break;
    free_inner(inner);
  }
  if (level == 0) {
    root_ = nullptr;
    height_ = 0;
  }
  while (height_ > 0 && static_cast<Inner*>(root_)->count == 1) {
    auto* inner = static_cast<Inner*>(root_);
    root_ = inner->children[0];
    free_inner(inner);
    height_--;
  }
}

template <class Value>
bool StreamIdTree<Value>::erase(StreamId id) {
  if (root_ == nullptr) return false;
  Path path = path_to(id);
  Leaf* leaf = path.leaf;
  const uint32_t position = leaf_position(leaf, id);
  if (position == leaf->count || leaf->ids()[position] != id) return false;
  copy_items(leaf, position, leaf, position + 1, leaf->count - position - 1);
  leaf->count--;
  size_--;
  if (leaf->count == 0) {
    remove_leaf(path);
  } else if (leaf->capacity > kLeafMin && leaf->count * 3 <= leaf->capacity) {
    resize_leaf(path, (leaf->capacity - 2) / 2);
  }
  return true;
}

template <class Value>
template <class Visit>
size_t StreamIdTree<Value>::free_first_leaf(Visit visit) {
  if (root_ == nullptr) return 0;
  Path path = path_to(kStreamIdMin);
  const uint32_t count = path.leaf->count;
  for (uint32_t i = 0; i < count; i++) visit(path.leaf->values()[i]);
  size_ -= count;
  remove_leaf(path);
  return count;
}

// ---- Checking

template <class Value>
size_t StreamIdTree<Value>::check_below(void* node, uint32_t level, const StreamId* low, const StreamId* high,
                                        Leaf** previous) const {
  if (level == height_) {
    auto* leaf = static_cast<Leaf*>(node);
    LARDER_ASSERT(leaf->count > 0 && leaf->count <= leaf->capacity && leaf->capacity <= kLeafMax);
    LARDER_ASSERT(leaf->previous == *previous);
    if (*previous != nullptr) LARDER_ASSERT((*previous)->next == leaf);
    for (uint32_t i = 1; i < leaf->count; i++) LARDER_ASSERT(leaf->ids()[i - 1] < leaf->ids()[i]);
    if (low != nullptr) LARDER_ASSERT(*low <= leaf->ids()[0]);
    if (high != nullptr) LARDER_ASSERT(leaf->ids()[leaf->count - 1] < *high);
    *previous = leaf;
    return leaf->count;
  }
  auto* inner = static_cast<Inner*>(node);
  LARDER_ASSERT(inner->count > 0 && inner->count <= kInnerMax);
  size_t count = 0;
  for (uint64_t i = 0; i < inner->count; i++) {
    count += check_below(inner->children[i], level + 1, i == 0 ? low : &inner->ids[i],
                         i + 1 < inner->count ? &inner->ids[i + 1] : high, previous);
  }
  return count;
}

template <class Value>
void StreamIdTree<Value>::check_integrity() const {
  if (root_ == nullptr) {
    LARDER_ASSERT(size_ == 0 && height_ == 0 && first_ == nullptr && last_ == nullptr);
    return;
  }
  Leaf* previous = nullptr;
  LARDER_ASSERT(check_below(root_, 0, nullptr, nullptr, &previous) == size_);
  LARDER_ASSERT(previous == last_ && last_->next == nullptr && first_->previous == nullptr);
}

}  // namespace larder
