#include "storage/collection_handle.h"

#include <cstring>

namespace larder {

StructureResources& CollectionHandle::resources() const { return keyspace_->store().structure_resources(); }

char* CollectionHandle::create_packed(ValueType type, Encoding encoding, size_t value_bytes) {
  LARDER_ASSERT(!exists());
  slot_ = keyspace_->create_entry(key_, type, encoding, value_bytes, now_ms_);
  return mutable_packed();
}

void CollectionHandle::create_structure_entry(ValueType type, Structure* structure) {
  create_packed(type, Encoding::kStructure, sizeof(structure));
  slot_->item()->set_pointer(structure);
}

char* CollectionHandle::splice(size_t offset, size_t erase_bytes, size_t insert_bytes) {
  LARDER_ASSERT(exists() && !is_structure());
  return keyspace_->splice_value(slot_, offset, erase_bytes, insert_bytes);
}

void CollectionHandle::become(Structure* structure) {
  become_packed(Encoding::kStructure, sizeof(structure));
  slot_->item()->set_pointer(structure);
}

char* CollectionHandle::become_packed(Encoding encoding, size_t value_bytes) {
  LARDER_ASSERT(exists());
  keyspace_->replace_value(slot_, encoding, value_bytes);
  return mutable_packed();
}

void CollectionHandle::set_packed_encoding(Encoding encoding) {
  LARDER_ASSERT(exists() && !is_structure() && encoding != Encoding::kStructure);
  slot_->item()->set_type_and_encoding(entry().type(), encoding);
}

void CollectionHandle::remove_key() {
  LARDER_ASSERT(exists());
  keyspace_->erase_slot(key_.hash, slot_);
  slot_ = nullptr;
}

}  // namespace larder
