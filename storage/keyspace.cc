#include "storage/keyspace.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/number_text.h"
#include "storage/hash_value.h"
#include "storage/string_value.h"

namespace larder {
namespace {

// Tries at a random key before giving up on a keyspace that has expired keys only.
constexpr int kRandomTriesMax = 100;

}  // namespace

Keyspace::Keyspace(Store& store, int index)
    : store_(store),
      index_(index),
      table_(EntryPolicy{store.hash_seed_}, store.table_account_),
      expiry_(store.index_blocks_) {}

Keyspace::~Keyspace() { (void)flush(); }

// ---- Look-up

EntrySlot* Keyspace::find_slot(const HashedKey& key, int64_t now_ms, Touch touch) {
  EntrySlot* slot = table_.find(key.hash, key.bytes);
  if (slot == nullptr) return nullptr;
  Entry* entry = slot->item();
  if (entry->is_expired(now_ms) && store_.expiry_mode_ != ExpiryMode::kKeep) [[unlikely]] {
    if (store_.expiry_mode_ == ExpiryMode::kRemove) remove_expired(key.hash, slot);
    return nullptr;
  }
  if (entry->type() == ValueType::kHash && hash_due_ms(*entry) <= now_ms) [[unlikely]] {
    slot = settle_fields(key.hash, slot, now_ms);
    if (slot == nullptr) return nullptr;
    entry = slot->item();
  }
  if (touch == Touch::kYes) {
    // Mostly the same second as before: then the line stays clean.
    const uint32_t before = entry->access_state();
    const uint32_t after = store_.access_.touched(before);
    if (after != before) entry->set_access_state(after);
    if (store_.counts_uses_) [[unlikely]]
      entry->count_use();
  }
  return slot;
}

const Entry* Keyspace::find(const HashedKey& key, int64_t now_ms, Touch touch) {
  const EntrySlot* slot = find_slot(key, now_ms, touch);
  return slot == nullptr ? nullptr : slot->item();
}

// ---- Removal

void Keyspace::remove_expired(uint64_t hash, EntrySlot* slot) {
  if (store_.observer_ != nullptr) store_.observer_->expired(*this, slot->item()->key());
  erase_slot(hash, slot);
}

void Keyspace::erase_slot(uint64_t hash, EntrySlot* slot) {
  announce_change(slot);
  note_field_deadlines(hash, field_due_ms(*slot->item()), kNoDeadline, 0);
  store_.release_value(*slot->item());
  unlink_slot(hash, slot);
}

void Keyspace::detach_slot(uint64_t hash, EntrySlot* slot) {
  note_field_deadlines(hash, field_due_ms(*slot->item()), kNoDeadline, 0);
  unlink_slot(hash, slot);
}

void Keyspace::unlink_slot(uint64_t hash, EntrySlot* slot) {
  Entry* entry = slot->item();
  note_deadline(hash, entry->deadline_ms(), kNoDeadline, 0);
  table_.erase(hash, slot);
  store_.free_block(entry);
}

bool Keyspace::erase(const HashedKey& key, int64_t now_ms) {
  EntrySlot* slot = find_slot(key, now_ms, Touch::kNo);
  if (slot == nullptr) return false;
  erase_slot(key.hash, slot);
  return true;
}

// ---- Entries and their blocks

EntrySlot* Keyspace::insert_entry(uint64_t hash, Entry* entry, int64_t now_ms) {
  entry->set_snapshot_mark(0);
  EntrySlot* slot = table_.insert_new(hash, entry);
  if (fifo_) [[unlikely]]
    note_arrival(hash, entry);
  if (store_.guard_ != nullptr) [[unlikely]]
    store_.guard_->added(*this, *entry);
  note_deadline(hash, kNoDeadline, entry->deadline_ms(), now_ms);
  // Not of a keyspace that a command computes in.
  if (store_.tells_created_ && &store_.database(index_) == this) [[unlikely]]
    store_.observer_->created(*this, entry->key());
  return slot;
}

Entry* Keyspace::new_entry_like(const Entry& old, const EntryShape& shape, Bytes key) {
  Entry* entry = Entry::format(store_.blocks_.allocate(shape.content_bytes()), shape, key);
  entry->copy_state_from(old);
  return entry;
}

Entry* Keyspace::reshape(EntrySlot* slot, const EntryShape& shape) {
  Entry* old = slot->item();
  LARDER_ASSERT(shape.key_bytes == old->key_bytes());
  if (old->has_layout_of(shape) && block_bytes(shape.content_bytes()) == block_bytes(old->content_bytes())) {
    old->set_type_and_encoding(shape.type, shape.encoding);
    old->set_value_bytes(shape.value_bytes);
    return old;
  }
  Entry* entry = new_entry_like(*old, shape, old->key());
  if (shape.has_deadline && old->has_deadline()) entry->set_deadline_ms(old->deadline_ms());
  std::memcpy(entry->mutable_value(), old->value().data(), std::min(shape.value_bytes, old->value_bytes()));
  slot->replace(entry);
  store_.free_block(old);
  return entry;
}

void Keyspace::note_deadline(uint64_t hash, int64_t old_deadline_ms, int64_t new_deadline_ms, int64_t now_ms) {
  if (old_deadline_ms == new_deadline_ms) return;
  if (old_deadline_ms != kNoDeadline) {
    volatile_count_--;
    deadline_sum_ms_ -= old_deadline_ms;
  }
  if (new_deadline_ms == kNoDeadline) return;
  volatile_count_++;
  deadline_sum_ms_ += new_deadline_ms;
  // A key whose deadline moves away has an item already, one that comes early and is filed anew then.
  if (new_deadline_ms < old_deadline_ms) expiry_.add(static_cast<uint32_t>(hash >> 32), new_deadline_ms, now_ms);
}

size_t Keyspace::entry_memory_bytes(const Entry& entry) const {
  size_t bytes = block_bytes(entry.content_bytes());
  if (entry.encoding() == Encoding::kBlob) bytes += entry.blob()->memory_bytes();
  if (entry.encoding() == Encoding::kStructure) bytes += entry.structure()->memory_bytes();
  return bytes + table_.bytes_allocated() / std::max<size_t>(table_.size(), 1);
}

// ---- Strings

Keyspace::StringPlan Keyspace::plan_integer(int64_t number) {
  return {Encoding::kInteger, integer_width(number), number};
}

Keyspace::StringPlan Keyspace::plan_string(Bytes value, StringForm form) {
  if (form == StringForm::kAny && value.size() - 1 < kInt64TextBytesMax && (is_digit(value[0]) || value[0] == '-')) {
    if (const auto number = parse_int64(value)) return plan_integer(*number);
  }
  if (value.size() > kEmbedBytesMax) return {Encoding::kBlob, sizeof(Blob*), 0};
  return {form == StringForm::kEdited ? Encoding::kEmbeddedEdited : Encoding::kEmbedded, value.size(), 0};
}

// Fills the value bytes of an entry that has the plan's shape. `value` may lie in the same block.
void Keyspace::write_string(Entry* entry, const StringPlan& plan, Bytes value) {
  switch (plan.encoding) {
    case Encoding::kInteger:
      return entry->set_integer(plan.number);
    case Encoding::kBlob:
      return entry->set_pointer(store_.blobs_.create_from(value));
    default:
      if (!value.empty()) std::memmove(entry->mutable_value(), value.data(), value.size());
  }
}

Assigned Keyspace::assign_string(const HashedKey& key, Bytes value, DeadlineRule deadline, int64_t now_ms,
                                 StringForm form, Touch touch) {
  const StringPlan plan = plan_string(value, form);
  EntrySlot* slot = find_slot(key, now_ms, touch);
  if (slot == nullptr) {
    create_string(key, plan, value, deadline.applied_to(kNoDeadline), now_ms);
    return Assigned::kCreated;
  }
  overwrite_string(key.hash, slot, plan, value, deadline.applied_to(slot->item()->deadline_ms()), now_ms);
  return Assigned::kReplaced;
}

// A hidden expired entry is in the way of a new one; whoever writes knows that it is gone.
void Keyspace::make_way(const HashedKey& key) {
  if (store_.expiry_mode_ != ExpiryMode::kHide) return;
  if (EntrySlot* hidden = table_.find(key.hash, key.bytes)) erase_slot(key.hash, hidden);
}

EntrySlot* Keyspace::create_string(const HashedKey& key, const StringPlan& plan, Bytes value, int64_t deadline_ms,
                                   int64_t now_ms) {
  make_way(key);
  const EntryShape shape{ValueType::kString, plan.encoding, deadline_ms != kNoDeadline, key.bytes.size(),
                         plan.value_bytes};
  Entry* entry = Entry::format(store_.blocks_.allocate(shape.content_bytes()), shape, key.bytes);
  entry->set_access_state(store_.access_.fresh());
  if (shape.has_deadline) entry->set_deadline_ms(deadline_ms);
  write_string(entry, plan, value);
  return insert_entry(key.hash, entry, now_ms);
}

void Keyspace::overwrite_string(uint64_t hash, EntrySlot* slot, const StringPlan& plan, Bytes value,
                                int64_t deadline_ms, int64_t now_ms) {
  announce_change(slot);
  Entry* old = slot->item();
  if (old->type() == ValueType::kHash) note_field_deadlines(hash, hash_due_ms(*old), kNoDeadline, now_ms);
  const int64_t old_deadline_ms = old->deadline_ms();
  const EntryShape shape{ValueType::kString, plan.encoding, deadline_ms != kNoDeadline, old->key_bytes(),
                         plan.value_bytes};
  const bool in_place =
      old->has_layout_of(shape) && block_bytes(shape.content_bytes()) == block_bytes(old->content_bytes());
  const bool owns_more = old->encoding() >= Encoding::kBlob;
  if (in_place && !owns_more) [[likely]] {
    old->set_type_and_encoding(shape.type, shape.encoding);
    old->set_value_bytes(shape.value_bytes);
    write_string(old, plan, value);
    if (shape.has_deadline) old->set_deadline_ms(deadline_ms);
  } else if (in_place && plan.encoding == Encoding::kBlob && old->encoding() == Encoding::kBlob &&
             old->blob()->suits(value.size()) && !store_.blobs_.is_on_offer(value)) {
    std::memmove(old->blob()->data(), value.data(), value.size());
    old->blob()->set_size(value.size());
    if (shape.has_deadline) old->set_deadline_ms(deadline_ms);
  } else {
    // The new value is complete before the old one goes: `value` may be a view of it.
    Entry* entry = new_entry_like(*old, shape, old->key());
    if (shape.has_deadline) entry->set_deadline_ms(deadline_ms);
    write_string(entry, plan, value);
    slot->replace(entry);
    store_.release_value(*old);
    store_.free_block(old);
  }
  if (fifo_ && fifo_volatile_only_ && shape.has_deadline && old_deadline_ms == kNoDeadline) [[unlikely]]
    note_arrival(hash, slot->item());
  note_deadline(hash, old_deadline_ms, deadline_ms, now_ms);
}

// ---- Collections

EntrySlot* Keyspace::create_entry(const HashedKey& key, ValueType type, Encoding encoding, size_t value_bytes,
                                  int64_t now_ms) {
  make_way(key);
  const EntryShape shape{type, encoding, false, key.bytes.size(), value_bytes};
  Entry* entry = Entry::format(store_.blocks_.allocate(shape.content_bytes()), shape, key.bytes);
  entry->set_access_state(store_.access_.fresh());
  return insert_entry(key.hash, entry, now_ms);
}

char* Keyspace::splice_value(EntrySlot* slot, size_t offset, size_t erase_bytes, size_t insert_bytes) {
  Entry* old = slot->item();
  EntryShape shape = old->shape();
  const size_t old_bytes = shape.value_bytes;
  LARDER_ASSERT(offset + erase_bytes <= old_bytes);
  shape.value_bytes = old_bytes - erase_bytes + insert_bytes;
  const size_t tail_bytes = old_bytes - offset - erase_bytes;
  if (old->has_layout_of(shape) && block_bytes(shape.content_bytes()) == block_bytes(old->content_bytes())) {
    char* value = old->mutable_value();
    std::memmove(value + offset + insert_bytes, value + offset + erase_bytes, tail_bytes);
    old->set_value_bytes(shape.value_bytes);
    return value + offset;
  }
  Entry* entry = new_entry_like(*old, shape, old->key());
  if (shape.has_deadline) entry->set_deadline_ms(old->deadline_ms());
  const char* from = old->value().data();
  char* value = entry->mutable_value();
  std::memcpy(value, from, offset);
  std::memcpy(value + offset + insert_bytes, from + offset + erase_bytes, tail_bytes);
  slot->replace(entry);
  store_.free_block(old);
  return value + offset;
}

void Keyspace::replace_value(EntrySlot* slot, Encoding encoding, size_t value_bytes) {
  Entry* old = slot->item();
  store_.release_value(*old);
  EntryShape shape = old->shape();
  shape.encoding = encoding;
  shape.value_bytes = value_bytes;
  Entry* entry = new_entry_like(*old, shape, old->key());
  if (shape.has_deadline) entry->set_deadline_ms(old->deadline_ms());
  slot->replace(entry);
  store_.free_block(old);
}

bool Keyspace::add_string(const HashedKey& key, Bytes value, int64_t deadline_ms, int64_t now_ms) {
  if (table_.find(key.hash, key.bytes) != nullptr) return false;
  create_string(key, plan_string(value, StringForm::kAny), value, deadline_ms, now_ms);
  return true;
}

void Keyspace::set_access_state(const HashedKey& key, uint32_t state) {
  if (EntrySlot* slot = table_.find(key.hash, key.bytes)) slot->item()->set_access_state(state);
}

// ---- Deadlines

bool Keyspace::set_deadline(const HashedKey& key, int64_t deadline_ms, int64_t now_ms, Touch touch) {
  if (deadline_ms == kNoDeadline) {
    clear_deadline(key, now_ms, touch);
    return contains(key, now_ms);
  }
  EntrySlot* slot = find_slot(key, now_ms, touch);
  if (slot == nullptr) return false;
  announce_change(slot);
  const int64_t old_deadline_ms = slot->item()->deadline_ms();
  EntryShape shape = slot->item()->shape();
  shape.has_deadline = true;
  Entry* entry = reshape(slot, shape);
  entry->set_deadline_ms(deadline_ms);
  if (fifo_ && fifo_volatile_only_ && old_deadline_ms == kNoDeadline) note_arrival(key.hash, entry);
  note_deadline(key.hash, old_deadline_ms, deadline_ms, now_ms);
  return true;
}

bool Keyspace::clear_deadline(const HashedKey& key, int64_t now_ms, Touch touch) {
  EntrySlot* slot = find_slot(key, now_ms, touch);
  if (slot == nullptr || !slot->item()->has_deadline()) return false;
  announce_change(slot);
  note_deadline(key.hash, slot->item()->deadline_ms(), kNoDeadline, now_ms);
  EntryShape shape = slot->item()->shape();
  shape.has_deadline = false;
  reshape(slot, shape);
  return true;
}

int64_t Keyspace::average_ttl_ms(int64_t now_ms) const {
  if (volatile_count_ == 0) return 0;
  const auto mean_ms = static_cast<int64_t>(deadline_sum_ms_ / static_cast<DeadlineSum>(volatile_count_));
  return std::max<int64_t>(mean_ms - now_ms, 0);
}

// ---- Moving and copying

bool Keyspace::move_entry(const HashedKey& from, Keyspace& to_keyspace, const HashedKey& to, int64_t now_ms,
                          Touch touch) {
  // What is past its deadline there expires, rather than being replaced.
  to_keyspace.find_slot(to, now_ms, Touch::kNo);
  EntrySlot* slot = find_slot(from, now_ms, touch);
  if (slot == nullptr) return false;
  if (this == &to_keyspace && from.bytes == to.bytes) return true;
  const Entry& old = *slot->item();
  EntryShape shape = old.shape();
  shape.key_bytes = to.bytes.size();
  Entry* moved = new_entry_like(old, shape, to.bytes);
  if (shape.has_deadline) moved->set_deadline_ms(old.deadline_ms());
  std::memcpy(moved->mutable_value(), old.value().data(), shape.value_bytes);
  announce_change(slot);
  detach_slot(from.hash, slot);
  if (EntrySlot* replaced = to_keyspace.table_.find(to.hash, to.bytes)) to_keyspace.erase_slot(to.hash, replaced);
  to_keyspace.insert_entry(to.hash, moved, now_ms);
  to_keyspace.note_field_deadlines(to.hash, kNoDeadline, field_due_ms(*moved), now_ms);
  return true;
}

bool Keyspace::copy_entry(const HashedKey& from, Keyspace& to_keyspace, const HashedKey& to, int64_t now_ms) {
  to_keyspace.find_slot(to, now_ms, Touch::kNo);
  EntrySlot* slot = find_slot(from, now_ms, Touch::kNo);
  if (slot == nullptr) return false;
  if (this == &to_keyspace && from.bytes == to.bytes) return true;
  const Entry& original = *slot->item();
  EntryShape shape = original.shape();
  shape.key_bytes = to.bytes.size();
  Entry* copy = new_entry_like(original, shape, to.bytes);
  copy->set_access_state(store_.access_.fresh());
  if (shape.has_deadline) copy->set_deadline_ms(original.deadline_ms());
  std::memcpy(copy->mutable_value(), original.value().data(), shape.value_bytes);
  if (copy->encoding() == Encoding::kStructure) copy->set_pointer(original.structure()->clone());
  if (copy->encoding() == Encoding::kBlob) copy->blob()->retain();  // until one of the two is written to
  if (EntrySlot* replaced = to_keyspace.table_.find(to.hash, to.bytes)) to_keyspace.erase_slot(to.hash, replaced);
  to_keyspace.insert_entry(to.hash, copy, now_ms);
  to_keyspace.note_field_deadlines(to.hash, kNoDeadline, field_due_ms(*copy), now_ms);
  return true;
}

// ---- Walking

const Entry* Keyspace::random_entry(Random& random, int64_t now_ms) {
  for (int tries = 0; tries < kRandomTriesMax; tries++) {
    EntrySlot* slot = table_.random_slot(random);
    if (slot == nullptr) return nullptr;
    const Entry* entry = slot->item();
    if (!entry->is_expired(now_ms)) return entry;
    if (store_.expiry_mode_ == ExpiryMode::kRemove) remove_expired(table_.policy().hash(*entry), slot);
  }
  return nullptr;
}

// ---- Whole keyspaces

FlushedKeyspace Keyspace::flush() {
  FlushedKeyspace flushed(store_, std::move(table_), std::move(expiry_), std::move(old_expiry_));
  if (store_.guard_ != nullptr) store_.guard_->flushed(*this, flushed);
  volatile_count_ = 0;
  field_volatile_count_ = 0;
  deadline_sum_ms_ = 0;
  rebuild_position_ = 0;
  rebuild_walked_ = false;
  if (fifo_) track_arrivals(true, fifo_volatile_only_);
  return flushed;
}

void Keyspace::swap_contents(Keyspace& other) {
  std::swap(table_, other.table_);
  std::swap(expiry_, other.expiry_);
  std::swap(old_expiry_, other.old_expiry_);
  std::swap(rebuild_position_, other.rebuild_position_);
  std::swap(rebuild_walked_, other.rebuild_walked_);
  std::swap(fifo_, other.fifo_);
  std::swap(adopting_, other.adopting_);
  std::swap(adopt_position_, other.adopt_position_);
  std::swap(volatile_count_, other.volatile_count_);
  std::swap(field_volatile_count_, other.field_volatile_count_);
  std::swap(deadline_sum_ms_, other.deadline_sum_ms_);
}

void Keyspace::check_integrity() const {
  table_.check_integrity();
  expiry_.check_integrity();
  if (old_expiry_) old_expiry_->check_integrity();
  size_t volatile_count = 0;
  size_t field_volatile_count = 0;
  DeadlineSum deadline_sum_ms = 0;
  for_each([&](const Entry& entry) {
    field_volatile_count += field_due_ms(entry) != kNoDeadline;
    if (!entry.has_deadline()) return;
    volatile_count++;
    deadline_sum_ms += entry.deadline_ms();
  });
  LARDER_ASSERT(volatile_count == volatile_count_ && deadline_sum_ms == deadline_sum_ms_);
  LARDER_ASSERT(field_volatile_count == field_volatile_count_);
  if (!old_expiry_) LARDER_ASSERT(expiry_.items() >= std::max(volatile_count_, field_volatile_count_));
}

}  // namespace larder
