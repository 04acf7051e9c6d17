// A small sorted set inside its entry: the number of members and, in order, a member and its score each, as elements of
// listpack.h. What follows the count is the listpack that Redis keeps, and puts in files, for the same set.
//
//   members (2 bytes, of this machine's order) │ member │ score │ member │ score │ ...
//
// A score that is a whole number is an integer element (zero has no sign then), any other the text of the double. Reading
// walks the elements; nothing here allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/number_text.h"
#include "storage/listpack.h"
#include "storage/score_tree.h"

namespace larder {

inline constexpr size_t kPackedZsetHeaderBytes = sizeof(uint16_t);
inline constexpr size_t kPackedZsetMembersMax = UINT16_MAX;

// A member and its score where they lie.
struct PackedPair {
  const char* at() const { return member.at; }
  const char* end() const { return score_element.end(); }
  size_t total_bytes() const { return static_cast<size_t>(end() - at()); }
  double score() const;

  PackedElement member;
  PackedElement score_element;
};

// A score as it is going to be kept.
class PackedScore {
 public:
  explicit PackedScore(double score);
  size_t total_bytes() const { return text().total_bytes(); }
  char* write(char* out) const { return text().write(out); }

 private:
  PackedText text() const { return PackedText(Bytes(digits_, size_)); }
  char digits_[kDoubleTextBytesMax];
  size_t size_;
};

// The bytes of a packed sorted set, for reading. Valid until they change.
class PackedZset {
 public:
  // `value`: the value bytes of the entry; empty for a set that does not exist.
  explicit PackedZset(Bytes value) : value_(value) {}

  size_t size() const {
    if (value_.empty()) return 0;
    uint16_t count;
    std::memcpy(&count, value_.data(), sizeof(count));
    return count;
  }
  Bytes sequence() const { return value_.substr(value_.empty() ? 0 : kPackedZsetHeaderBytes); }

  static PackedPair pair_at(const char* at) {
    PackedPair pair;
    pair.member = read_packed(at);
    pair.score_element = read_packed(pair.member.end());
    return pair;
  }
  static PackedPair pair_before(const char* end) {
    PackedPair pair;
    pair.score_element = read_packed_before(end);
    pair.member = read_packed_before(pair.score_element.at);
    return pair;
  }

  // False: no such member. *rank may be null.
  bool find(Bytes member, PackedPair* pair, size_t* rank) const;
  // Where the pair of that rank begins; with rank == size() the end.
  const char* place_of(size_t rank) const;
  // Members that lie before the place: those in front of the first that does not (from_back false), or up to the last
  // that does. The two differ only by bytes in a set of mixed scores.
  size_t rank_of(const ZsetPosition& position, bool from_back = false) const;
  // Where a new member belongs.
  const char* place_for(double score, Bytes member) const;

  // visit(Bytes member, double score), see ScoreTree::visit.
  template <class Visit>
  void visit(size_t rank, size_t count, bool downwards, Visit visit) const {
    if (count == 0) return;
    char scratch[kInt64TextBytesMax];
    const char* at = place_of(downwards ? rank + 1 : rank);
    for (; count > 0; count--) {
      const PackedPair pair = downwards ? pair_before(at) : pair_at(at);
      at = downwards ? pair.at() : pair.end();
      visit(pair.member.text(scratch), pair.score());
    }
  }

 private:
  Bytes value_;
};

}  // namespace larder
