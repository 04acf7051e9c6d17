// The handle on a string value: what the string commands work with.
//
//   auto value = keyspace.edit_or_create<StringValue>(key, now_ms);
//   if (!value) return wrong type;
//   if (!value->append(tail, size_max)) return too long;
//
// A string is kept as a number if it is the canonical text of an int64, in the entry's block up to kEmbedBytesMax
// bytes, and in a Blob beyond. Small edits stay in the block; a string that outgrows it moves to a blob with room to
// grow, so that a sequence of appends costs time in proportion to the result.
//
// A handle holds until somebody else changes the keyspace (see keyspace.h). Its own writes keep it good.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/number_text.h"
#include "storage/blob.h"
#include "storage/keyspace.h"

namespace larder {

// Strings up to this size live in their entry. Larger ones can be sent from where they lie and freed elsewhere.
inline constexpr size_t kEmbedBytesMax = 1024;

// The text of a value: a view of the stored bytes, or the digits of a number kept beside the view. Not copyable,
// because the view may point into the object itself; hold it in a local variable while the bytes are in use.
class StringText {
 public:
  explicit StringText(Bytes stored) : bytes_(stored) {}
  explicit StringText(int64_t number) : bytes_(digits_, write_int64(digits_, number)) {}
  StringText(const StringText&) = delete;
  StringText& operator=(const StringText&) = delete;

  Bytes bytes() const { return bytes_; }
  operator Bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }

 private:
  char digits_[kInt64TextBytesMax];
  Bytes bytes_;
};

class StringValue {
 public:
  static constexpr ValueType kType = ValueType::kString;

  StringValue() = default;
  // `slot` is null for a key that does not exist yet; `key.bytes` outlives the handle then.
  StringValue(Keyspace& keyspace, const HashedKey& key, EntrySlot* slot, int64_t now_ms)
      : keyspace_(&keyspace), key_(key), slot_(slot), now_ms_(now_ms) {}

  // ---- Reading. A key that does not exist yet reads as the empty string.
  bool exists() const { return slot_ != nullptr; }
  // The entry. Requires: exists().
  const Entry& entry() const { return *slot_->item(); }
  // Length of the text in bytes.
  size_t size() const;
  // Whether it is kept as a number; then number() is it.
  bool is_integer() const { return exists() && entry().encoding() == Encoding::kInteger; }
  int64_t number() const { return entry().integer(); }
  // Constant time, no copy; a range of it is text.bytes().substr().
  StringText text() const;
  // The value as a number, if its text is one (INCR's rule: the canonical text of an int64; a key that does not exist
  // yet counts as 0). False: it is not.
  [[nodiscard]] bool to_integer(int64_t* number) const;
  // The deadline, or kNoDeadline.
  int64_t deadline_ms() const { return exists() ? entry().deadline_ms() : kNoDeadline; }
  // A reference to the bytes that outlives the handle and the key; empty if the string is not in a blob.
  BlobPin pin() const;

  // ---- Writing. The first write to a key that does not exist creates it. Views of the old text end.
  // Replaces the whole value. `value` may be a view of the old text.
  void assign(Bytes value, DeadlineRule deadline = DeadlineRule::keep(), StringForm form = StringForm::kAny);
  // Replaces the whole value with a number; the first keeps the deadline.
  void set_integer(int64_t number);
  void set_integer(int64_t number, DeadlineRule deadline);
  // Return false, and change nothing, if the result were longer than `size_max` bytes.
  [[nodiscard]] bool append(Bytes tail, size_t size_max);
  // Overwrites from `offset` on; bytes between the old end and `offset` become zero. An empty `patch` changes nothing.
  [[nodiscard]] bool set_range(size_t offset, Bytes patch, size_t size_max);
  // The bytes for an edit in place, with the string made at least `size_min` long by zero bytes at its end (SETBIT,
  // BITFIELD). Valid until the next call. Requires: size_min is within the server's limit.
  char* mutable_bytes(size_t size_min);
  // Makes the text `size` bytes long, with no more room than that; the caller writes all of them (BITOP). Valid until the
  // next call. Requires: as above.
  char* overwrite_bytes(size_t size);

 private:
  // What a larger text gets: as much as it needs, or more because it may go on growing.
  enum class Room : uint8_t { kToGrow, kExact };

  void assign(const Keyspace::StringPlan& plan, Bytes value, int64_t deadline_ms);
  // Makes the text `size` bytes long, in the block or in a blob that nobody else refers to, ready for an edit. New bytes
  // at its end are not set.
  char* resize_for_edit(size_t size, Room room = Room::kToGrow);
  char* resize_in_blob(size_t size, Room room);

  Keyspace* keyspace_ = nullptr;
  HashedKey key_;
  EntrySlot* slot_ = nullptr;
  int64_t now_ms_ = 0;
};

}  // namespace larder
