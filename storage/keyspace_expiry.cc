// The side of the keyspace that removes keys on time: what it does with the items of its expiry index.

#include <algorithm>
#include <utility>

#include "storage/keyspace.h"

namespace larder {
namespace {

// Items that no key needs any more may be as many as the keys that have one, and this many more.
constexpr uint64_t kStaleItemsMin = 16384;
// A wall clock that jumps back by more than this would leave the index waiting for the time it has seen.
constexpr int64_t kClockBackMsMax = 1000;
// Keys with the same 32 bits of hash that are settled at once. A second one is rare, but a hash may stay due.
constexpr size_t kSettlePassesMax = 8;

}  // namespace

Keyspace::ExpiryProgress Keyspace::advance_expiry(int64_t now_ms, size_t steps_max) {
  ExpiryProgress progress;
  if (store_.expiry_mode_ == ExpiryMode::kHide) return progress;
  // While a log is loaded nothing is removed, but its commands leave items behind like any others.
  const bool removes = store_.expiry_mode_ == ExpiryMode::kRemove;
  if (!old_expiry_ && expiry_.items() > 0) {
    const bool clock_went_back = expiry_.now_ms() > now_ms + kClockBackMsMax;
    const size_t needed = volatile_count_ + field_volatile_count_;
    if (clock_went_back || expiry_.items() > 2 * needed + kStaleItemsMin) begin_expiry_rebuild();
  }
  ExpiryIndex::Batch batch;
  while (removes && progress.steps < steps_max) {
    batch.count = 0;
    if (old_expiry_ && !rebuild_walked_) old_expiry_->take(now_ms, &batch);
    if (batch.count == 0) expiry_.take(now_ms, &batch);
    if (batch.count == 0) break;
    progress.expired += settle_expiry(batch, now_ms);
    progress.steps += batch.count;
  }
  if (old_expiry_ && progress.steps < steps_max) {
    progress.steps += continue_expiry_rebuild(now_ms, steps_max - progress.steps);
  }
  // Building anew does not wait: items go stale as fast as commands come.
  progress.more_due = old_expiry_ != nullptr || (removes && expiry_.is_behind());
  return progress;
}

int64_t Keyspace::next_expiry_ms() const {
  if (old_expiry_) return 0;
  return expiry_.next_due_ms();
}

// Two passes over the batch, so that the misses of each overlap: buckets, and entries.
void Keyspace::prefetch_items(const ExpiryIndex::Batch& batch) const {
  for (size_t i = 0; i < batch.count; i++) {
    table_.prefetch_bucket(static_cast<uint64_t>(batch.hash_prefixes[i]) << 32);
  }
  for (size_t i = 0; i < batch.count; i++) {
    table_.for_each_hash_prefix(batch.hash_prefixes[i],
                                [](const EntrySlot& slot) { EntryPolicy::prefetch(slot.item()); });
  }
}

size_t Keyspace::settle_expiry(const ExpiryIndex::Batch& batch, int64_t now_ms) {
  prefetch_items(batch);
  size_t expired = 0;
  for (size_t i = 0; i < batch.count; i++) expired += settle_expiry_item(batch.hash_prefixes[i], now_ms);
  return expired;
}

// Removes the keys of this prefix that are due and the fields of hashes that are, and gives those that are not a new item.
// An item whose keys are gone is simply dropped. Returns the number of keys removed.
size_t Keyspace::settle_expiry_item(uint32_t hash_prefix, int64_t now_ms) {
  // The leading bits name the segment, which is all of the hash that removing a slot needs.
  const uint64_t hash = static_cast<uint64_t>(hash_prefix) << 32;
  size_t expired = 0;
  for (size_t pass = 0; pass < kSettlePassesMax; pass++) {
    EntrySlot* due = nullptr;
    size_t due_count = 0;
    table_.for_each_hash_prefix(hash_prefix, [&](EntrySlot& slot) {
      const Entry& entry = *slot.item();
      const int64_t entry_due_ms = due_ms(entry);
      if (entry_due_ms <= now_ms) {
        due = &slot;
        due_count++;
      } else if (entry_due_ms != kNoDeadline && pass == 0 && (table_.policy().hash(entry) >> 32) == hash_prefix) {
        expiry_.add(hash_prefix, entry_due_ms, now_ms);
      }
    });
    if (due == nullptr) return expired;
    if (due->item()->is_expired(now_ms)) {
      remove_expired(hash, due);
      expired++;
    } else if (const EntrySlot* left = settle_fields(hash, due, now_ms)) {
      // More fields may be due than were taken out: then the item fires again in its next slot.
      const int64_t left_due_ms = due_ms(*left->item());
      if (left_due_ms != kNoDeadline) expiry_.add(hash_prefix, left_due_ms, now_ms);
    }
    if (due_count == 1) return expired;  // removing one ends the life of all slots: any other is looked up again
  }
  expiry_.add(hash_prefix, now_ms, now_ms);
  return expired;
}

void Keyspace::begin_expiry_rebuild() {
  old_expiry_ = std::make_unique<ExpiryIndex>(std::move(expiry_));
  rebuild_position_ = 0;
  rebuild_walked_ = false;
}

// Adds the keys of a few buckets to the new index, or, once that is done, frees some of the old one. Returns the steps.
size_t Keyspace::continue_expiry_rebuild(int64_t now_ms, size_t steps_max) {
  size_t steps = 0;
  while (!rebuild_walked_ && steps < steps_max) {
    rebuild_position_ = table_.scan(rebuild_position_, [&](const Entry& entry) {
      steps++;
      const int64_t entry_due_ms = due_ms(entry);
      if (entry_due_ms == kNoDeadline) return;
      expiry_.add(static_cast<uint32_t>(table_.policy().hash(entry) >> 32), entry_due_ms, now_ms);
    });
    steps++;
    rebuild_walked_ = rebuild_position_ == 0;
  }
  if (rebuild_walked_ && steps < steps_max) {
    if (!old_expiry_->free_some(steps_max - steps)) old_expiry_.reset();
    steps = steps_max;
  }
  return steps;
}

}  // namespace larder
