// The side of the keyspace that the evictor uses: drawing keys, removing one, S3-FIFO's queues.

#include <algorithm>
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
// Items of the expiry index that one eviction by deadline may look at in the slots that are due first. More than one where
// keys have gone, or got a later deadline.
constexpr size_t kSoonestItemsMax = 128;

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

int64_t Keyspace::soonest_ms() const {
  const int64_t ms = expiry_.soonest_ms();
  return old_expiry_ && !rebuild_walked_ ? std::min(ms, old_expiry_->soonest_ms()) : ms;
}

// While the index is built anew, a key may be in either.
ExpiryIndex& Keyspace::soonest_index() {
  const bool has_two = old_expiry_ && !rebuild_walked_;
  return has_two && old_expiry_->soonest_ms() < expiry_.soonest_ms() ? *old_expiry_ : expiry_;
}

bool Keyspace::evict_soonest(int64_t now_ms) {
  ExpiryIndex& index = soonest_index();
  ExpiryIndex::Batch batch;
  size_t items_max = 1;
  for (size_t items = 0; items < kSoonestItemsMax; items += batch.count) {
    const size_t items_before = items;
    for (uint32_t level = ExpiryIndex::kLevels; index.take_coarse(&level, &batch); items += batch.count) {
      settle_expiry(batch, now_ms);
    }
    ExpiryIndex::Batch next;
    const int64_t slot_end_ms = index.take_soonest(items_max, &batch, &next);
    if (batch.count == 0 && items == items_before) return false;
    if (next.count > 1) table_.prefetch_bucket(static_cast<uint64_t>(next.hash_prefixes[1]) << 32);
    if (batch.count > 1) prefetch_items(batch);
    const bool evicted = evict_soonest_of(batch, slot_end_ms, now_ms);
    if (next.count > 0) {
      table_.for_each_hash_prefix(next.hash_prefixes[0],
                                  [](const EntrySlot& slot) { EntryPolicy::prefetch(slot.item()); });
    }
    if (evicted) return true;
    items_max = ExpiryIndex::kBatchItemsMax;
  }
  return false;
}

// Evicts the key among those of the items that is due first, and gives the others items anew. None goes that is due only after
// the slot the items were in: others may be due before.
bool Keyspace::evict_soonest_of(const ExpiryIndex::Batch& batch, int64_t slot_end_ms, int64_t now_ms) {
  EntrySlot* soonest = nullptr;
  uint64_t hash = 0;
  for (size_t i = 0; i < batch.count; i++) {
    table_.for_each_hash_prefix(batch.hash_prefixes[i], [&](EntrySlot& slot) {
      const Entry& entry = *slot.item();
      // The item of a hash whose fields have deadlines may come out here too.
      if (!entry.has_deadline() || entry.deadline_ms() >= slot_end_ms) return;
      if (soonest != nullptr && entry.deadline_ms() >= soonest->item()->deadline_ms()) return;
      soonest = &slot;
      hash = static_cast<uint64_t>(batch.hash_prefixes[i]) << 32;
    });
  }
  for (size_t i = 0; i < batch.count; i++) {
    table_.for_each_hash_prefix(batch.hash_prefixes[i], [&](EntrySlot& slot) {
      const Entry& entry = *slot.item();
      if (&slot == soonest || due_ms(entry) == kNoDeadline) return;
      if ((table_.policy().hash(entry) >> 32) != batch.hash_prefixes[i]) return;
      expiry_.add(batch.hash_prefixes[i], due_ms(entry), now_ms);
    });
  }
  return soonest != nullptr && evict_slot(hash, soonest, now_ms);
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
