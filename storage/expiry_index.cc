#include "storage/expiry_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "base/assert.h"

namespace larder {
namespace {

// Chunks of a list that one draw chooses among: a cache miss each.
constexpr uint32_t kDrawStride = 8;
// A list of no more items is not spread: all of its keys are looked at when one of them goes.
constexpr uint32_t kShortListItems = 8;
// Slots may be spread up to these, and one more for so many items: 2.5 bytes an item.
constexpr uint64_t kSpreadsMin = 8;
constexpr uint64_t kItemsPerSpread = 1024;
// Of those that will come next, how many are told.
constexpr size_t kItemsAhead = 2;

void clear_bit(uint64_t* words, ptrdiff_t bit) { words[bit / 64] &= ~(uint64_t{1} << (bit % 64)); }

// The first bit that is set, or their number.
template <size_t kWords>
uint32_t first_bit(const uint64_t (&words)[kWords]) {
  for (uint32_t i = 0; i < kWords; i++) {
    if (words[i] != 0) return i * 64 + static_cast<uint32_t>(std::countr_zero(words[i]));
  }
  return kWords * 64;
}

}  // namespace

ExpiryIndex& ExpiryIndex::operator=(ExpiryIndex&& other) noexcept {
  if (this == &other) return *this;
  free_some(SIZE_MAX);
  blocks_ = other.blocks_;
  wheel_ = std::exchange(other.wheel_, nullptr);
  now_ms_ = other.now_ms_;
  items_ = std::exchange(other.items_, 0);
  chunk_count_ = std::exchange(other.chunk_count_, 0);
  spread_count_ = std::exchange(other.spread_count_, 0);
  filed_ = std::exchange(other.filed_, nullptr);
  drawn_up_to_ = std::exchange(other.drawn_up_to_, nullptr);
  return *this;
}

// Sets the time of an index without items.
void ExpiryIndex::start(int64_t now_ms) {
  if (wheel_ == nullptr) wheel_ = new (blocks_->allocate(sizeof(Wheel))) Wheel();
  now_ms_ = now_ms;
  for (uint32_t k = 0; k < kLevels; k++) wheel_->levels[k].next_cut = cut_end(k);
}

void ExpiryIndex::free_wheel() {
  if (wheel_ != nullptr) blocks_->free(wheel_, sizeof(Wheel));
  wheel_ = nullptr;
}

void ExpiryIndex::add(uint32_t hash_prefix, int64_t deadline_ms, int64_t now_ms) {
  if (items_ == 0) start(now_ms);
  const int64_t due_ms = std::max(deadline_ms, now_ms_);
  uint32_t k = 0;
  int64_t index = due_ms >> shift_of(0);
  // A level takes what falls into the running period of the level above or the one after it.
  while (k + 1 < kLevels && index >= ((now_ms_ >> shift_of(k + 1)) + 2) << kRatioBits) {
    k++;
    index = due_ms >> shift_of(k);
  }
  if (k + 1 == kLevels) index = std::min(index, (now_ms_ >> shift_of(k)) + kSlots - 2);
  Slot* slots = wheel_->levels[k].slots;
  uint64_t* in_use = wheel_->levels[k].in_use;
  auto ring = static_cast<uint32_t>(index & (kSlots - 1));
  while (slots[ring].is_spread()) {
    Spread* spread = slots[ring].spread();
    const int64_t first = index << kRatioBits;
    index = std::min(due_ms >> shift_of(--k), first + kRatio - 1);  // beyond the last slot of the highest level
    ring = static_cast<uint32_t>(index - first);
    slots = spread->slots;
    in_use = spread->in_use;
  }
  push(&slots[ring], hash_prefix);
  in_use[ring / 64] |= uint64_t{1} << (ring % 64);
  items_++;
}

void ExpiryIndex::push(Slot* slot, uint32_t hash_prefix) {
  if (slot->empty() || slot->count() == kChunkItems) {
    auto* chunk = static_cast<Chunk*>(blocks_->allocate(sizeof(Chunk)));
    chunk_count_++;
    chunk->next = slot->first();
    slot->set(chunk, 0);
  }
  slot->first()->items[slot->count()] = hash_prefix;
  slot->set(slot->first(), slot->count() + 1);
}

void ExpiryIndex::free_chunk(const Place& place) {
  unlink_chunk(place);
  if (place.before == nullptr && place.slot->empty()) forget_empty(place.spread, place.slot);
}

// What becomes of a slot that is empty then is the caller's.
void ExpiryIndex::unlink_chunk(const Place& place) {
  Chunk* chunk = place.chunk();
  if (place.before != nullptr) {
    items_ -= kChunkItems;
    place.before->next = chunk->next;
  } else {
    items_ -= place.slot->count();
    if (chunk->next != nullptr) {
      place.slot->set(chunk->next, kChunkItems);
    } else {
      place.slot->clear();
    }
  }
  if (drawn_up_to_ == chunk) drawn_up_to_ = place.before;
  blocks_->free(chunk, sizeof(Chunk));
  chunk_count_--;
}

// The slot of this spread, or of a level, has become empty: it is not in use any more.
void ExpiryIndex::forget_empty(Spread* spread, const Slot* slot) {
  if (spread != nullptr) {
    if (slot != &spread->unfiled) clear_bit(spread->in_use, slot - spread->slots);
    return forget_empty(spread);
  }
  for (Level& level : wheel_->levels) {
    if (slot >= level.slots && slot < level.slots + kSlots) clear_bit(level.in_use, slot - level.slots);
  }
}

// The spread goes if it holds nothing, and so do those it lies in.
void ExpiryIndex::forget_empty(Spread* spread) {
  if (!spread->empty()) return;
  Slot* slot = spread->slot;
  Spread* parent = spread->parent;
  slot->clear();
  blocks_->free(spread, sizeof(Spread));
  spread_count_--;
  forget_empty(parent, slot);  // no deeper than there are levels
}

// A list of a slot of a level. Requires: the slot is not empty.
ExpiryIndex::Place ExpiryIndex::first_list(Slot* slot) {
  Place place{nullptr, slot, nullptr};
  while (place.slot->is_spread()) {
    Spread* spread = place.slot->spread();
    const bool is_unfiled = !spread->unfiled.empty();
    place = {spread, is_unfiled ? &spread->unfiled : &spread->slots[first_bit(spread->in_use)], nullptr};
  }
  return place;
}

void ExpiryIndex::take(int64_t now_ms, Batch* batch) {
  batch->count = 0;
  if (items_ == 0) return;
  now_ms_ = std::max(now_ms_, now_ms);
  for (uint32_t k = 0; k < kLevels; k++) {
    if (!refill_taken(k)) continue;
    const Place list = first_list(&wheel_->levels[k].taken);
    copy_chunk(list, batch);
    free_chunk(list);
    return;
  }
}

// Cuts the next slot off whose time has come, unless there is one already. Returns whether there are items.
bool ExpiryIndex::refill_taken(uint32_t k) {
  Level& level = wheel_->levels[k];
  if (!level.taken.empty()) return true;
  const int64_t end = cut_end(k);
  level.next_cut = std::max(level.next_cut, end - kSlots);  // after a jump: each slot of the ring once
  const int64_t index = next_in_use(level, level.next_cut, end);
  level.next_cut = std::min(index + 1, end);
  if (index >= end) return false;
  const auto ring = static_cast<uint32_t>(index & (kSlots - 1));
  level.taken = level.slots[ring];
  if (level.taken.is_spread()) level.taken.spread()->slot = &level.taken;
  level.slots[ring].clear();
  clear_bit(level.in_use, ring);
  return true;
}

// The first slot with items at an index in [begin, end), or `end`. Requires: end - begin <= kSlots.
int64_t ExpiryIndex::next_in_use(const Level& level, int64_t begin, int64_t end) {
  int64_t index = begin;
  while (index < end) {
    const auto ring = static_cast<uint32_t>(index & (kSlots - 1));
    const uint64_t bits = level.in_use[ring / 64] >> (ring % 64);
    if (bits != 0) return std::min(index + std::countr_zero(bits), end);
    index += 64 - ring % 64;
  }
  return end;
}

void ExpiryIndex::copy_chunk(const Place& place, Batch* batch) {
  batch->count = place.before == nullptr ? place.slot->count() : kChunkItems;
  std::memcpy(batch->hash_prefixes, place.chunk()->items, batch->count * sizeof(uint32_t));
}

// A list of the slot, drawn at random part by part.
ExpiryIndex::Place ExpiryIndex::draw_list(Random& random, Slot* slot) {
  Place place{nullptr, slot, nullptr};
  while (place.slot->is_spread()) {
    Spread* spread = place.slot->spread();
    uint64_t parts = spread->unfiled.empty() ? 0 : 1;
    for (const uint64_t bits : spread->in_use) parts += static_cast<uint64_t>(std::popcount(bits));
    uint64_t drawn = random.uniform(parts);
    Slot* part = &spread->unfiled;
    for (uint32_t ring = 0; ring < kRatio; ring++) {
      if (spread->slots[ring].empty() || drawn-- > 0) continue;
      part = &spread->slots[ring];
      break;
    }
    place = {spread, part, nullptr};
  }
  return place;
}

// One of the next chunks of the list that was drawn last, or of `list` if that one is over.
ExpiryIndex::Place ExpiryIndex::draw_chunk(Random& random, const Place& list) {
  Place next = list;
  next.before = drawn_up_to_;
  Place drawn = next;
  for (uint32_t seen = 1; seen <= kDrawStride && next.chunk() != nullptr; seen++) {
    if (random.uniform(seen) == 0) drawn = next;
    next.before = next.chunk();
  }
  drawn_up_to_ = next.before;
  return drawn;
}

// The slot or cut-off list of this index among those with items; null beyond the last one.
ExpiryIndex::Slot* ExpiryIndex::slot_with_index(uint64_t index) {
  for (Level& level : wheel_->levels) {
    if (!level.taken.empty() && index-- == 0) return &level.taken;
    for (uint32_t word = 0; word < kSlots / 64; word++) {
      uint64_t bits = level.in_use[word];
      const auto count = static_cast<uint64_t>(std::popcount(bits));
      if (index >= count) {
        index -= count;
        continue;
      }
      for (; index > 0; index--) bits &= bits - 1;
      return &level.slots[word * 64 + static_cast<uint32_t>(std::countr_zero(bits))];
    }
  }
  return nullptr;
}

void ExpiryIndex::sample(Random& random, Batch* batch) {
  batch->count = 0;
  if (items_ == 0) return;
  Place list;
  if (drawn_up_to_ == nullptr || drawn_up_to_->next == nullptr) {
    uint64_t in_use = 0;
    for (const Level& level : wheel_->levels) {
      in_use += level.taken.empty() ? 0 : 1;
      for (const uint64_t bits : level.in_use) in_use += static_cast<uint64_t>(std::popcount(bits));
    }
    list = draw_list(random, slot_with_index(random.uniform(in_use)));
    drawn_up_to_ = nullptr;
  }
  sampled_ = draw_chunk(random, list);
  copy_chunk(sampled_, batch);
}

void ExpiryIndex::drop_sampled() {
  free_chunk(sampled_);
  sampled_ = {};
}

// The list within a slot whose items are due first, as far as they are filed. Requires: the slot is not empty.
ExpiryIndex::Soonest ExpiryIndex::soonest_within(Slot* slot, uint32_t level, int64_t index) {
  Soonest soonest{{nullptr, slot, nullptr}, level, index};
  while (soonest.place.slot->is_spread()) {
    Spread* spread = soonest.place.slot->spread();
    const uint32_t ring = first_bit(spread->in_use);
    if (ring == kRatio) {
      soonest.place = {spread, &spread->unfiled, nullptr};
      break;
    }
    soonest = {{spread, &spread->slots[ring], nullptr}, soonest.level - 1, (soonest.index << kRatioBits) + ring};
  }
  return soonest;
}

// Of slots that begin at the same time the widest: there are items to be filed more exactly. Requires: there are items.
ExpiryIndex::Soonest ExpiryIndex::find_soonest() const {
  Soonest soonest;
  const auto consider = [&](const Soonest& other) {
    if (soonest.place.slot == nullptr || other.begin_ms() <= soonest.begin_ms()) soonest = other;
  };
  for (uint32_t k = 0; k < kLevels; k++) {
    Level& level = wheel_->levels[k];
    if (!level.taken.empty()) consider(soonest_within(&level.taken, k, level.next_cut - 1));
    const int64_t index = next_in_use(level, level.next_cut, level.next_cut + kSlots);
    if (index < level.next_cut + kSlots) consider(soonest_within(&level.slots[index & (kSlots - 1)], k, index));
  }
  return soonest;
}

int64_t ExpiryIndex::soonest_ms() const { return items_ == 0 ? INT64_MAX : find_soonest().begin_ms(); }

// Whether its slot is as narrow as any, or it is so short that all of its keys may be looked at.
bool ExpiryIndex::is_ordered(const Soonest& list) {
  const Slot& slot = *list.place.slot;
  return list.level == 0 || (slot.count() <= kShortListItems && slot.first()->next == nullptr);
}

// Whether the list is worth a spread, and there may be another.
bool ExpiryIndex::may_spread(const Soonest& list) const {
  const Place& place = list.place;
  if (is_ordered(list) || (place.spread != nullptr && place.slot == &place.spread->unfiled)) return false;
  return spread_count_ < kSpreadsMin + items_ / kItemsPerSpread;
}

void ExpiryIndex::spread_list(const Place& place, uint32_t level) {
  auto* spread = new (blocks_->allocate(sizeof(Spread))) Spread();
  spread_count_++;
  spread->unfiled = *place.slot;
  spread->slot = place.slot;
  spread->parent = place.spread;
  spread->level = level;
  place.slot->set(spread);
}

bool ExpiryIndex::take_coarse(uint32_t* level, Batch* batch) {
  batch->count = 0;
  // Only now is it known whether the items that were taken out of it last have come back.
  if (filed_ != nullptr) forget_empty(std::exchange(filed_, nullptr));
  if (items_ == 0) return false;
  const Soonest soonest = find_soonest();
  Spread* above = soonest.place.spread;
  if (soonest.level < *level && may_spread(soonest)) {
    spread_list(soonest.place, soonest.level);
    above = soonest.place.slot->spread();
  }
  Spread* coarsest = nullptr;
  for (Spread* spread = above; spread != nullptr && spread->level < *level; spread = spread->parent) {
    if (!spread->unfiled.empty()) coarsest = spread;
  }
  if (coarsest == nullptr) return false;
  *level = coarsest->level;
  filed_ = coarsest;
  const Place list{coarsest, &coarsest->unfiled, nullptr};
  copy_chunk(list, batch);
  unlink_chunk(list);
  return true;
}

int64_t ExpiryIndex::take_soonest(size_t items_max, Batch* batch, Batch* next) {
  batch->count = 0;
  next->count = 0;
  if (items_ == 0) return INT64_MAX;
  const Soonest soonest = find_soonest();
  if (!is_ordered(soonest)) return soonest.end_ms();
  Slot* slot = soonest.place.slot;
  const uint32_t count = slot->count();
  if (soonest.level > 0 || count <= items_max) {
    copy_chunk(soonest.place, batch);
    free_chunk(soonest.place);
    return soonest.end_ms();
  }
  const uint32_t* items = slot->first()->items;
  const auto left = count - static_cast<uint32_t>(items_max);
  std::copy(items + left, items + count, batch->hash_prefixes);
  batch->count = items_max;
  next->count = std::min<size_t>(left, kItemsAhead);
  std::reverse_copy(items + left - next->count, items + left, next->hash_prefixes);
  slot->set(slot->first(), left);
  items_ -= items_max;
  return soonest.end_ms();
}

bool ExpiryIndex::is_behind() const {
  if (items_ == 0) return false;
  const Level& due = wheel_->levels[0];
  if (!due.taken.empty() || next_in_use(due, std::max(due.next_cut, cut_end(0) - kSlots), cut_end(0)) < cut_end(0)) {
    return true;
  }
  // A slot is cut off when the period before its own begins. The first half of that period is for filing at leisure.
  for (uint32_t k = 1; k < kLevels; k++) {
    const Level& level = wheel_->levels[k];
    const int64_t half_period_ms = int64_t{1} << (shift_of(k) - 1);
    const bool second_half = (now_ms_ & half_period_ms) != 0;
    const int64_t end = second_half ? cut_end(k) : cut_end(k) - 1;
    const int64_t begin = std::max(level.next_cut, cut_end(k) - kSlots);
    if ((!level.taken.empty() && level.next_cut - 1 < end) || next_in_use(level, begin, end) < end) return true;
  }
  return false;
}

int64_t ExpiryIndex::next_due_ms() const {
  if (items_ == 0) return INT64_MAX;
  int64_t earliest = INT64_MAX;
  for (uint32_t k = 0; k < kLevels; k++) {
    const Level& level = wheel_->levels[k];
    if (!level.taken.empty()) return now_ms_;
    const int64_t begin = std::max(level.next_cut, cut_end(k) - kSlots);
    const int64_t index = next_in_use(level, begin, begin + kSlots);
    if (index == begin + kSlots) continue;
    // A slot of level 0 is cut off when it is over, one of the others a whole period before it begins.
    const int64_t cut_ms = (k == 0 ? index + 1 : index - 1) << shift_of(k);
    earliest = std::min(earliest, std::max(cut_ms, now_ms_));
  }
  return earliest;
}

bool ExpiryIndex::free_some(size_t chunks_max) {
  if (items_ == 0) {
    free_wheel();
    return false;
  }
  size_t freed = 0;
  for (Level& level : wheel_->levels) {
    for (; !level.taken.empty() && freed < chunks_max; freed++) free_chunk(first_list(&level.taken));
    for (Slot& slot : level.slots) {
      for (; !slot.empty() && freed < chunks_max; freed++) free_chunk(first_list(&slot));
    }
  }
  if (items_ == 0) free_wheel();
  return items_ > 0;
}

void ExpiryIndex::check_integrity() const {
  if (!wheel_) {
    LARDER_ASSERT(items_ == 0 && chunk_count_ == 0);
    return;
  }
  Counts counts;
  for (const Level& level : wheel_->levels) {
    count_slot(level.taken, nullptr, &counts);
    for (uint32_t ring = 0; ring < kSlots; ring++) {
      count_slot(level.slots[ring], nullptr, &counts);
      LARDER_ASSERT(level.slots[ring].empty() == ((level.in_use[ring / 64] >> (ring % 64) & 1) == 0));
    }
  }
  LARDER_ASSERT(counts.items == items_ && counts.chunks == chunk_count_ && counts.spreads == spread_count_);
}

// Spreads lie within each other no deeper than there are levels.
void ExpiryIndex::count_slot(const Slot& slot, const Spread* parent, Counts* counts) {
  if (slot.empty()) return;
  if (slot.is_spread()) {
    const Spread& spread = *slot.spread();
    LARDER_ASSERT(spread.slot == &slot && spread.parent == parent && spread.level > 0 && !spread.empty());
    LARDER_ASSERT(parent == nullptr || spread.level + 1 == parent->level);
    LARDER_ASSERT(!spread.unfiled.is_spread());
    counts->spreads++;
    count_slot(spread.unfiled, &spread, counts);
    for (uint32_t ring = 0; ring < kRatio; ring++) {
      count_slot(spread.slots[ring], &spread, counts);
      LARDER_ASSERT(spread.slots[ring].empty() == ((spread.in_use[ring / 64] >> (ring % 64) & 1) == 0));
    }
    return;
  }
  LARDER_ASSERT(slot.count() > 0 && slot.count() <= kChunkItems);
  counts->items += slot.count();
  for (const Chunk* chunk = slot.first(); chunk != nullptr; chunk = chunk->next) {
    counts->chunks++;
    if (chunk != slot.first()) counts->items += kChunkItems;
  }
}

}  // namespace larder
