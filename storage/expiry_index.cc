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

}  // namespace

ExpiryIndex& ExpiryIndex::operator=(ExpiryIndex&& other) noexcept {
  if (this == &other) return *this;
  free_some(SIZE_MAX);
  blocks_ = other.blocks_;
  wheel_ = std::exchange(other.wheel_, nullptr);
  now_ms_ = other.now_ms_;
  items_ = std::exchange(other.items_, 0);
  chunk_count_ = std::exchange(other.chunk_count_, 0);
  drawn_up_to_ = std::exchange(other.drawn_up_to_, nullptr);
  drawn_slot_ = std::exchange(other.drawn_slot_, nullptr);
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
  drawn_slot_ = nullptr;
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
  Level& level = wheel_->levels[k];
  const auto ring = static_cast<uint32_t>(index & (kSlots - 1));
  push(&level.slots[ring], hash_prefix);
  level.in_use[ring / 64] |= uint64_t{1} << (ring % 64);
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

void ExpiryIndex::free_first_chunk(Slot* slot) {
  Chunk* chunk = slot->first();
  items_ -= slot->count();
  if (chunk->next != nullptr) {
    slot->set(chunk->next, kChunkItems);
  } else {
    slot->clear();
  }
  if (drawn_up_to_ == chunk) drawn_up_to_ = nullptr;
  blocks_->free(chunk, sizeof(Chunk));
  chunk_count_--;
}

void ExpiryIndex::free_chunk(const Place& place) {
  if (place.before == nullptr) {
    free_first_chunk(place.slot);
    for (Level& level : wheel_->levels) {
      if (place.slot < level.slots || place.slot >= level.slots + kSlots || !place.slot->empty()) continue;
      const auto ring = static_cast<uint32_t>(place.slot - level.slots);
      level.in_use[ring / 64] &= ~(uint64_t{1} << (ring % 64));
    }
    return;
  }
  Chunk* chunk = place.chunk();
  place.before->next = chunk->next;
  if (drawn_up_to_ == chunk) drawn_up_to_ = place.before;
  items_ -= kChunkItems;
  blocks_->free(chunk, sizeof(Chunk));
  chunk_count_--;
}

void ExpiryIndex::take(int64_t now_ms, Batch* batch) {
  batch->count = 0;
  if (items_ == 0) return;
  now_ms_ = std::max(now_ms_, now_ms);
  for (uint32_t k = 0; k < kLevels; k++) {
    if (!refill_taken(k)) continue;
    Slot& taken = wheel_->levels[k].taken;
    batch->count = taken.count();
    std::memcpy(batch->hash_prefixes, taken.first()->items, taken.count() * sizeof(uint32_t));
    free_first_chunk(&taken);
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
  level.slots[ring].clear();
  level.in_use[ring / 64] &= ~(uint64_t{1} << (ring % 64));
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

// One of the next chunks of the list. Requires: the slot has items, or drawn_up_to_ has a successor.
ExpiryIndex::Place ExpiryIndex::draw_chunk(Random& random, Slot* slot) {
  Place next{slot, drawn_up_to_};
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
  if (drawn_up_to_ == nullptr || drawn_up_to_->next == nullptr) {
    uint64_t in_use = 0;
    for (const Level& level : wheel_->levels) {
      in_use += level.taken.empty() ? 0 : 1;
      for (const uint64_t bits : level.in_use) in_use += static_cast<uint64_t>(std::popcount(bits));
    }
    drawn_slot_ = slot_with_index(random.uniform(in_use));
    drawn_up_to_ = nullptr;
  }
  sampled_ = draw_chunk(random, drawn_slot_);
  copy_chunk(sampled_, batch);
}

void ExpiryIndex::drop_sampled() {
  free_chunk(sampled_);
  sampled_ = {};
}

int64_t ExpiryIndex::take_soonest(Random& random, Batch* batch) {
  batch->count = 0;
  if (items_ == 0) return INT64_MAX;
  for (uint32_t k = 0; k < kLevels; k++) {
    Level& level = wheel_->levels[k];
    int64_t index = level.next_cut - 1;
    Slot* slot = &level.taken;
    if (slot->empty()) {
      index = next_in_use(level, level.next_cut, level.next_cut + kSlots);
      if (index == level.next_cut + kSlots) continue;
      slot = &level.slots[index & (kSlots - 1)];
    }
    if (slot != drawn_slot_ || drawn_up_to_ == nullptr || drawn_up_to_->next == nullptr) drawn_up_to_ = nullptr;
    drawn_slot_ = slot;
    const Place drawn = draw_chunk(random, slot);
    copy_chunk(drawn, batch);
    free_chunk(drawn);
    return (index + 1) << shift_of(k);
  }
  return INT64_MAX;
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
    while (!level.taken.empty() && freed < chunks_max) {
      free_first_chunk(&level.taken);
      freed++;
    }
    for (Slot& slot : level.slots) {
      while (!slot.empty() && freed < chunks_max) {
        free_first_chunk(&slot);
        freed++;
      }
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
  uint64_t items = 0;
  uint64_t chunks = 0;
  const auto count = [&](const Slot& slot) {
    if (slot.empty()) return;
    LARDER_ASSERT(slot.count() > 0 && slot.count() <= kChunkItems);
    items += slot.count();
    for (const Chunk* chunk = slot.first(); chunk != nullptr; chunk = chunk->next) {
      chunks++;
      if (chunk != slot.first()) items += kChunkItems;
    }
  };
  for (const Level& level : wheel_->levels) {
    count(level.taken);
    for (uint32_t ring = 0; ring < kSlots; ring++) {
      count(level.slots[ring]);
      LARDER_ASSERT(level.slots[ring].empty() == ((level.in_use[ring / 64] >> (ring % 64) & 1) == 0));
    }
  }
  LARDER_ASSERT(items == items_ && chunks == chunk_count_);
}

}  // namespace larder
