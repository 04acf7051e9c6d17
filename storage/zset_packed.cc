#include "storage/zset_packed.h"

namespace larder {

double PackedPair::score() const {
  if (score_element.is_integer) return static_cast<double>(score_element.number);
  return parse_double(score_element.bytes).value_or(0);
}

PackedScore::PackedScore(double score) : size_(write_double(digits_, score + 0.0)) {}

bool PackedZset::find(Bytes member, PackedPair* pair, size_t* rank) const {
  const PackedText wanted(member);
  const Bytes all = sequence();
  size_t index = 0;
  for (const char* at = all.data(); at != all.data() + all.size(); index++) {
    const PackedElement element = read_packed(at);
    const PackedElement score = read_packed(element.end());
    if (wanted.equals(element)) {
      *pair = {element, score};
      if (rank != nullptr) *rank = index;
      return true;
    }
    at = score.end();
  }
  return false;
}

const char* PackedZset::place_of(size_t rank) const {
  const Bytes all = sequence();
  const size_t members = size();
  if (rank <= members / 2) {
    const char* at = all.data();
    for (; rank > 0; rank--) at = pair_at(at).end();
    return at;
  }
  const char* at = all.data() + all.size();
  for (; rank < members; rank++) at = pair_before(at).at();
  return at;
}

size_t PackedZset::rank_of(const ZsetPosition& position, bool from_back) const {
  char scratch[kInt64TextBytesMax];
  const Bytes all = sequence();
  const auto lies_before = [&](const PackedPair& pair) {
    const bool by_score = position.by == ZsetPosition::By::kScore;
    return position.follows(by_score ? pair.score() : 0, by_score ? Bytes() : pair.member.text(scratch));
  };
  if (from_back) {
    size_t rank = size();
    for (const char* end = all.data() + all.size(); rank > 0; rank--) {
      const PackedPair pair = pair_before(end);
      if (lies_before(pair)) break;
      end = pair.at();
    }
    return rank;
  }
  size_t rank = 0;
  for (const char* at = all.data(); at != all.data() + all.size(); rank++) {
    const PackedPair pair = pair_at(at);
    if (!lies_before(pair)) break;
    at = pair.end();
  }
  return rank;
}

const char* PackedZset::place_for(double score, Bytes member) const {
  char scratch[kInt64TextBytesMax];
  const Bytes all = sequence();
  // From the back: leaderboards and schedules mostly grow at that end.
  const char* end = all.data() + all.size();
  while (end != all.data()) {
    const PackedPair pair = pair_before(end);
    const double other = pair.score();
    if (other < score || (other == score && pair.member.text(scratch) < member)) break;
    end = pair.at();
  }
  return end;
}

}  // namespace larder
