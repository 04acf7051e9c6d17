#include "storage/entry.h"

namespace larder {

Entry* Entry::format(void* block, const EntryShape& shape, Bytes key) {
  LARDER_ASSERT(key.size() == shape.key_bytes);
  LARDER_ASSERT(shape.key_bytes <= kEntryKeyBytesMax);
  LARDER_ASSERT(shape.value_bytes <= kEntryValueBytesMax);
  auto* entry = static_cast<Entry*>(block);
  entry->type_encoding_ =
      static_cast<uint8_t>(static_cast<uint8_t>(shape.type) | (static_cast<uint8_t>(shape.encoding) << 4));
  entry->flags_ = shape.flags();
  entry->set_access_state(0);
  entry->space_id_ = 0;
  entry->key_length_ = static_cast<uint8_t>(shape.key_bytes);
  entry->value_length_ = static_cast<uint8_t>(shape.value_bytes);
  if (entry->flags_ & kLongKey) {
    const uint32_t high = static_cast<uint32_t>(shape.key_bytes >> 8);
    std::memcpy(entry->bytes() + entry->key_offset() - 3 - ((entry->flags_ & kLongValue) ? 1 : 0), &high, 3);
  }
  if (entry->flags_ & kLongValue) entry->bytes()[entry->key_offset() - 1] = static_cast<char>(shape.value_bytes >> 8);
  if (!key.empty()) std::memcpy(entry->bytes() + entry->key_offset(), key.data(), key.size());
  return entry;
}

size_t Entry::long_key_bytes() const {
  uint32_t high = 0;
  std::memcpy(&high, bytes() + key_offset() - 3 - ((flags_ & kLongValue) ? 1 : 0), 3);
  return (static_cast<size_t>(high) << 8) | key_length_;
}

size_t Entry::long_value_bytes() const {
  return (static_cast<size_t>(static_cast<uint8_t>(bytes()[key_offset() - 1])) << 8) | value_length_;
}

void Entry::set_value_bytes(size_t value_bytes) {
  LARDER_ASSERT(value_bytes <= kEntryValueBytesMax);
  LARDER_ASSERT((value_bytes > 255) == ((flags_ & kLongValue) != 0));
  value_length_ = static_cast<uint8_t>(value_bytes);
  if (flags_ & kLongValue) bytes()[key_offset() - 1] = static_cast<char>(value_bytes >> 8);
}

int64_t Entry::integer() const {
  LARDER_ASSERT(encoding() == Encoding::kInteger);
  const char* at = bytes() + value_offset();
  const auto load = [at]<class T>(T number) {
    std::memcpy(&number, at, sizeof(number));
    return static_cast<int64_t>(number);
  };
  switch (value_length_) {
    case 1:
      return load(int8_t{});
    case 2:
      return load(int16_t{});
    case 4:
      return load(int32_t{});
    case 8:
      return load(int64_t{});
  }
  LARDER_UNREACHABLE();
}

void Entry::set_integer(int64_t number) {
  LARDER_ASSERT(encoding() == Encoding::kInteger);
  LARDER_ASSERT(integer_width(number) <= value_length_);
  // The low bytes of a little-endian number are the number in fewer bytes. A copy of unknown size would cost more than all
  // else here.
  char* at = bytes() + value_offset();
  switch (value_length_) {
    case 1:
      std::memcpy(at, &number, 1);
      return;
    case 2:
      std::memcpy(at, &number, 2);
      return;
    case 4:
      std::memcpy(at, &number, 4);
      return;
    case 8:
      std::memcpy(at, &number, 8);
      return;
  }
  LARDER_UNREACHABLE();
}

void* Entry::pointer() const {
  LARDER_ASSERT(encoding() == Encoding::kBlob || encoding() == Encoding::kStructure);
  void* pointer;
  std::memcpy(&pointer, bytes() + value_offset(), sizeof(pointer));
  return pointer;
}

Structure* Entry::structure() const { return static_cast<Structure*>(pointer()); }

void Entry::set_pointer(void* pointer) {
  LARDER_ASSERT(encoding() == Encoding::kBlob || encoding() == Encoding::kStructure);
  LARDER_ASSERT(value_length_ == sizeof(pointer));
  std::memcpy(bytes() + value_offset(), &pointer, sizeof(pointer));
}

void Entry::copy_state_from(const Entry& other) {
  flags_ = static_cast<uint8_t>((flags_ & kLayoutFlags) | (other.flags_ & ~kLayoutFlags));
  std::memcpy(access_, other.access_, sizeof(access_));
  space_id_ = other.space_id_;
  set_snapshot_mark(other.snapshot_mark());
}

}  // namespace larder
