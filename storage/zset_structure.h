// A large sorted set: a tree that keeps the order and an index by name, over the same member blocks.
//
//        HashTable: name ──▶ ZsetMember { score, bytes } ◀── ScoreTree: (score, bytes), ranks
//
// With a million members of 16 bytes: 28 for the member's block, 10 to 12.4 for its slot in the index, 10 in the tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "storage/hash.h"
#include "storage/hash_table.h"
#include "storage/score_tree.h"
#include "storage/structure.h"
#include "storage/zset_member.h"

namespace larder {

class ZsetStructure final : public Structure {
 public:
  explicit ZsetStructure(StructureResources& resources)
      : Structure(resources),
        index_(ZsetMemberPolicy{resources.hash_seed}, resources.tables),
        tree_(resources.blocks) {}
  ~ZsetStructure() override;

  // ---- Members
  HashedKey hashed(Bytes bytes) const { return {bytes, hash_bytes(bytes, resources().hash_seed)}; }
  // Starts the memory accesses of a look-up; `score` is where the member may go then.
  void prefetch(const HashedKey& member, double score) const {
    index_.prefetch_bucket(member.hash);
    tree_.prefetch(score);
    index_.prefetch_entry(member.hash);
  }
  void prefetch_bucket(uint64_t hash) const override { index_.prefetch_bucket(hash); }
  void prefetch_item(uint64_t hash) const override { index_.prefetch_entry_or_place(hash); }
  void prefetch_place(uint64_t hash) const override {
    index_.prefetch_entry(hash, [this](const ZsetMember* member) { tree_.prefetch(member->score()); });
  }
  // Null when there is none. Write the score with set_score().
  ZsetMember* find(const HashedKey& member) const {
    const auto* slot = index_.find(member.hash, member.bytes);
    return slot == nullptr ? nullptr : slot->item();
  }
  ZsetMember* find(Bytes bytes) const { return find(hashed(bytes)); }
  // Requires: not a member yet.
  void insert(const HashedKey& member, double score) { tree_.insert(create_member(member, score)); }
  void set_score(ZsetMember* member, double score);
  // Takes the member out and frees it.
  void remove(ZsetMember* member);
  // Takes `count` members out from `rank` on. Requires: the ranks exist.
  void remove_ranks(size_t rank, size_t count);

  // ---- Building from many members in any order: add each, then put them in order once. In between there is nothing
  // but find(), set_unordered_score() and add_unordered().
  // Before the first: about so many will come.
  void expect(uint64_t count) {
    if (count > 0) index_.expect(count);
  }
  // Requires: not a member yet.
  void add_unordered(const HashedKey& member, double score) { create_member(member, score); }
  static void set_unordered_score(ZsetMember* member, double score) { member->set_score(score); }
  // Of millions it takes seconds: `meanwhile` is called after each few milliseconds of it.
  void put_in_order(const std::function<void()>& meanwhile = nullptr);

  // ---- Order
  const ScoreTree& tree() const { return tree_; }
  // One step of ZSCAN: see HashTable::scan.
  template <class Visit>
  uint64_t scan(uint64_t position, Visit visit) const {
    return index_.scan(position, visit);
  }

  // ---- Structure
  size_t size() const override { return index_.size(); }
  size_t memory_bytes() const override;
  Bytes encoding_name() const override { return "skiplist"; }
  Structure* clone() const override;
  bool free_some(size_t elements_max) override;
  uint64_t compact_some(uint64_t position, BlockMover& mover) override;
  void check_integrity() const override;

 private:
  using Index = HashTable<ZsetMemberPolicy>;
  size_t object_bytes() const override { return sizeof(*this); }
  ZsetMember* create_member(const HashedKey& member, double score);
  void destroy_member(ZsetMember* member);

  Index index_;
  ScoreTree tree_;
  size_t member_bytes_ = 0;
  uint64_t drain_position_ = 0;  // of free_some()
};

}  // namespace larder
