// The handle on a sorted set: what the sorted set and geo commands work with.
//
//   auto value = keyspace.edit_or_create<ZsetValue>(key, now_ms);
//   const ZsetPut put = value->put(member, score, rule, limits);
//
// Up to ZsetLimits a set is packed into its entry (zset_packed.h), beyond that it is a ZsetStructure; it never goes back but
// by being stored anew. Everything that a command asks for by score, by bytes or by index is first turned into a range of
// ranks (two searches of O(log n), or a walk over the packed bytes), which is then counted, visited or removed: so the two
// forms differ in this file and nowhere else.
//
// A handle holds until somebody else changes the keyspace (see keyspace.h). Its own writes keep it good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/random.h"
#include "storage/collection_handle.h"
#include "storage/zset_packed.h"
#include "storage/zset_structure.h"

namespace larder {

// Up to where a set is packed: zset-max-listpack-entries and -value.
struct ZsetLimits {
  size_t members_max = 128;
  size_t member_bytes_max = 64;
};

// The options of ZADD.
struct ZsetRule {
  bool only_new = false;       // NX
  bool only_existing = false;  // XX
  bool only_greater = false;   // GT
  bool only_less = false;      // LT
  bool increment = false;      // INCR: the score is added to what is there
};

enum class ZsetOutcome : uint8_t {
  kAdded,
  kUpdated,
  kUnchanged,  // it has this score already
  kRefused,    // by the rule
  kNan,        // infinity and minus infinity were to be added; nothing has changed
};

struct ZsetPut {
  ZsetOutcome outcome;
  double score;  // what the member has now; of kRefused and kNan nothing
};

struct ScoreRange {
  double min = 0;
  double max = 0;
  bool min_exclusive = false;
  bool max_exclusive = false;

  bool is_empty() const { return min > max || (min == max && (min_exclusive || max_exclusive)); }
  bool contains(double score) const {
    return (min_exclusive ? score > min : score >= min) && (max_exclusive ? score < max : score <= max);
  }
};

struct LexBound {
  enum class Kind : uint8_t { kLeast, kBytes, kGreatest };  // -, text, +
  Kind kind = Kind::kBytes;
  bool exclusive = false;
  Bytes bytes;
};

struct LexRange {
  LexBound min;
  LexBound max;
  bool is_empty() const;
};

// Members in order, by index.
struct RankRange {
  size_t first = 0;
  size_t count = 0;
};

class ZsetValue : public CollectionHandle {
 public:
  static constexpr ValueType kType = ValueType::kZset;
  using CollectionHandle::CollectionHandle;

  // ---- Reading. A key that does not exist yet reads as the empty set.
  size_t size() const { return is_structure() ? large().size() : PackedZset(packed()).size(); }
  // Null: it is packed, or does not exist.
  ZsetStructure* tree() const { return is_structure() ? &large() : nullptr; }
  std::optional<double> score(Bytes member) const;
  struct Ranked {
    size_t rank;
    double score;
  };
  std::optional<Ranked> rank(Bytes member) const;
  RankRange ranks(const ScoreRange& range) const;
  // Meaningful where all scores are equal. `downwards`: for a walk from the end; in packed sets of mixed scores the two
  // ways find different members, as in Redis.
  RankRange ranks(const LexRange& range, bool downwards = false) const;

  // Calls visit(Bytes member, double score) for the members of a range, from its first upwards or from its last
  // downwards; `visit` must not change the keyspace. The bytes end with the call. Requires: the ranks exist.
  template <class Visit>
  void visit(RankRange range, bool downwards, Visit visit) const {
    if (range.count == 0) return;
    const size_t rank = downwards ? range.first + range.count - 1 : range.first;
    if (!is_structure()) return PackedZset(packed()).visit(rank, range.count, downwards, visit);
    large().tree().visit(rank, range.count, downwards,
                         [&](const ZsetMember* member) { visit(member->bytes(), member->score()); });
  }
  template <class Visit>
  void visit_all(Visit visit_member) const {
    visit({0, size()}, false, visit_member);
  }
  // The same upwards until visit(Bytes, double) returns false: a bounded number of members later it is not called again.
  template <class Visit>
  void visit_until(RankRange range, Visit visit_member) const {
    constexpr size_t kPiece = 128;
    bool goes_on = true;
    while (goes_on && range.count > 0) {
      const RankRange piece{range.first, range.count < kPiece ? range.count : kPiece};
      visit(piece, false, [&](Bytes member, double score) { goes_on = goes_on && visit_member(member, score); });
      range = {range.first + piece.count, range.count - piece.count};
    }
  }
  // One step of ZSCAN: calls visit(Bytes, double) for a few members; returns the next cursor, 0 at the end.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit_member) const {
    if (!is_structure()) {
      visit_all(visit_member);
      return 0;
    }
    return large().scan(cursor << kScanCursorShift, [&](const ZsetMember& member) {
      visit_member(member.bytes(), member.score());
    }) >> kScanCursorShift;
  }

  // ---- Writing. The first write to a key that does not exist creates it; taking the last member out removes it.
  // Requires: score is not NaN.
  ZsetPut put(Bytes member, double score, const ZsetRule& rule, const ZsetLimits& limits);
  // Returns whether it was a member.
  bool remove(Bytes member);
  // Requires: the ranks exist.
  void remove(RankRange range);
  // Makes `built` the value, packed if the limits allow it. Takes it over. Requires: !exists(), built is not empty.
  void assign(ZsetStructure* built, const ZsetLimits& limits);

  // ---- For loading and saving
  // The elements as in a listpack, without the frame. Requires: it is packed.
  Bytes packed_sequence() const { return PackedZset(packed()).sequence(); }
  bool is_packed() const { return !is_structure(); }
  // Requires: !is_packed().
  const ZsetStructure& large_set() const { return large(); }
  // The set from a listpack's elements, which come from outside: false, and nothing done, if they are not pairs of
  // distinct members and scores. Requires: !exists(); `element_count` is their number; well-formed (validate_packed).
  [[nodiscard]] bool load_packed(Bytes sequence, size_t element_count, const ZsetLimits& limits);
  // An empty large set to fill and to assign().
  ZsetStructure* new_structure() const { return create_structure<ZsetStructure>(resources()); }

  void check_integrity() const;

 private:
  ZsetStructure& large() const { return *static_cast<ZsetStructure*>(structure()); }
  ZsetPut put_large(ZsetStructure& set, Bytes member, double score, const ZsetRule& rule);
  ZsetPut put_packed(Bytes member, double score, const ZsetRule& rule, const ZsetLimits& limits);
  bool packs(Bytes member, size_t element_bytes, const ZsetLimits& limits) const;
  void insert_packed(Bytes member, double score);
  void erase_packed(const char* begin, const char* end, size_t members);
  void set_packed_count(size_t members);
  ZsetStructure* unpack() const;
};

}  // namespace larder
