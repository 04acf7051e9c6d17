// The side of the keyspace that the evictor uses: drawing keys, removing one, S3-FIFO's queues.

#include <utility>

#include "storage/keyspace.h"

namespace larder {
namespace {

// Items of the queues that one eviction may go through; then the least used of them goes. In a cache where every key
// is in use the queues have to go around three times before a key is found that is not.
constexpr size_t kItemsPerEvictionMax = 128;
// Keys that one eviction files when the policy was switched on with keys there already.
constexpr size_t kAdoptedPerEviction = 1024;
constexpr size_t kPrefetchAhead = 8;

}  // namespace

bool Keyspace::evict_slot(uint64_t hash, EntrySlot* slot, int64_t now_ms) {
  if (slot->item()->is_expired(now_ms)) {
    remove_expired(hash, slot);
    return true;
  }
  if (store_.observer_ != nullptr) store_.observer_->evicted(*this, slot->item()->key());
  erase_slot(hash, slot);
  return true;
}

void Keyspace::track_arrivals(bool on, bool volatile_only) {
  fifo_ = on ? std::make_unique<S3Fifo>(store_.index_blocks_) : nullptr;
  fifo_volatile_only_ = volatile_only;
  adopt_position_ = 0;
  adopting_ = on && size() > 0;
  if (on) fifo_->size_ghosts(size());
}

void Keyspace::note_arrival(uint64_t hash, Entry* entry) {
  if (fifo_volatile_only_ && !entry->has_deadline()) return;
  fifo_->insert(static_cast<uint32_t>(hash >> 32), entry);
}

// The living entry of an item, or null: its key is gone, or has moved on to the other queue.
EntrySlot* Keyspace::slot_of_item(const S3Fifo::Due& due) {
  EntrySlot* found = nullptr;
  table_.for_each_hash_prefix(due.hash_prefix, [&](EntrySlot& slot) {
    const Entry& entry = *slot.item();
    if (found != nullptr || entry.queue() != due.queue) return;
    if (fifo_volatile_only_ && !entry.has_deadline()) return;
    if ((table_.policy().hash(entry) >> 32) == due.hash_prefix) found = &slot;
  });
  return found;
}

Eviction Keyspace::evict_from_queues(int64_t now_ms) {
  if (fifo_ == nullptr) return Eviction::kNothing;
  if (adopting_ && fifo_->empty()) {
    maintain_queues(kAdoptedPerEviction);
    if (adopting_ && fifo_->empty()) return Eviction::kNotYet;
  }
  if (fifo_->empty()) return Eviction::kNothing;
  uint32_t least_used = 0;
  uint32_t least_uses = UINT32_MAX;
  for (size_t items = 0; items < kItemsPerEvictionMax && !fifo_->empty(); items++) {
    if (const uint32_t ahead = fifo_->peek(kPrefetchAhead)) table_.prefetch_bucket(static_cast<uint64_t>(ahead) << 32);
    const S3Fifo::Due due = fifo_->take();
    EntrySlot* slot = slot_of_item(due);
    if (slot == nullptr) continue;
    const uint32_t uses = slot->item()->uses();
    if (fifo_->judge(due, slot->item()) == S3Fifo::Verdict::kEvict) {
      evict_slot(static_cast<uint64_t>(due.hash_prefix) << 32, slot, now_ms);
      return Eviction::kDone;
    }
    if (uses >= least_uses) continue;
    least_uses = uses;
    least_used = due.hash_prefix;
  }
  if (least_uses == UINT32_MAX) return Eviction::kNotYet;
  // All of them are kept in the main queue now.
  EntrySlot* slot = slot_of_item({least_used, EntryQueue::kMain});
  if (slot == nullptr) return Eviction::kNotYet;
  evict_slot(static_cast<uint64_t>(least_used) << 32, slot, now_ms);
  return Eviction::kDone;
}

bool Keyspace::maintain_queues(size_t steps) {
  if (fifo_ == nullptr) return false;
  size_t done = 0;
  while (adopting_ && done < steps) {
    adopt_position_ = table_.scan_slots(adopt_position_, [&](EntrySlot& slot) {
      done++;
      if (fifo_volatile_only_ && !slot.item()->has_deadline()) return;
      fifo_->adopt(static_cast<uint32_t>(table_.policy().hash(*slot.item()) >> 32), slot.item());
    });
    adopting_ = adopt_position_ != 0;
    done++;
  }
  const size_t living = fifo_volatile_only_ ? volatile_count_ : size();
  if (!adopting_) fifo_->size_ghosts(living);
  for (; done < steps && fifo_->items() > 0 && fifo_->wants_turn(living); done++) {
    const S3Fifo::Due due = fifo_->take_turn_item();
    if (EntrySlot* slot = slot_of_item(due)) fifo_->keep(due, slot->item());
  }
  return adopting_ || (fifo_->items() > 0 && fifo_->wants_turn(living));
}

}  // namespace larder
