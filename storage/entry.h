// The entry: one block of memory that holds a key, its header, its deadline and, while it is small, its value.
//
//   offset 0   type (3 bits) | snapshot mark (1) | encoding (3) | snapshot mark (1)
//          1   flags (EntryFlag)
//          2   access state, 24 bits (eviction.h): a clock of recency or a counter of frequency
//          5   space id: which tenant's space the key belongs to; 0 = the default space
//          6   key length, low 8 bits
//          7   value length, low 8 bits
//          8   [deadline, 8 bytes, milliseconds since 1970]      with kHasDeadline
//              [key length, high 24 bits]                        with kLongKey
//              [value length, high 8 bits]                       with kLongValue
//              key bytes, value bytes
//
// The value bytes are the string itself, an integer of 1, 2, 4 or 8 bytes, or a pointer to something larger (Blob). So
// a 16-byte key with an 8-byte value takes 32 bytes, with a 32-byte value 56, and with a time to live as well 64: one
// allocation, and one cache line when the block happens to start one.
//
// Invariants: nothing but the slot of the hash table refers to an entry, so an entry may move whenever the slot is
// updated with it. The size class of the block follows from content_bytes() alone; nothing stores it. Nothing in the
// block is aligned: all access is by memcpy.
//
// Rejected: a separate value object (16 to 32 bytes more and another cache miss), varint lengths (the offset of the key
// would depend on data that has to be decoded before the key can be compared), a deadline in a second table (a look-up
// more for each read of a volatile key).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"

namespace larder {

class Blob;
class Structure;

// What kind of value a key has. The numbers are in memory only.
enum class ValueType : uint8_t { kString, kList, kSet, kZset, kHash, kStream };

enum class Encoding : uint8_t {
  kInteger,         // a string that is the canonical text of an int64, kept as the number
  kEmbedded,        // a string in the entry's block
  kEmbeddedEdited,  // the same, after an edit in place (APPEND, SETRANGE, SETBIT): shown as "raw" whatever its size
  kBlob,            // a string in a Blob of its own
  kPacked,          // a collection packed into the entry's block: a sequence of listpack.h behind what the type needs
  kPackedIntegers,  // a set of integers in ascending order, all of the same width
  kStructure,       // a collection in a structure of its own; the value bytes are the pointer to it
};

enum EntryFlag : uint8_t {
  kHasDeadline = 1u << 0,
  kLongKey = 1u << 1,
  kLongValue = 1u << 2,
  // Bits 3 to 7 belong to the S3-FIFO policies (s3_fifo.h): a bit that flips with each turn of the queues, a counter of two
  // bits, the queue.
  kTurnBit = 1u << 3,
  kUsesShift = 4,   // a position, not a mask
  kQueueShift = 6,  // a position, not a mask
};

// The queue of an S3-FIFO policy that an entry is in.
enum class EntryQueue : uint8_t { kNone, kSmall, kMain };

// The deadline of what never expires: later than every clock.
inline constexpr int64_t kNoDeadline = INT64_MAX;

inline constexpr size_t kEntryHeaderBytes = 8;
inline constexpr size_t kEntryKeyBytesMax = UINT32_MAX;
inline constexpr size_t kEntryValueBytesMax = UINT16_MAX;  // of what is inside the block

// What decides the layout of a block.
struct EntryShape {
  ValueType type = ValueType::kString;
  Encoding encoding = Encoding::kEmbedded;
  bool has_deadline = false;
  size_t key_bytes = 0;
  size_t value_bytes = 0;

  uint8_t flags() const {
    return static_cast<uint8_t>((has_deadline ? kHasDeadline : 0) | (key_bytes > 255 ? kLongKey : 0) |
                                (value_bytes > 255 ? kLongValue : 0));
  }
  size_t content_bytes() const;
};

// A block seen as an entry. Never constructed by itself: Entry::format() writes one into memory that the caller has.
class Entry {
 public:
  // Writes header and key into `block`, which has room for shape.content_bytes(); the value bytes and, if there is one,
  // the deadline are the caller's to write. Access state and space id are zero.
  static Entry* format(void* block, const EntryShape& shape, Bytes key);

  ValueType type() const { return static_cast<ValueType>(type_encoding_ & 0x07); }
  Encoding encoding() const { return static_cast<Encoding>((type_encoding_ >> 4) & 0x07); }
  void set_type_and_encoding(ValueType type, Encoding encoding) {
    type_encoding_ = static_cast<uint8_t>((type_encoding_ & kSnapshotMark) | static_cast<uint8_t>(type) |
                                          (static_cast<uint8_t>(encoding) << 4));
  }

  Bytes key() const { return {bytes() + key_offset(), key_bytes()}; }
  size_t key_bytes() const { return (flags_ & kLongKey) ? long_key_bytes() : key_length_; }
  bool key_equals(Bytes other) const;

  bool has_deadline() const { return flags_ & kHasDeadline; }
  // kNoDeadline if it has none.
  int64_t deadline_ms() const {
    if (!has_deadline()) return kNoDeadline;
    int64_t deadline;
    std::memcpy(&deadline, bytes() + kEntryHeaderBytes, sizeof(deadline));
    return deadline;
  }
  bool is_expired(int64_t now_ms) const { return deadline_ms() <= now_ms; }
  // Requires: has_deadline().
  void set_deadline_ms(int64_t deadline_ms) {
    LARDER_ASSERT(has_deadline());
    std::memcpy(bytes() + kEntryHeaderBytes, &deadline_ms, sizeof(deadline_ms));
  }

  // The bytes inside the block: text, number or pointer, as the encoding says.
  Bytes value() const { return {bytes() + value_offset(), value_bytes()}; }
  char* mutable_value() { return bytes() + value_offset(); }
  size_t value_bytes() const { return (flags_ & kLongValue) ? long_value_bytes() : value_length_; }
  // Requires: the block has room for it, and `value_bytes` needs the same width of length (both at most 255 or both more).
  void set_value_bytes(size_t value_bytes);

  // Requires: encoding() == kInteger.
  int64_t integer() const;
  // Writes the number with the width that the value bytes have. Requires: it fits.
  void set_integer(int64_t number);
  // Requires: encoding() is kBlob, and kStructure respectively.
  Blob* blob() const { return static_cast<Blob*>(pointer()); }
  Structure* structure() const;
  void set_pointer(void* pointer);

  // 24 bits; what they mean is eviction.h's business.
  uint32_t access_state() const { return static_cast<uint32_t>(access_[0] | (access_[1] << 8) | (access_[2] << 16)); }
  void set_access_state(uint32_t state) {
    access_[0] = static_cast<uint8_t>(state);
    access_[1] = static_cast<uint8_t>(state >> 8);
    access_[2] = static_cast<uint8_t>(state >> 16);
  }
  // S3-FIFO's state. uses() stops counting at 3.
  uint32_t uses() const { return (flags_ >> kUsesShift) & 3u; }
  void set_uses(uint32_t uses) { flags_ = static_cast<uint8_t>((flags_ & ~(3u << kUsesShift)) | (uses << kUsesShift)); }
  void count_use() {
    if (uses() < 3) flags_ = static_cast<uint8_t>(flags_ + (1u << kUsesShift));
  }
  EntryQueue queue() const { return static_cast<EntryQueue>(flags_ >> kQueueShift); }
  void set_queue(EntryQueue queue) {
    flags_ = static_cast<uint8_t>((flags_ & 0x3f) | (static_cast<unsigned>(queue) << kQueueShift));
  }
  bool turn_bit() const { return flags_ & kTurnBit; }
  void set_turn_bit(bool on) { flags_ = static_cast<uint8_t>(on ? flags_ | kTurnBit : flags_ & ~kTurnBit); }

  // Two bits for the walk of a snapshot: the number of the walk that need not write this entry any more (it was written
  // early, or came after the walk's beginning), or 0.
  uint8_t snapshot_mark() const {
    return static_cast<uint8_t>(((type_encoding_ >> 3) & 1) | ((type_encoding_ >> 6) & 2));
  }
  void set_snapshot_mark(uint8_t mark) {
    type_encoding_ = static_cast<uint8_t>((type_encoding_ & ~kSnapshotMark) | ((mark & 1) << 3) | ((mark & 2) << 6));
  }
  uint8_t space_id() const { return space_id_; }
  void set_space_id(uint8_t space_id) { space_id_ = space_id; }

  EntryShape shape() const { return {type(), encoding(), has_deadline(), key_bytes(), value_bytes()}; }
  // Whether an entry of that shape, of the same key, has key and value at the same places as this one.
  bool has_layout_of(const EntryShape& shape) const { return ((flags_ ^ shape.flags()) & kLayoutFlags) == 0; }
  // Bytes of the block that are in use.
  size_t content_bytes() const { return value_offset() + value_bytes(); }
  // Copies the flags and fields that do not depend on the layout (access state, space, queue bits).
  void copy_state_from(const Entry& other);

 private:
  char* bytes() { return reinterpret_cast<char*>(this); }
  const char* bytes() const { return reinterpret_cast<const char*>(this); }
  size_t key_offset() const { return key_offset_for(flags_); }
  size_t value_offset() const { return key_offset() + key_bytes(); }
  static constexpr size_t key_offset_for(uint8_t flags) {
    return kEntryHeaderBytes + ((flags & kHasDeadline) ? 8 : 0) + ((flags & kLongKey) ? 3 : 0) +
           ((flags & kLongValue) ? 1 : 0);
  }
  static constexpr uint8_t kLayoutFlags = kHasDeadline | kLongKey | kLongValue;
  static constexpr uint8_t kSnapshotMark = (1u << 3) | (1u << 7);  // of type_encoding_
  size_t long_key_bytes() const;
  size_t long_value_bytes() const;
  void* pointer() const;
  friend struct EntryShape;

  uint8_t type_encoding_;
  uint8_t flags_;
  uint8_t access_[3];
  uint8_t space_id_;
  uint8_t key_length_;
  uint8_t value_length_;
};
static_assert(sizeof(Entry) == kEntryHeaderBytes && alignof(Entry) == 1);

// The narrowest of 1, 2, 4 and 8 bytes that holds `number`.
constexpr size_t integer_width(int64_t number) {
  if (number == static_cast<int8_t>(number)) return 1;
  if (number == static_cast<int16_t>(number)) return 2;
  if (number == static_cast<int32_t>(number)) return 4;
  return 8;
}

inline size_t EntryShape::content_bytes() const { return Entry::key_offset_for(flags()) + key_bytes + value_bytes; }

inline bool Entry::key_equals(Bytes other) const { return same_bytes(key(), other); }

}  // namespace larder
