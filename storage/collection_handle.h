// What the handles on lists, sets, hashes, sorted sets and streams have in common: the way from a key's entry to a packed
// sequence of bytes or to a Structure, and back.
//
//   class SetValue : public CollectionHandle {
//    public:
//     static constexpr ValueType kType = ValueType::kSet;
//     using CollectionHandle::CollectionHandle;
//     bool add(Bytes member, const SetLimits& limits);
//   };
//
// A handle holds until somebody else changes the keyspace (see keyspace.h); its own writes keep it good. A collection
// without elements does not exist: whoever takes the last one out calls remove_key().
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "storage/keyspace.h"
#include "storage/structure.h"

namespace larder {

// A packed value must stay below this; long before, the types turn it into a structure.
inline constexpr size_t kPackedBytesMax = kEntryValueBytesMax;

class CollectionHandle {
 public:
  CollectionHandle() = default;
  // `slot` is null for a key that does not exist yet; `key.bytes` outlives the handle then.
  CollectionHandle(Keyspace& keyspace, const HashedKey& key, EntrySlot* slot, int64_t now_ms)
      : keyspace_(&keyspace), key_(key), slot_(slot), now_ms_(now_ms) {}

  bool exists() const { return slot_ != nullptr; }
  // Requires: exists().
  const Entry& entry() const { return *slot_->item(); }
  int64_t deadline_ms() const { return exists() ? entry().deadline_ms() : kNoDeadline; }

 protected:
  Keyspace& keyspace() const { return *keyspace_; }
  int64_t now_ms() const { return now_ms_; }
  StructureResources& resources() const;

  bool is_structure() const { return exists() && entry().encoding() == Encoding::kStructure; }
  // Requires: is_structure().
  Structure* structure() const { return entry().structure(); }
  // The bytes inside the entry; empty for a key that does not exist. Requires: !is_structure().
  Bytes packed() const { return exists() ? entry().value() : Bytes(); }
  char* mutable_packed() { return slot_->item()->mutable_value(); }

  // Creates the key. Requires: !exists(). The value bytes are the caller's to write.
  char* create_packed(ValueType type, Encoding encoding, size_t value_bytes);
  void create_structure_entry(ValueType type, Structure* structure);
  // Replaces `erase_bytes` at `offset` of the packed bytes by room for `insert_bytes`, which the caller fills: returns
  // where. All other bytes move along. Requires: exists(), packed, and the result is at most kPackedBytesMax.
  char* splice(size_t offset, size_t erase_bytes, size_t insert_bytes);
  // The value becomes the structure, and this entry owns it. What was there before (packed bytes or a structure) goes.
  void become(Structure* structure);
  // The value becomes packed bytes, which the caller writes. A structure that was there goes.
  char* become_packed(Encoding encoding, size_t value_bytes);
  // The same bytes under another encoding. Requires: packed before and after.
  void set_packed_encoding(Encoding encoding);
  // The earliest deadline of the fields of a hash has changed (kNoDeadline: none has one): its key is looked at in time.
  void note_field_deadlines(int64_t old_due_ms, int64_t new_due_ms) {
    if (old_due_ms != new_due_ms) keyspace_->note_field_deadlines(key_.hash, old_due_ms, new_due_ms, now_ms_);
  }
  // The last element is gone: so is the key. The handle then is that of a key that does not exist.
  void remove_key();

 private:
  Keyspace* keyspace_ = nullptr;
  HashedKey key_;
  EntrySlot* slot_ = nullptr;
  int64_t now_ms_ = 0;
};

}  // namespace larder
