#include "storage/set_structure.h"

#include <cstring>

namespace larder {

Bytes set_form_name(SetForm form) {
  switch (form) {
    case SetForm::kIntset:
      return "intset";
    case SetForm::kListpack:
      return "listpack";
    case SetForm::kHashtable:
      return "hashtable";
  }
  LARDER_UNREACHABLE();
}

SetMember* SetMember::create(BlockAllocator& blocks, Bytes text) {
  auto* block = static_cast<char*>(blocks.allocate(length_prefix_bytes(text.size()) + text.size()));
  char* out = write_length_prefix(block, text.size());
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return reinterpret_cast<SetMember*>(block);
}

void SetMember::destroy(BlockAllocator& blocks, SetMember* member) { blocks.free(member, member->content_bytes()); }

SetStructure::SetStructure(StructureResources& resources, SetForm form)
    : Structure(resources), table_(SetMemberPolicy{resources.hash_seed}, resources.tables), form_(form) {}

SetStructure::~SetStructure() {
  while (free_some(SIZE_MAX)) {
  }
}

bool SetStructure::add(Bytes member) {
  const uint64_t member_hash = hash(member);
  if (table_.find(member_hash, member) != nullptr) return false;
  if (is_guarded()) [[unlikely]]
    tell_item_coming(member_hash, member);
  SetMember* block = SetMember::create(resources().blocks, member);
  member_bytes_ += block_bytes(block->content_bytes());
  table_.insert_new(member_hash, block);
  return true;
}

bool SetStructure::remove(Bytes member) {
  const uint64_t member_hash = hash(member);
  Table::Slot* slot = table_.find(member_hash, member);
  if (slot == nullptr) return false;
  remove_slot(member_hash, slot);
  return true;
}

void SetStructure::remove_slot(uint64_t member_hash, Table::Slot* slot) {
  SetMember* block = slot->item();
  if (is_guarded()) [[unlikely]]
    tell_item_changing(member_hash, block);
  table_.erase(member_hash, slot);
  member_bytes_ -= block_bytes(block->content_bytes());
  SetMember::destroy(resources().blocks, block);
}

size_t SetStructure::memory_bytes() const {
  return block_bytes(sizeof(*this)) + member_bytes_ + table_.bytes_allocated();
}

Structure* SetStructure::clone() const {
  auto* copy = create_structure<SetStructure>(resources(), form_);
  // They come in the order of their hash: a table that grew with them would have all of them in its first buckets.
  copy->table_.expect(table_.size());
  table_.for_each([&](const SetMember& member) {
    copy->table_.insert_new(table_.policy().hash(member), SetMember::create(resources().blocks, member.text()));
  });
  copy->table_.settle();
  copy->member_bytes_ = member_bytes_;
  return copy;
}

bool SetStructure::free_some(size_t elements_max) {
  size_t freed = 0;
  while (freed < elements_max && !table_.empty()) {
    drain_position_ = table_.drain(drain_position_, [&](SetMember* member) {
      SetMember::destroy(resources().blocks, member);
      freed++;
    });
  }
  return !table_.empty();
}

uint64_t SetStructure::compact_some(uint64_t position, BlockMover& mover) {
  return mover.compact_bucket(table_, position, [](const SetMember*, const SetMember*) {});
}

void SetStructure::check_integrity() const {
  table_.check_integrity();
  size_t bytes = 0;
  size_t count = 0;
  table_.for_each([&](const SetMember& member) {
    bytes += block_bytes(member.content_bytes());
    count++;
  });
  LARDER_ASSERT(bytes == member_bytes_ && count == table_.size());
}

}  // namespace larder
