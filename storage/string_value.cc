#include "storage/string_value.h"

#include <algorithm>
#include <cstring>

namespace larder {
namespace {

// Room for a blob that is being appended to: doubling up to a megabyte, then a quarter more.
constexpr size_t kDoublingBytesMax = 1024 * 1024;
size_t capacity_for_growth(size_t size) { return size <= kDoublingBytesMax ? 2 * size : size + size / 4; }

}  // namespace

// ---- Reading

size_t StringValue::size() const {
  if (!exists()) return 0;
  switch (entry().encoding()) {
    case Encoding::kInteger: {
      const int64_t value = number();
      const uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
      return decimal_digits(magnitude) + (value < 0);
    }
    case Encoding::kBlob:
      return entry().blob()->size();
    default:
      return entry().value_bytes();
  }
}

StringText StringValue::text() const {
  if (!exists()) return StringText(Bytes());
  switch (entry().encoding()) {
    case Encoding::kInteger:
      return StringText(number());
    case Encoding::kBlob:
      return StringText(entry().blob()->bytes());
    default:
      return StringText(entry().value());
  }
}

bool StringValue::to_integer(int64_t* number_out) const {
  if (!exists()) {
    *number_out = 0;
    return true;
  }
  if (is_integer()) {
    *number_out = number();
    return true;
  }
  if (size() > kInt64TextBytesMax) return false;
  const auto parsed = parse_int64(text().bytes());
  if (parsed) *number_out = *parsed;
  return parsed.has_value();
}

BlobPin StringValue::pin() const {
  if (!exists() || entry().encoding() != Encoding::kBlob) return {};
  return BlobPin(entry().blob(), keyspace_->store_.blobs_);
}

// ---- Writing

void StringValue::assign(const Keyspace::StringPlan& plan, Bytes value, int64_t deadline_ms) {
  if (exists()) {
    keyspace_->overwrite_string(key_.hash, slot_, plan, value, deadline_ms, now_ms_);
  } else {
    slot_ = keyspace_->create_string(key_, plan, value, deadline_ms, now_ms_);
  }
}

void StringValue::assign(Bytes value, DeadlineRule deadline, StringForm form) {
  assign(Keyspace::plan_string(value, form), value, deadline.applied_to(deadline_ms()));
}

void StringValue::set_integer(int64_t number) {
  if (is_integer() && integer_width(number) <= entry().value_bytes()) {
    slot_->item()->set_integer(number);
    return;
  }
  assign(Keyspace::plan_integer(number), Bytes(), deadline_ms());
}

void StringValue::set_integer(int64_t number, DeadlineRule deadline) {
  const int64_t old_deadline_ms = deadline_ms();
  const int64_t new_deadline_ms = deadline.applied_to(old_deadline_ms);
  const bool both_expire = old_deadline_ms != kNoDeadline && new_deadline_ms != kNoDeadline;
  if (!both_expire || !is_integer() || integer_width(number) > entry().value_bytes()) {
    return assign(Keyspace::plan_integer(number), Bytes(), new_deadline_ms);
  }
  // A counter in use, as rate limits are: nothing of the layout changes.
  Entry* entry = slot_->item();
  entry->set_integer(number);
  if (new_deadline_ms == old_deadline_ms) return;
  entry->set_deadline_ms(new_deadline_ms);
  keyspace_->note_deadline(key_.hash, old_deadline_ms, new_deadline_ms, now_ms_);
}

bool StringValue::append(Bytes tail, size_t size_max) {
  const size_t old_size = size();
  if (old_size > size_max || tail.size() > size_max - old_size) return false;
  if (!exists()) {
    assign(tail);
    return true;
  }
  char* text = resize_for_edit(old_size + tail.size());
  if (!tail.empty()) std::memcpy(text + old_size, tail.data(), tail.size());
  return true;
}

bool StringValue::set_range(size_t offset, Bytes patch, size_t size_max) {
  if (patch.empty()) return true;
  if (offset > size_max || patch.size() > size_max - offset) return false;
  char* text = mutable_bytes(offset + patch.size());
  std::memcpy(text + offset, patch.data(), patch.size());
  return true;
}

char* StringValue::mutable_bytes(size_t size_min) {
  const size_t old_size = size();
  const size_t new_size = std::max(old_size, size_min);
  char* text = resize_for_edit(new_size);
  std::memset(text + old_size, 0, new_size - old_size);
  return text;
}

char* StringValue::overwrite_bytes(size_t size) { return resize_for_edit(size, Room::kExact); }

char* StringValue::resize_for_edit(size_t size, Room room) {
  if (!exists()) assign(Bytes(), DeadlineRule::none(), StringForm::kEdited);
  if (is_integer()) {
    const StringText digits(number());
    assign(digits, DeadlineRule::keep(), StringForm::kEdited);
  }
  if (size > kEmbedBytesMax || entry().encoding() == Encoding::kBlob) return resize_in_blob(size, room);
  EntryShape shape = entry().shape();
  shape.encoding = Encoding::kEmbeddedEdited;
  shape.value_bytes = size;
  return keyspace_->reshape(slot_, shape)->mutable_value();
}

char* StringValue::resize_in_blob(size_t size, Room room) {
  const bool has_blob = entry().encoding() == Encoding::kBlob;
  const bool keeps_room = room == Room::kToGrow || (has_blob && entry().blob()->suits(size));
  if (has_blob && !entry().blob()->is_shared() && size <= entry().blob()->capacity() && keeps_room) {
    entry().blob()->set_size(size);
    return entry().blob()->data();
  }
  BlobHeap& blobs = keyspace_->store_.blobs_;
  const Bytes old_text = has_blob ? entry().blob()->bytes() : entry().value();
  const bool grows = size > old_text.size() && room == Room::kToGrow;
  Blob* blob = blobs.create(grows ? capacity_for_growth(size) : size);
  std::memcpy(blob->data(), old_text.data(), std::min(size, old_text.size()));
  blob->set_size(size);
  if (has_blob) blobs.release(entry().blob());
  EntryShape shape = entry().shape();
  shape.encoding = Encoding::kBlob;
  shape.value_bytes = sizeof(Blob*);
  keyspace_->reshape(slot_, shape)->set_pointer(blob);
  return blob->data();
}

}  // namespace larder
