#include "storage/compaction.h"

#include "storage/keyspace.h"

namespace larder {

void Compactor::restart() {
  planned_classes_ = 0;
  db_ = 0;
  position_ = 0;
  large_.clear();
  member_position_ = 0;
}

bool Compactor::step() {
  if (store_.has_guard()) return true;
  if (planned_classes_ < BlockAllocator::class_count()) {
    store_.plan_moves(planned_classes_++);
    return true;
  }
  if (!large_.empty()) return compact_members(db_);
  while (db_ < store_.database_count() && store_.database(db_).size() == 0) {
    db_++;
    position_ = 0;
  }
  if (db_ == store_.database_count()) return false;
  position_ = store_.database(db_).compact_entries(position_, &large_, &counts_);
  // The members of the last bucket's collections are still to come; their database is this one.
  if (position_ == 0 && large_.empty()) db_++;
  return true;
}

bool Compactor::compact_members(int db) {
  member_position_ = store_.database(db).compact_members(large_.back(), member_position_, &counts_);
  if (member_position_ != 0) return true;
  large_.pop_back();
  if (large_.empty() && position_ == 0) db_++;
  return true;
}

uint64_t Keyspace::compact_entries(uint64_t position, std::vector<uint64_t>* large, CompactionCounts* counts) {
  BlockMover mover(store_.blocks_, *counts);
  table_.scan_slots(position, [&](const EntrySlot& slot) {
    if (slot.item()->encoding() == Encoding::kStructure) large->push_back(store_.hash_of(*slot.item()));
  });
  return mover.compact_bucket(table_, position, [](const Entry*, const Entry*) {});
}

uint64_t Keyspace::compact_members(uint64_t hash, uint64_t position, CompactionCounts* counts) {
  Structure* structure = nullptr;
  table_.for_each_hash_prefix(static_cast<uint32_t>(hash >> 32), [&](const EntrySlot& slot) {
    const Entry& entry = *slot.item();
    if (entry.encoding() == Encoding::kStructure && store_.hash_of(entry) == hash) structure = entry.structure();
  });
  if (structure == nullptr) return 0;  // it went meanwhile
  BlockMover mover(store_.blocks_, *counts);
  return structure->compact_some(position, mover);
}

}  // namespace larder
