#include "storage/zset_value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "storage/packed_names.h"

namespace larder {
namespace {

// Whole numbers up to here are doubles as they are.
constexpr int64_t kExactIntegerMax = int64_t{1} << 53;

// What ZADD's options make of a member that has, or has not, a score.
ZsetPut decide(const ZsetRule& rule, std::optional<double> current, double score) {
  if (!current) return {rule.only_existing ? ZsetOutcome::kRefused : ZsetOutcome::kAdded, score};
  if (rule.only_new) return {ZsetOutcome::kRefused, *current};
  if (rule.increment) {
    score += *current;
    if (std::isnan(score)) return {ZsetOutcome::kNan, score};
  }
  if ((rule.only_less && score >= *current) || (rule.only_greater && score <= *current)) {
    return {ZsetOutcome::kRefused, *current};
  }
  return {score == *current ? ZsetOutcome::kUnchanged : ZsetOutcome::kUpdated, score};
}

ZsetPosition lower_place(const LexBound& bound) {
  return bound.exclusive ? ZsetPosition::after_bytes(bound.bytes) : ZsetPosition::before_bytes(bound.bytes);
}
ZsetPosition upper_place(const LexBound& bound) {
  return bound.exclusive ? ZsetPosition::before_bytes(bound.bytes) : ZsetPosition::after_bytes(bound.bytes);
}

}  // namespace

bool LexRange::is_empty() const {
  if (min.kind == LexBound::Kind::kGreatest || max.kind == LexBound::Kind::kLeast) return true;
  if (min.kind == LexBound::Kind::kLeast || max.kind == LexBound::Kind::kGreatest) return false;
  return min.bytes > max.bytes || (min.bytes == max.bytes && (min.exclusive || max.exclusive));
}

// ---- Reading

std::optional<double> ZsetValue::score(Bytes member) const {
  if (is_structure()) {
    const ZsetMember* found = large().find(member);
    if (found == nullptr) return std::nullopt;
    return found->score();
  }
  PackedPair pair;
  if (!PackedZset(packed()).find(member, &pair, nullptr)) return std::nullopt;
  return pair.score();
}

std::optional<ZsetValue::Ranked> ZsetValue::rank(Bytes member) const {
  if (is_structure()) {
    const ZsetMember* found = large().find(member);
    if (found == nullptr) return std::nullopt;
    return Ranked{large().tree().rank_of(found), found->score()};
  }
  PackedPair pair;
  size_t rank = 0;
  if (!PackedZset(packed()).find(member, &pair, &rank)) return std::nullopt;
  return Ranked{rank, pair.score()};
}

RankRange ZsetValue::ranks(const ScoreRange& range) const {
  if (!exists() || range.is_empty()) return {};
  const auto low = range.min_exclusive ? ZsetPosition::after_score(range.min) : ZsetPosition::before_score(range.min);
  const auto high = range.max_exclusive ? ZsetPosition::before_score(range.max) : ZsetPosition::after_score(range.max);
  const auto rank_of = [&](const ZsetPosition& place) {
    return is_structure() ? large().tree().rank_of(place) : PackedZset(packed()).rank_of(place);
  };
  // Nothing lies beyond the infinities: to search there would be a walk down the tree for what is known.
  const bool all_below = range.max == std::numeric_limits<double>::infinity() && !range.max_exclusive;
  const bool all_above = range.min == -std::numeric_limits<double>::infinity() && !range.min_exclusive;
  const size_t first = all_above ? 0 : rank_of(low);
  if (first == size()) return {};
  return {first, (all_below ? size() : rank_of(high)) - first};
}

RankRange ZsetValue::ranks(const LexRange& range, bool downwards) const {
  if (!exists() || range.is_empty()) return {};
  const auto rank_of = [&](const ZsetPosition& place, bool from_back) {
    return is_structure() ? large().tree().rank_of(place) : PackedZset(packed()).rank_of(place, from_back);
  };
  const bool all_below = range.max.kind == LexBound::Kind::kGreatest;
  const bool all_above = range.min.kind == LexBound::Kind::kLeast;
  // Where scores are mixed: nothing, unless the last member reaches up to the range and the first one down to it.
  bool reaches = true;
  visit({size() - 1, 1}, false,
        [&](Bytes last, double) { reaches = all_above || !lower_place(range.min).follows(0, last); });
  visit({0, 1}, false,
        [&](Bytes first, double) { reaches = reaches && (all_below || upper_place(range.max).follows(0, first)); });
  if (!reaches) return {};
  // A walk meets first the end that it comes from; there it takes the outermost member that fits.
  const size_t end = all_below ? size() : rank_of(upper_place(range.max), downwards);
  const size_t first = all_above ? 0 : rank_of(lower_place(range.min), downwards);
  if (first >= end) return {};
  return {first, end - first};
}

// ---- Writing

ZsetPut ZsetValue::put(Bytes member, double score, const ZsetRule& rule, const ZsetLimits& limits) {
  if (is_structure()) return put_large(large(), member, score, rule);
  return put_packed(member, score, rule, limits);
}

ZsetPut ZsetValue::put_large(ZsetStructure& set, Bytes member, double score, const ZsetRule& rule) {
  const HashedKey key = set.hashed(member);
  set.prefetch(key, score);
  ZsetMember* found = set.find(key);
  const ZsetPut put = decide(rule, found == nullptr ? std::nullopt : std::optional(found->score()), score);
  if (put.outcome == ZsetOutcome::kAdded) set.insert(key, put.score);
  if (put.outcome == ZsetOutcome::kUpdated) set.set_score(found, put.score);
  return put;
}

// Whether one more member, of that size with its score, may be packed.
bool ZsetValue::packs(Bytes member, size_t element_bytes, const ZsetLimits& limits) const {
  const size_t members = size() + 1;
  const size_t bytes = exists() ? packed().size() : kPackedZsetHeaderBytes;
  return members <= limits.members_max && member.size() <= limits.member_bytes_max &&
         members <= kPackedZsetMembersMax && bytes + element_bytes <= kPackedBytesMax;
}

ZsetPut ZsetValue::put_packed(Bytes member, double score, const ZsetRule& rule, const ZsetLimits& limits) {
  PackedPair pair;
  const bool found = PackedZset(packed()).find(member, &pair, nullptr);
  const ZsetPut put = decide(rule, found ? std::optional(pair.score()) : std::nullopt, score);
  if (put.outcome != ZsetOutcome::kAdded && put.outcome != ZsetOutcome::kUpdated) return put;
  // The elements are at most ten bytes longer than their texts.
  const size_t element_bytes_max = member.size() + kDoubleTextBytesMax + 20;
  if (found ? packed().size() + element_bytes_max <= kPackedBytesMax : packs(member, element_bytes_max, limits)) {
    if (found) erase_packed(pair.at(), pair.end(), 1);
    insert_packed(member, put.score);
    return put;
  }
  ZsetStructure* set = unpack();
  const HashedKey key = set->hashed(member);
  if (found) {
    set->set_score(set->find(key), put.score);
  } else {
    set->insert(key, put.score);
  }
  if (exists()) {
    become(set);
  } else {
    create_structure_entry(kType, set);
  }
  return put;
}

void ZsetValue::set_packed_count(size_t members) {
  const auto count = static_cast<uint16_t>(members);
  std::memcpy(mutable_packed(), &count, sizeof(count));
}

void ZsetValue::insert_packed(Bytes member, double score) {
  const PackedText text(member);
  const PackedScore packed_score(score);
  const size_t bytes = text.total_bytes() + packed_score.total_bytes();
  if (!exists()) {
    char* out = create_packed(kType, Encoding::kPacked, kPackedZsetHeaderBytes + bytes) + kPackedZsetHeaderBytes;
    packed_score.write(text.write(out));
    return set_packed_count(1);
  }
  const PackedZset set(packed());
  const size_t members = set.size() + 1;
  const auto offset = static_cast<size_t>(set.place_for(score, member) - packed().data());
  packed_score.write(text.write(splice(offset, 0, bytes)));
  set_packed_count(members);
}

// The bytes of `members` members go. The entry stays even when it is empty.
void ZsetValue::erase_packed(const char* begin, const char* end, size_t members) {
  const size_t left = size() - members;
  splice(static_cast<size_t>(begin - packed().data()), static_cast<size_t>(end - begin), 0);
  set_packed_count(left);
}

// The packed members as a large set.
ZsetStructure* ZsetValue::unpack() const {
  ZsetStructure* set = new_structure();
  PackedZset(packed()).visit(0, size(), false,
                             [&](Bytes member, double score) { set->insert(set->hashed(member), score); });
  return set;
}

bool ZsetValue::remove(Bytes member) {
  if (is_structure()) {
    ZsetMember* found = large().find(member);
    if (found == nullptr) return false;
    if (size() == 1) {
      remove_key();
    } else {
      large().remove(found);
    }
    return true;
  }
  PackedPair pair;
  if (!PackedZset(packed()).find(member, &pair, nullptr)) return false;
  if (size() == 1) {
    remove_key();
  } else {
    erase_packed(pair.at(), pair.end(), 1);
  }
  return true;
}

void ZsetValue::remove(RankRange range) {
  if (range.count == 0) return;
  LARDER_ASSERT(range.first + range.count <= size());
  if (range.count == size()) return remove_key();
  if (is_structure()) return large().remove_ranks(range.first, range.count);
  const PackedZset set(packed());
  erase_packed(set.place_of(range.first), set.place_of(range.first + range.count), range.count);
}

void ZsetValue::assign(ZsetStructure* built, const ZsetLimits& limits) {
  LARDER_ASSERT(!exists() && built->size() > 0);
  const size_t members = built->size();
  size_t bytes = kPackedZsetHeaderBytes;
  bool packs = members <= limits.members_max && members <= kPackedZsetMembersMax;
  if (packs) {
    built->tree().visit(0, members, false, [&](const ZsetMember* member) {
      packs = packs && member->bytes().size() <= limits.member_bytes_max;
      bytes += PackedText(member->bytes()).total_bytes() + PackedScore(member->score()).total_bytes();
    });
  }
  if (!packs || bytes > kPackedBytesMax) return create_structure_entry(kType, built);
  char* out = create_packed(kType, Encoding::kPacked, bytes) + kPackedZsetHeaderBytes;
  built->tree().visit(0, members, false, [&](const ZsetMember* member) {
    out = PackedScore(member->score()).write(PackedText(member->bytes()).write(out));
  });
  set_packed_count(members);
  destroy_structure(built);
}

namespace {

// The score of an element from outside if it is sure to be kept like that.
std::optional<double> plain_score(const PackedElement& element) {
  if (!PackedNames::is_canonical(element)) return std::nullopt;
  if (element.is_integer) {
    if (element.number > kExactIntegerMax || element.number < -kExactIntegerMax) return std::nullopt;
    return static_cast<double>(element.number);
  }
  const auto score = parse_double(element.bytes);
  if (!score || *score == 0 || element.bytes.size() > kDoubleTextBytesMax) return std::nullopt;
  return score;
}

// Whether these are distinct members in order, as they are kept here.
bool lies_in_order(Bytes sequence, size_t count, const ZsetLimits& limits) {
  char digits[2][kInt64TextBytesMax];
  PackedNames names(count);
  double last_score = 0;
  Bytes last_text;
  size_t index = 0;
  for (const char* at = sequence.data(); at != sequence.data() + sequence.size(); index++) {
    const PackedPair pair = PackedZset::pair_at(at);
    const std::optional<double> score = plain_score(pair.score_element);
    if (!score || !names.add(pair.member)) return false;
    const Bytes text = pair.member.text(digits[index % 2]);
    if (text.size() > limits.member_bytes_max) return false;
    if (index > 0 && (*score < last_score || (*score == last_score && text <= last_text))) return false;
    last_score = *score;
    last_text = text;
    at = pair.end();
  }
  return true;
}

}  // namespace

bool ZsetValue::load_packed(Bytes sequence, size_t element_count, const ZsetLimits& limits) {
  LARDER_ASSERT(!exists());
  if (element_count == 0 || element_count % 2 != 0) return false;
  const size_t bytes = kPackedZsetHeaderBytes + sequence.size();
  if (element_count / 2 <= std::min(limits.members_max, PackedNames::kCountMax) && bytes <= kPackedBytesMax &&
      lies_in_order(sequence, element_count / 2, limits)) {
    std::memcpy(create_packed(kType, Encoding::kPacked, bytes) + kPackedZsetHeaderBytes, sequence.data(),
                sequence.size());
    set_packed_count(element_count / 2);
    return true;
  }
  // Built as a large set first: that finds duplicates, and puts into order what another writer ordered differently.
  ZsetStructure* built = new_structure();
  char scratch[kInt64TextBytesMax];
  const char* at = sequence.data();
  for (size_t i = 0; i < element_count; i += 2) {
    const PackedPair pair = PackedZset::pair_at(at);
    at = pair.end();
    const HashedKey member = built->hashed(pair.member.text(scratch));
    const bool is_number = pair.score_element.is_integer || parse_double(pair.score_element.bytes).has_value();
    if (!is_number || built->find(member) != nullptr) {
      destroy_structure(built);
      return false;
    }
    built->insert(member, pair.score());
  }
  assign(built, limits);
  return true;
}

void ZsetValue::check_integrity() const {
  if (!exists()) return;
  LARDER_ASSERT(size() > 0);
  if (is_structure()) return large().check_integrity();
  const PackedZset set(packed());
  size_t elements = 0;
  LARDER_ASSERT(validate_packed(set.sequence(), &elements) && elements == 2 * set.size());
  ZsetStructure* copy = unpack();
  LARDER_ASSERT(copy->size() == set.size());
  copy->check_integrity();
  size_t rank = 0;
  set.visit(0, set.size(), false, [&](Bytes member, double score) {
    const ZsetMember* found = copy->find(member);
    LARDER_ASSERT(found != nullptr && found->score() == score && copy->tree().rank_of(found) == rank++);
  });
  destroy_structure(copy);
}

}  // namespace larder
