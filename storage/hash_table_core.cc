#include "storage/hash_table_core.h"

#include "base/prefetch.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace larder {
namespace {

// What an empty table names: a bucket that nothing is ever put into, because the segment's capacity is 0.
struct EmptySegment {
  HashSegment header;
  HashBucket bucket;
};
constexpr EmptySegment make_empty_segment() {
  EmptySegment made = {};
  made.header.known_bits = kExtensionBits;  // of no item any bit is unknown
  return made;
}
constinit EmptySegment empty_segment = make_empty_segment();

bool is_empty_segment(const HashSegment* segment) { return segment == &empty_segment.header; }

// A segment splits only while segments of its depth hold this many items on average. With a good hash a full segment
// (800 items) never comes near; where very many items share the front of their hashes it stops splits that separate
// nothing, and the segment grows instead.
constexpr uint64_t kSplitMeanMin = 64;

// Two halves merge when they hold no more than this together: half of what makes one segment split.
constexpr uint32_t kMergedItemsMax = 440;

// From this many items on, some sixty segments, they lie in slabs: fewer would leave more of them unused than they save.
constexpr uint64_t kPooledItemsMin = 32'768;

// Fewer that are expected than this came: the table is made smaller.
constexpr uint64_t kSettledDivisor = 2;

// More items than any segment has.
constexpr uint64_t kCountMax = 1'000'000;

// Room that a segment gets beyond its items: a divisor of their number.
constexpr uint32_t kSlackOfHalves = 16;  // when it is made by a split or merge, or for items that are expected
constexpr uint32_t kSlackOfShrunk = 4;

uint32_t lines_with_slack(uint64_t count, uint32_t slack_divisor) {
  count = std::min(count, kCountMax);
  return HashSegment::lines_for(count + count / slack_divisor + 1);
}

}  // namespace

SegmentWord HashTableCore::empty_word(uint32_t local_depth) { return {&empty_segment.header, 1, local_depth}; }

HashTableCore::HashTableCore(HashTableAccount& account) : directory_(empty_word(0)), account_(&account) {}

HashTableCore::HashTableCore(HashTableCore&& other) noexcept
    : directory_(std::move(other.directory_)),
      size_(std::exchange(other.size_, 0)),
      expected_(std::exchange(other.expected_, 0)),
      bytes_(std::exchange(other.bytes_, 0)),
      pool_(std::move(other.pool_)),
      account_(other.account_) {
  other.directory_.reset(empty_word(0));
}

HashTableCore& HashTableCore::operator=(HashTableCore&& other) noexcept {
  if (this == &other) return *this;
  clear();
  directory_ = std::move(other.directory_);
  other.directory_.reset(empty_word(0));
  size_ = std::exchange(other.size_, 0);
  expected_ = std::exchange(other.expected_, 0);
  bytes_ = std::exchange(other.bytes_, 0);
  pool_ = std::move(other.pool_);
  account_ = other.account_;
  return *this;
}

HashTableCore::~HashTableCore() { clear(); }

void HashTableCore::clear() {
  uint64_t position = 0;
  do {
    const SegmentWord word = directory_.find(position);
    const uint64_t next = word.range_end(position);
    if (!is_empty_segment(word.segment())) destroy_segment(word.segment());
    position = next;
  } while (position != 0);
  account_->bytes -= static_cast<int64_t>(directory_.bytes());
  directory_.reset(empty_word(0));
  size_ = 0;
  expected_ = 0;
  LARDER_ASSERT(bytes_ == 0);
  pool_.reset();
}

void HashTableCore::expect(uint64_t count) {
  LARDER_ASSERT(size_ == 0);
  if (expected_ != 0) return;
  expected_ = count;
  for (uint32_t depth = 0; depth < HashDirectory::kDepthMax; depth++) {
    // A segment is split while more come than fit the largest one.
    if (lines_with_slack(expected_ >> depth, kSlackOfHalves) <= kSegmentLinesMax) break;
    for (uint64_t i = 0; i < uint64_t{1} << depth; i++) {
      const uint64_t range_begin = depth == 0 ? 0 : i << (64 - depth);
      directory_.split(range_begin, empty_word(depth + 1), empty_word(depth + 1));
    }
  }
  account_->bytes += static_cast<int64_t>(directory_.bytes());
}

void HashTableCore::settle() {
  const uint64_t expected = std::exchange(expected_, 0);
  if (size_ == 0) return clear();
  if (size_ >= expected / kSettledDivisor) return;
  for (uint32_t depth = directory_.depth(); depth > 0; depth--) {
    for (uint64_t i = 0; i < uint64_t{1} << (depth - 1); i++) {
      const uint64_t range_begin = i << 1 << (64 - depth);
      if (directory_.find(range_begin).local_depth() == depth) merge_with_buddy(range_begin);
    }
  }
  uint64_t position = 0;
  do {
    const HashSegment* segment = directory_.find(position).segment();
    if (segment->live < segment->shrink_below) shrink(position);
    position = directory_.find(position).range_end(position);
  } while (position != 0);
}

// Of the first segment that takes items of a range.
uint32_t HashTableCore::first_lines(uint32_t local_depth) const {
  if (expected_ == 0) return kSegmentLinesMin;
  return std::min(lines_with_slack(expected_ >> local_depth, kSlackOfHalves), kSegmentLinesMax);
}

void HashTableCore::drop_segment(uint64_t hash) {
  const SegmentWord word = directory_.find(hash);
  if (is_empty_segment(word.segment())) return;
  LARDER_ASSERT(size_ >= word.segment()->live);
  size_ -= word.segment()->live;
  directory_.replace(hash, empty_word(word.local_depth()));
  destroy_segment(word.segment());
}

HashSegment* HashTableCore::create_segment(uint32_t lines, uint64_t range_begin, uint32_t local_depth,
                                           uint32_t known_bits) {
  const uint64_t size = std::max(size_, expected_);
  if (pool_ == nullptr && size >= kPooledItemsMin) pool_ = std::make_unique<SegmentPool>();
  // A table that has shrunk leaves its slabs as its segments are made anew.
  SegmentPool* pool = size >= kPooledItemsMin / 4 ? pool_.get() : nullptr;
  HashSegment* segment = HashSegment::create(pool, lines, range_begin, local_depth, known_bits);
  bytes_ += segment->bytes();
  account_->bytes += static_cast<int64_t>(segment->bytes());
  return segment;
}

void HashTableCore::destroy_segment(HashSegment* segment) {
  bytes_ -= segment->bytes();
  account_->bytes -= static_cast<int64_t>(segment->bytes());
  HashSegment::destroy(pool_.get(), segment);
}

void HashTableCore::tidy_slabs(uint32_t lines) {
  if (pool_ == nullptr || !SegmentPool::has_size(lines)) return;
  pool_->tidy(lines, [this](void* from, SegmentPool::Block to) {
    auto* moved = static_cast<HashSegment*>(to.memory);
    std::memcpy(to.memory, from, static_cast<HashSegment*>(from)->bytes());
    moved->slab = to.slab;
    directory_.replace(moved->range_begin, SegmentWord(moved, moved->bucket_count, moved->local_depth));
  });
}

void HashTableCore::make_room(uint64_t hash, HashOf hash_of, const void* policy) {
  const SegmentWord word = directory_.find(hash);
  const uint32_t local_depth = word.local_depth();
  if (is_empty_segment(word.segment())) {
    HashSegment* first = create_segment(first_lines(local_depth), word.range_begin(hash), local_depth, kExtensionBits);
    directory_.replace(hash, SegmentWord(first, first->bucket_count, local_depth));
    return;
  }
  const uint32_t lines = word.segment()->lines();
  const bool may_split = local_depth < HashDirectory::kDepthMax && (size_ >> local_depth) >= kSplitMeanMin;
  if (lines >= kSegmentLinesMax && may_split) {
    account_->splits++;
    split(hash, hash_of, policy);
  } else {
    account_->grows++;
    resize(hash, HashSegment::next_lines(lines));
  }
}

void HashTableCore::resize(uint64_t hash, uint32_t lines) {
  HashSegment* old = directory_.find(hash).segment();
  HashSegment* resized = create_segment(lines, old->range_begin, old->local_depth, old->known_bits);
  resized->take_all(*old);
  directory_.replace(hash, SegmentWord(resized, resized->bucket_count, resized->local_depth));
  const uint32_t old_lines = old->lines();
  destroy_segment(old);
  tidy_slabs(old_lines);
}

void HashTableCore::split(uint64_t hash, HashOf hash_of, const void* policy) {
  HashSegment* old = directory_.find(hash).segment();
  const uint32_t new_depth = old->local_depth + 1u;
  const bool rehash = old->known_bits == kOrderBits;  // one bit less would be too few
  const uint32_t known_bits = rehash ? kExtensionBits : old->known_bits - 1u;
  const uint32_t high_count = old->count_half(1);
  HashSegment* halves[2];
  for (uint32_t bit = 0; bit < 2; bit++) {
    const uint32_t count = bit ? high_count : old->live - high_count;
    const uint64_t range_begin = old->range_begin | uint64_t{bit} << (64 - new_depth);
    halves[bit] = create_segment(lines_with_slack(count, kSlackOfHalves), range_begin, new_depth, known_bits);
  }
  if (rehash) {
    account_->rehashes++;
    old->for_each([](const HashSlot& slot, uint8_t) { prefetch_line(reinterpret_cast<const void*>(slot.address())); });
    old->for_each([&](const HashSlot& slot, uint8_t tag) {
      const uint64_t item_hash = hash_of(policy, slot.address());
      const auto extension = static_cast<uint32_t>((item_hash << new_depth) >> 48);
      halves[(item_hash >> (64 - new_depth)) & 1]->insert(HashSlot::make(extension, slot.address()), tag);
    });
  } else {
    halves[0]->take_half(*old, 0);
    halves[1]->take_half(*old, 1);
  }
  LARDER_ASSERT(halves[0]->live + halves[1]->live == old->live);
  const auto directory_bytes_before = static_cast<int64_t>(directory_.bytes());
  directory_.split(hash, SegmentWord(halves[0], halves[0]->bucket_count, new_depth),
                   SegmentWord(halves[1], halves[1]->bucket_count, new_depth));
  account_->bytes += static_cast<int64_t>(directory_.bytes()) - directory_bytes_before;
  const uint32_t old_lines = old->lines();
  destroy_segment(old);
  tidy_slabs(old_lines);
}

void HashTableCore::shrink(uint64_t hash) {
  if (size_ == 0) {
    clear();
    return;
  }
  while (merge_with_buddy(hash)) {
  }
  const HashSegment* segment = directory_.find(hash).segment();
  if (segment->live >= segment->shrink_below || segment->bucket_count == 1) return;
  account_->shrinks++;
  resize(hash, lines_with_slack(segment->live, kSlackOfShrunk));
}

bool HashTableCore::merge_with_buddy(uint64_t hash) {
  const SegmentWord word = directory_.find(hash);
  const uint32_t depth = word.local_depth();
  if (depth == 0) return false;
  const uint64_t half_bit = uint64_t{1} << (64 - depth);
  const SegmentWord buddy_word = directory_.find(hash ^ half_bit);
  if (buddy_word.local_depth() != depth) return false;
  HashSegment* segment = word.segment();
  HashSegment* buddy = buddy_word.segment();
  const uint32_t count = segment->live + buddy->live;
  if (count > kMergedItemsMax) return false;

  account_->merges++;
  const uint32_t known_bits = std::min<uint32_t>(std::min(segment->known_bits, buddy->known_bits) + 1u, kExtensionBits);
  SegmentWord whole_word = empty_word(depth - 1);
  if (count > 0) {
    const uint64_t range_begin = word.range_begin(hash) & ~half_bit;
    HashSegment* whole = create_segment(lines_with_slack(count, kSlackOfHalves), range_begin, depth - 1, known_bits);
    const uint32_t bit = (hash & half_bit) != 0;
    whole->take_into_half(*segment, bit);
    whole->take_into_half(*buddy, bit ^ 1);
    whole_word = SegmentWord(whole, whole->bucket_count, depth - 1);
  }
  const auto directory_bytes_before = static_cast<int64_t>(directory_.bytes());
  directory_.merge(hash, whole_word);
  account_->bytes += static_cast<int64_t>(directory_.bytes()) - directory_bytes_before;
  const uint32_t old_lines[] = {segment->lines(), buddy->lines()};
  for (HashSegment* old : {segment, buddy}) {
    if (!is_empty_segment(old)) destroy_segment(old);
  }
  for (const uint32_t lines : old_lines) tidy_slabs(lines);
  return true;
}

void HashTableCore::check_integrity(HashOf hash_of, const void* policy) const {
  directory_.check_integrity();
  uint64_t items = 0;
  size_t bytes = 0;
  uint64_t pooled = 0;
  uint64_t position = 0;
  do {
    const SegmentWord word = directory_.find(position);
    const HashSegment& segment = *word.segment();
    LARDER_ASSERT(word.range_begin(position) == position);
    if (!is_empty_segment(&segment)) {
      LARDER_ASSERT(segment.bucket_count == word.bucket_count() && segment.local_depth == word.local_depth());
      check_segment(segment, position, hash_of, policy);
      LARDER_ASSERT(segment.range_begin == position);
      bytes += segment.bytes();
      pooled += segment.slab != nullptr;
    }
    items += segment.live;
    position = word.range_end(position);
  } while (position != 0);
  LARDER_ASSERT(items == size_ && bytes == bytes_);
  LARDER_ASSERT(pooled == (pool_ == nullptr ? 0 : pool_->blocks_in_use()));
  if (pool_ != nullptr) pool_->check_integrity();
}

void HashTableCore::check_segment(const HashSegment& segment, uint64_t range_begin, HashOf hash_of,
                                  const void* policy) const {
  LARDER_ASSERT(segment.known_bits >= kOrderBits && segment.known_bits <= kExtensionBits);
  LARDER_ASSERT(segment.live <= segment.capacity);
  uint32_t live = 0;
  // Every item can be found: it is at its home, or every bucket on the way says that somebody went past. A bucket's
  // count is at least the number of items that did, and exactly it unless it is saturated.
  uint64_t passed_total = 0;
  segment.for_each([&](const HashSlot& slot, uint8_t tag) {
    live++;
    const uint64_t hash = hash_of(policy, slot.address());
    const uint32_t depth = segment.local_depth;
    LARDER_ASSERT(tag == HashBucket::tag_of(hash));
    LARDER_ASSERT(depth == 0 || ((hash ^ range_begin) >> (64 - depth)) == 0);
    const auto extension = static_cast<uint32_t>((hash << depth) >> 48);
    LARDER_ASSERT(((extension ^ slot.extension()) >> (kExtensionBits - segment.known_bits)) == 0);
    const auto at = static_cast<uint32_t>(
        (reinterpret_cast<const char*>(&slot) - reinterpret_cast<const char*>(segment.buckets())) / sizeof(HashBucket));
    for (uint32_t b = segment.home_of(slot); b != at; b = segment.next_bucket(b)) {
      LARDER_ASSERT(segment.buckets()[b].overflow > 0);
      LARDER_ASSERT(!segment.buckets()[b].match_free());  // else it would lie there
      passed_total++;
    }
  });
  LARDER_ASSERT(live == segment.live);
  uint64_t overflow_total = 0;
  bool saturated = false;
  for (uint32_t b = 0; b < segment.bucket_count; b++) {
    overflow_total += segment.buckets()[b].overflow;
    saturated |= segment.buckets()[b].overflow == HashBucket::kOverflowSaturated;
  }
  LARDER_ASSERT(saturated || overflow_total == passed_total);
}

}  // namespace larder
