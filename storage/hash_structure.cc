#include "storage/hash_structure.h"

#include <algorithm>
#include <utility>

namespace larder {

// ---- Fields

HashField* HashField::create(BlockAllocator& blocks, const HashFieldView& field) {
  const bool has_deadline = field.deadline_ms != kNoDeadline;
  auto* block =
      static_cast<char*>(blocks.allocate(content_bytes_of(field.name.size(), field.value.size(), has_deadline)));
  char* out = write_length_prefix(block, (field.name.size() << 1) | (has_deadline ? 1 : 0));
  out = write_length_prefix(out, field.value.size());
  if (has_deadline) {
    std::memcpy(out, &field.deadline_ms, sizeof(int64_t));
    out += sizeof(int64_t);
  }
  if (!field.name.empty()) std::memcpy(out, field.name.data(), field.name.size());
  if (!field.value.empty()) std::memcpy(out + field.name.size(), field.value.data(), field.value.size());
  return reinterpret_cast<HashField*>(block);
}

void HashField::overwrite(Bytes value, int64_t deadline_ms) {
  const HashFieldView old = view();
  LARDER_ASSERT(length_prefix_bytes(old.value.size()) == length_prefix_bytes(value.size()));
  LARDER_ASSERT((old.deadline_ms == kNoDeadline) == (deadline_ms == kNoDeadline));
  char* at = reinterpret_cast<char*>(this) + length_prefix_bytes(old.name.size() << 1);
  at = write_length_prefix(at, value.size());
  if (deadline_ms != kNoDeadline) std::memcpy(at, &deadline_ms, sizeof(deadline_ms));
  if (!value.empty()) std::memmove(const_cast<char*>(old.value.data()), value.data(), value.size());
}

// ---- The hash

HashStructure::HashStructure(StructureResources& resources, bool shown_as_table)
    : Structure(resources),
      table_(HashFieldPolicy{resources.hash_seed}, resources.tables),
      shown_as_table_(shown_as_table) {}

HashStructure::~HashStructure() {
  while (free_some(SIZE_MAX)) {
  }
}

bool HashStructure::set(const HashFieldView& field, int64_t now_ms) {
  const uint64_t name_hash = hash(field.name);
  if (Table::Slot* slot = table_.find(name_hash, field.name)) {
    replace(slot, field, now_ms);
    return false;
  }
  if (is_guarded()) [[unlikely]]
    tell_item_coming(name_hash, field.name);
  HashField* block = HashField::create(resources().blocks, field);
  field_bytes_ += block_bytes(block->content_bytes());
  table_.insert_new(name_hash, block);
  note_deadline(name_hash, kNoDeadline, field.deadline_ms, now_ms);
  if (volatile_count_ > 0 && !index_ && table_.size() > kScannedMax) build_index(now_ms);
  return true;
}

void HashStructure::replace(Table::Slot* slot, const HashFieldView& field, int64_t now_ms) {
  HashField* old = slot->item();
  if (is_guarded()) [[unlikely]]
    tell_item_changing(table_.policy().hash(*old), old);
  const HashFieldView before = old->view();
  const bool has_deadline = field.deadline_ms != kNoDeadline;
  const size_t bytes = HashField::content_bytes_of(field.name.size(), field.value.size(), has_deadline);
  const bool in_place = (before.deadline_ms != kNoDeadline) == has_deadline &&
                        length_prefix_bytes(before.value.size()) == length_prefix_bytes(field.value.size()) &&
                        block_bytes(bytes) == block_bytes(old->content_bytes());
  if (in_place) {
    old->overwrite(field.value, field.deadline_ms);
  } else {
    // The new block is complete before the old one goes: the field may be a view of it.
    HashField* block = HashField::create(resources().blocks, field);
    field_bytes_ += block_bytes(bytes);
    slot->replace(block);
    field_bytes_ -= block_bytes(old->content_bytes());
    HashField::destroy(resources().blocks, old);
  }
  if (before.deadline_ms != field.deadline_ms) {
    note_deadline(table_.policy().hash(*slot->item()), before.deadline_ms, field.deadline_ms, now_ms);
  }
}

void HashStructure::remove_slot(Table::Slot* slot) {
  HashField* block = slot->item();
  if (is_guarded()) [[unlikely]]
    tell_item_changing(table_.policy().hash(*block), block);
  note_deadline(0, block->view().deadline_ms, kNoDeadline, 0);
  table_.erase(table_.policy().hash(*block), slot);
  field_bytes_ -= block_bytes(block->content_bytes());
  HashField::destroy(resources().blocks, block);
}

// ---- Deadlines

void HashStructure::note_deadline(uint64_t hash, int64_t old_deadline_ms, int64_t new_deadline_ms, int64_t now_ms) {
  if (old_deadline_ms != kNoDeadline) volatile_count_--;
  if (new_deadline_ms == kNoDeadline) return;
  volatile_count_++;
  had_deadlines_ = true;
  due_ms_ = std::min(due_ms_, new_deadline_ms);
  if (table_.size() <= kScannedMax && !index_) return;
  if (!index_) {
    // Other fields have deadlines only in a table that has just grown too large to be scanned.
    if (volatile_count_ > 1) return build_index(now_ms);
    index_ = std::make_unique<ExpiryIndex>(resources().blocks);
  }
  if (old_index_) {
    continue_rebuild(now_ms);
  } else if (is_index_stale()) {
    old_index_ = std::exchange(index_, std::make_unique<ExpiryIndex>(resources().blocks));
    rebuild_position_ = 0;
    rebuild_walked_ = false;
  }
  if (new_deadline_ms < old_deadline_ms) file_deadline(static_cast<uint32_t>(hash >> 32), new_deadline_ms, now_ms);
}

bool HashStructure::is_index_stale() const {
  return index_->items() > 2 * volatile_count_ + table_.size() / kFieldsPerStaleItem + kStaleItemsMin;
}

void HashStructure::continue_rebuild(int64_t now_ms) {
  size_t steps = 0;
  while (!rebuild_walked_ && steps < kWalkedPerDeadline) {
    rebuild_position_ = table_.scan(rebuild_position_, [&](const HashField& field) {
      steps++;
      const int64_t deadline_ms = field.view().deadline_ms;
      if (deadline_ms == kNoDeadline) return;
      file_deadline(static_cast<uint32_t>(table_.policy().hash(field) >> 32), deadline_ms, now_ms);
    });
    steps++;
    rebuild_walked_ = rebuild_position_ == 0;
  }
  if (rebuild_walked_ && !old_index_->free_some(kFreedPerDeadline)) old_index_.reset();
}

void HashStructure::build_index(int64_t now_ms) {
  index_ = std::make_unique<ExpiryIndex>(resources().blocks);
  soon_.clear();
  size_t left = volatile_count_;
  uint64_t position = 0;
  do {
    position = table_.scan(position, [&](const HashField& field) {
      const int64_t deadline_ms = field.view().deadline_ms;
      if (deadline_ms == kNoDeadline) return;
      index_->add(static_cast<uint32_t>(table_.policy().hash(field) >> 32), deadline_ms, now_ms);
      left--;
    });
  } while (position != 0 && left > 0);
  LARDER_ASSERT(left == 0);
}

void HashStructure::file_deadline(uint32_t hash_prefix, int64_t deadline_ms, int64_t now_ms) {
  if (index_->items() > 0 && deadline_ms <= index_->now_ms()) {
    soon_.push_back(hash_prefix);
  } else {
    index_->add(hash_prefix, deadline_ms, now_ms);
  }
}

int64_t HashStructure::indexed_due_ms() const {
  const bool has_two = old_index_ && !rebuild_walked_;
  // What waits in soon_ is due within the time that the index is ahead.
  const int64_t taken_ms = has_two ? std::max(index_->now_ms(), old_index_->now_ms()) : index_->now_ms();
  const int64_t soon_ms = soon_.empty() ? kNoDeadline : taken_ms - kIndexSlotMs;
  const int64_t next_ms = std::min(index_->next_due_ms(), has_two ? old_index_->next_due_ms() : INT64_MAX);
  return std::min(soon_ms, next_ms == INT64_MAX ? next_ms : next_ms - kIndexSlotMs);
}

uint64_t HashStructure::scan_for_due(uint64_t position, int64_t now_ms, Table::Slot** due, int64_t* earliest_ms) {
  return table_.scan_slots(position, [&](Table::Slot& slot) {
    const int64_t deadline_ms = slot.item()->view().deadline_ms;
    if (deadline_ms <= now_ms) {
      *due = &slot;
    } else {
      *earliest_ms = std::min(*earliest_ms, deadline_ms);
    }
  });
}

HashStructure::Table::Slot* HashStructure::find_due(uint32_t hash_prefix, int64_t now_ms, bool files_others) {
  Table::Slot* due = nullptr;
  table_.for_each_hash_prefix(hash_prefix, [&](Table::Slot& slot) {
    const int64_t deadline_ms = slot.item()->view().deadline_ms;
    if (deadline_ms == kNoDeadline) return;
    if (deadline_ms <= now_ms) {
      due = &slot;
    } else if (files_others && (table_.policy().hash(*slot.item()) >> 32) == hash_prefix) {
      file_deadline(hash_prefix, deadline_ms, now_ms);
    }
  });
  return due;
}

// ---- As a structure

size_t HashStructure::memory_bytes() const {
  return block_bytes(sizeof(*this)) + field_bytes_ + table_.bytes_allocated() +
         (index_ ? index_->bytes_allocated() + sizeof(ExpiryIndex) : 0) +
         (old_index_ ? old_index_->bytes_allocated() + sizeof(ExpiryIndex) : 0);
}

Bytes HashStructure::encoding_name() const {
  if (shown_as_table_) return "hashtable";
  return had_deadlines_ ? "listpackex" : "listpack";
}

Structure* HashStructure::clone() const {
  auto* copy = create_structure<HashStructure>(resources(), shown_as_table_);
  // They come in the order of their hash: a table that grew with them would have all of them in its first buckets.
  copy->table_.expect(table_.size());
  table_.for_each([&](const HashField& field) {
    copy->table_.insert_new(table_.policy().hash(field), HashField::create(resources().blocks, field.view()));
  });
  copy->table_.settle();
  copy->field_bytes_ = field_bytes_;
  copy->volatile_count_ = volatile_count_;
  copy->due_ms_ = due_ms_;
  copy->had_deadlines_ = had_deadlines_;
  if (index_) copy->build_index(index_->now_ms());
  return copy;
}

bool HashStructure::free_some(size_t elements_max) {
  size_t freed = 0;
  while (freed < elements_max && !table_.empty()) {
    drain_position_ = table_.drain(drain_position_, [&](HashField* field) {
      HashField::destroy(resources().blocks, field);
      freed++;
    });
  }
  if (!table_.empty()) return true;
  const size_t chunks_max = elements_max - std::min(freed, elements_max);
  if (old_index_ && old_index_->free_some(chunks_max)) return true;
  return index_ && index_->free_some(chunks_max);
}

uint64_t HashStructure::compact_some(uint64_t position, BlockMover& mover) {
  return mover.compact_bucket(table_, position, [](const HashField*, const HashField*) {});
}

void HashStructure::check_integrity() const {
  table_.check_integrity();
  size_t bytes = 0;
  size_t volatile_count = 0;
  int64_t earliest_ms = kNoDeadline;
  table_.for_each([&](const HashField& field) {
    bytes += block_bytes(field.content_bytes());
    const int64_t deadline_ms = field.view().deadline_ms;
    volatile_count += deadline_ms != kNoDeadline;
    earliest_ms = std::min(earliest_ms, deadline_ms);
  });
  LARDER_ASSERT(bytes == field_bytes_);
  LARDER_ASSERT(volatile_count == volatile_count_);
  LARDER_ASSERT(due_ms_ <= earliest_ms);
  LARDER_ASSERT(table_.size() <= kScannedMax || volatile_count == 0 || index_);
  if (index_) {
    index_->check_integrity();
    const uint64_t old_items = old_index_ && !rebuild_walked_ ? old_index_->items() : 0;
    LARDER_ASSERT(index_->items() + old_items + soon_.size() >= volatile_count_);
  }
}

}  // namespace larder
