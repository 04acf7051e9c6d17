// The side of the keyspace that removes fields of hashes on time. A hash whose fields have deadlines has an item in the
// same expiry index as a key with a deadline, at or before the earliest of them: the hash itself knows that moment in
// constant time, and its order of deadlines stays its own business.

#include <algorithm>
#include <string>
#include <vector>

#include "base/arena.h"
#include "storage/hash_value.h"
#include "storage/keyspace.h"

namespace larder {
namespace {

// Fields that one look-up or one item of the index takes out: about 100 microseconds. What is left is invisible, and goes
// with the next one. So a hash with more fields that all run out in one moment is empty, but still a key, until the
// background has taken the last of them out: 250,000 a second.
constexpr size_t kFieldsSettledMax = 512;

}  // namespace

int64_t Keyspace::field_due_ms(const Entry& entry) {
  return entry.type() == ValueType::kHash ? hash_due_ms(entry) : kNoDeadline;
}

int64_t Keyspace::due_ms(const Entry& entry) { return std::min(entry.deadline_ms(), field_due_ms(entry)); }

void Keyspace::note_field_deadlines(uint64_t hash, int64_t old_due_ms, int64_t new_due_ms, int64_t now_ms) {
  if (old_due_ms == new_due_ms) return;
  if (old_due_ms != kNoDeadline) field_volatile_count_--;
  if (new_due_ms == kNoDeadline) return;
  field_volatile_count_++;
  if (new_due_ms < old_due_ms) expiry_.add(static_cast<uint32_t>(hash >> 32), new_due_ms, now_ms);
}

EntrySlot* Keyspace::settle_fields(uint64_t hash, EntrySlot* slot, int64_t now_ms) {
  if (store_.expiry_mode_ == ExpiryMode::kKeep) return slot;
  HashValue value(*this, HashedKey{slot->item()->key(), hash}, slot, now_ms);
  if (store_.expiry_mode_ == ExpiryMode::kHide) return value.has_live() ? slot : nullptr;
  announce_change(slot);
  const std::string key(slot->item()->key());  // the entry may move
  Arena names;
  std::vector<Bytes> removed;
  value.remove_due(kFieldsSettledMax, [&](Bytes name) { removed.push_back(names.copy(name)); });
  if (!removed.empty() && store_.observer_ != nullptr) {
    store_.observer_->fields_expired(*this, key, removed, !value.exists());
  }
  return value.exists() ? slot : nullptr;
}

}  // namespace larder
