// The reply of a range of a large sorted set. What changes before its turn is told apart by name:
//
//   tree    a   b   c'  d   e'  f        c' and e' came or changed after the command: `names_` has them, they are left out
//   kept_           c           g        as they were at the command: written between b and d, and behind f
//
// So the walk is a merge of two orders, from a position that says what was written. Without changes there is no look-up by name.

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "server/core/collection_reply.h"

namespace larder {
namespace {

class RangeReply final : public CollectionReply {
 public:
  RangeReply(Store& store, ZsetStructure& zset, size_t rank, size_t count, bool downwards, RangeScores scores)
      : CollectionReply(store, zset), zset_(zset), left_(count), downwards_(downwards), scores_(scores) {
    zset.tree().visit(rank, 1, false, [&](const ZsetMember* member) { position_.set(*member); });
    const size_t last = downwards ? rank - (count - 1) : rank + (count - 1);
    zset.tree().visit(last, 1, false, [&](const ZsetMember* member) { last_.set(*member); });
  }
  ~RangeReply() override {
    if (names_ == nullptr) return;
    store().dispose(names_);
    store().dispose(kept_);
  }

  bool write_some(ReplyWriter& out) override;
  size_t held_bytes() const override { return stored_bytes(); }
  size_t stored_bytes() const override {
    return left_over_bytes() + (names_ != nullptr ? names_->memory_bytes() + kept_->memory_bytes() : 0);
  }

  void item_changing(uint64_t hash, const void* item) override;
  void item_coming(uint64_t, Bytes name) override {
    if (left_ > 0) remember(name);
  }

 private:
  // What one piece leaves out at the most: some 100 us.
  static constexpr size_t kLeftOutMax = 512;
  static constexpr size_t kMembersPerStep = 64;

  struct Place {
    explicit Place(const ZsetMember& member) : order(member.order()), bytes(member.bytes()) {}
    Place(uint64_t score_order, Bytes member_bytes) : order(score_order), bytes(member_bytes) {}
    uint64_t order;
    Bytes bytes;
  };
  struct Position {
    void set(const ZsetMember& member) {
      order = member.order();
      bytes = member.bytes();
    }
    Place place() const { return {order, bytes}; }
    uint64_t order = 0;
    std::string bytes;
  };
  // On this walk's way.
  bool is_before(const Place& a, const Place& b) const {
    if (a.order != b.order) return (a.order < b.order) != downwards_;
    return downwards_ ? a.bytes > b.bytes : a.bytes < b.bytes;
  }
  bool is_ahead(const Place& place) const {
    if (is_before(last_.place(), place)) return false;
    return is_first_ ? !is_before(place, position_.place()) : is_before(position_.place(), place);
  }

  // False: it is remembered already.
  bool remember(Bytes name) {
    if (names_ == nullptr) {
      names_ = create_structure<SetStructure>(zset_.resources(), SetForm::kHashtable);
      kept_ = create_structure<ZsetStructure>(zset_.resources());
    }
    return names_->add(name);
  }
  // The rank of the tree's next member, and how many there are to the end of the tree.
  struct Ahead {
    size_t rank;
    size_t count;
  };
  Ahead ahead() const;
  // The next of those kept; null: none.
  ZsetMember* next_kept() const;
  void write_kept(ReplyWriter& out, ZsetMember* member);
  // Writes those kept that come before the member. False: the piece is full, and there are more.
  bool write_kept_before(ReplyWriter& out, size_t end, const ZsetMember& member);
  void write(ReplyWriter& out, const ZsetMember& member);
  // Meets some members of the tree. False: none is left in the range.
  bool walk_some(ReplyWriter& out, size_t end, size_t* left_out);

  ZsetStructure& zset_;
  size_t left_;             // members still to be written
  Position position_;       // of the member that was met last; before the first one, of that
  Position last_;           // of the range
  bool is_first_ = true;    // the member at the position is still to be written
  bool tree_done_ = false;  // of the tree's members none is left in the range
  const bool downwards_;
  const RangeScores scores_;
  SetStructure* names_ = nullptr;  // of members that came, changed or went since the command
  ZsetStructure* kept_ = nullptr;  // those of them that were ahead, as they were
};

void RangeReply::item_changing(uint64_t, const void* item) {
  if (left_ == 0) return;
  const auto& member = *static_cast<const ZsetMember*>(item);
  if (remember(member.bytes()) && is_ahead(Place(member))) kept_->insert(kept_->hashed(member.bytes()), member.score());
}

RangeReply::Ahead RangeReply::ahead() const {
  const size_t behind = zset_.tree().rank_behind(position_.order, position_.bytes);
  const ZsetMember* at_position = zset_.find(position_.bytes);
  const bool is_there = at_position != nullptr && at_position->order() == position_.order;
  const size_t skipped = is_there && !is_first_;
  if (!downwards_) {
    const size_t rank = behind - (is_there ? 1 : 0) + skipped;
    return {rank, zset_.size() - rank};
  }
  const size_t count = behind - skipped;
  return {count == 0 ? 0 : count - 1, count};
}

ZsetMember* RangeReply::next_kept() const {
  if (kept_ == nullptr || kept_->size() == 0) return nullptr;
  ZsetMember* next = nullptr;
  kept_->tree().visit(downwards_ ? kept_->size() - 1 : 0, 1, false, [&](ZsetMember* member) { next = member; });
  return next;
}

void RangeReply::write(ReplyWriter& out, const ZsetMember& member) {
  LARDER_ASSERT(left_ > 0);
  left_--;
  if (scores_ == RangeScores::kNested) out.array(2);
  out.bulk(member.bytes());
  if (scores_ != RangeScores::kNone) out.double_value(member.score());
}

void RangeReply::write_kept(ReplyWriter& out, ZsetMember* member) {
  write(out, *member);
  kept_->remove(member);
}

bool RangeReply::write_kept_before(ReplyWriter& out, size_t end, const ZsetMember& member) {
  for (;;) {
    ZsetMember* kept = next_kept();
    if (kept == nullptr || !is_before(Place(*kept), Place(member))) return true;
    if (out.position() >= end) return false;
    write_kept(out, kept);
  }
}

bool RangeReply::walk_some(ReplyWriter& out, size_t end, size_t* left_out) {
  const Ahead next = ahead();
  const size_t count = std::min(next.count, kMembersPerStep);
  const ZsetMember* met = nullptr;
  bool goes_on = count > 0;
  bool in_range = goes_on;
  zset_.tree().visit(next.rank, count, downwards_, [&](const ZsetMember* member) {
    if (!goes_on) return;
    in_range = !is_before(last_.place(), Place(*member));
    goes_on = in_range && out.position() < end && *left_out < kLeftOutMax;
    goes_on = goes_on && (names_ == nullptr || write_kept_before(out, end, *member));
    if (!goes_on) return;
    met = member;
    if (names_ != nullptr && names_->contains(member->bytes())) {
      ++*left_out;
    } else {
      write(out, *member);
    }
  });
  if (met != nullptr) {
    position_.set(*met);
    is_first_ = false;
  }
  return in_range;
}

bool RangeReply::write_some(ReplyWriter& out) {
  const size_t end = out.position() + kPieceBytes;
  if (scores_ == RangeScores::kNested) out.set_protocol_version(3);
  size_t left_out = 0;
  while (left_ > 0 && out.position() < end && left_out < kLeftOutMax) {
    if (!tree_done_) tree_done_ = !walk_some(out, end, &left_out);
    if (!tree_done_ || left_ == 0) continue;
    ZsetMember* kept = next_kept();
    LARDER_ASSERT(kept != nullptr);
    write_kept(out, kept);
  }
  return left_ > 0;
}

}  // namespace

std::unique_ptr<ReplySource> range_reply(Store& store, ZsetStructure& zset, size_t rank, size_t count, bool downwards,
                                         RangeScores scores) {
  return std::make_unique<RangeReply>(store, zset, rank, count, downwards, scores);
}

}  // namespace larder
