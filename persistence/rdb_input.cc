#include "persistence/rdb_input.h"

#include <algorithm>
#include <cstring>

#include "base/number_text.h"
#include "persistence/crc64.h"
#include "persistence/lzf.h"
#include "persistence/rdb_format.h"

namespace larder {
namespace {

// Memory for a string that is read in pieces grows by this much at most before the bytes are there.
constexpr size_t kReadAheadBytes = 1024 * 1024;

uint64_t get_big_endian(const char* at, size_t byte_count) {
  uint64_t value = 0;
  for (size_t i = 0; i < byte_count; i++) value = (value << 8) | static_cast<uint8_t>(at[i]);
  return value;
}

}  // namespace

void RdbText::keep() {
  if (!bytes_.empty() && bytes_.data() >= own_.data() && bytes_.data() < own_.data() + own_.size()) return;
  own_.clear();
  own_.append(bytes_);
  bytes_ = own_.bytes();
}

RdbInput::RdbInput(Bytes payload)
    : begin_(payload.data()), at_(begin_), end_(begin_ + payload.size()), summed_(begin_) {}

RdbInput::RdbInput(File& file, uint64_t offset, uint64_t end_offset)
    : file_(&file), file_at_(offset), file_end_(std::max(offset, end_offset)), window_offset_(offset) {
  begin_ = at_ = end_ = summed_ = window_.reserve(kWindowBytes);
}

bool RdbInput::fail(ErrorCode code, Bytes what) {
  if (failed_) return false;
  failed_ = true;
  error_offset_ = offset();
  error_.code = code;
  error_.message = std::string(what) + " at offset " + std::to_string(error_offset_);
  return false;
}

void RdbInput::sum_up() {
  checksum_ = crc64(checksum_, Bytes(summed_, static_cast<size_t>(at_ - summed_)));
  summed_ = at_;
}

uint64_t RdbInput::checksum() {
  sum_up();
  return checksum_;
}

bool RdbInput::refill(size_t size) {
  if (failed_) return false;
  if (size > bytes_left()) return fail(ErrorCode::kTruncated, "the data ends too early");
  LARDER_ASSERT(size <= kWindowBytes && file_ != nullptr);
  if (on_progress) on_progress();
  sum_up();
  const auto rest = static_cast<size_t>(end_ - at_);
  window_offset_ = offset();
  char* const base = window_.mutable_data();
  if (rest > 0) std::memmove(base, at_, rest);
  begin_ = at_ = summed_ = base;
  end_ = base + rest;
  while (static_cast<size_t>(end_ - at_) < size) {
    const size_t room = kWindowBytes - static_cast<size_t>(end_ - base);
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(room, file_end_ - file_at_));
    const Result<size_t> got = file_->read_at(file_at_, base + (end_ - begin_), wanted);
    if (!got) return fail(got.error().code, got.error().message);
    if (*got == 0) return fail(ErrorCode::kTruncated, "the file became shorter while it was read");
    end_ += *got;
    file_at_ += *got;
  }
  return true;
}

bool RdbInput::copy(size_t size, char* out) {
  while (size > 0) {
    if (at_ == end_ && !refill(1)) return false;
    const size_t part = std::min(size, static_cast<size_t>(end_ - at_));
    std::memcpy(out, at_, part);
    at_ += part;
    out += part;
    size -= part;
  }
  return true;
}

bool RdbInput::little_endian(size_t byte_count, uint64_t* value) {
  if (!need(byte_count)) return false;
  *value = 0;
  for (size_t i = 0; i < byte_count; i++) *value |= static_cast<uint64_t>(static_cast<uint8_t>(at_[i])) << (8 * i);
  at_ += byte_count;
  return true;
}

bool RdbInput::double_bytes(double* value) {
  uint64_t bits;
  if (!little_endian(sizeof(bits), &bits)) return false;
  std::memcpy(value, &bits, sizeof(bits));
  return true;
}

bool RdbInput::length_or_encoding(uint64_t* value, bool* is_encoding) {
  uint8_t first;
  if (!byte(&first)) return false;
  *is_encoding = false;
  switch (first >> 6) {
    case 0:
      *value = first;
      return true;
    case 1: {
      uint8_t second;
      if (!byte(&second)) return false;
      *value = (static_cast<uint64_t>(first & 0x3f) << 8) | second;
      return true;
    }
    case 3:
      *is_encoding = true;
      *value = first & 0x3f;
      return true;
    default:
      break;
  }
  if (first != 0x80 && first != 0x81) return corrupt("a length of no known form");
  const size_t byte_count = first == 0x80 ? 4 : 8;
  if (!need(byte_count)) return false;
  *value = get_big_endian(at_, byte_count);
  at_ += byte_count;
  return true;
}

bool RdbInput::length(uint64_t* value) {
  bool is_encoding;
  if (!length_or_encoding(value, &is_encoding)) return false;
  return !is_encoding || corrupt("a string where a length belongs");
}

bool RdbInput::count(uint64_t* value) {
  if (!length(value)) return false;
  return *value <= bytes_left() || corrupt("a count larger than what the rest could hold");
}

bool RdbInput::raw(size_t size, Bytes* bytes) {
  LARDER_ASSERT(size <= kWindowBytes);
  if (!need(size)) return false;
  *bytes = Bytes(at_, size);
  at_ += size;
  return true;
}

// A run of `size` bytes: a view of the window if it fits there, else in the text's own memory.
bool RdbInput::take(uint64_t size, RdbText* text) {
  if (size > bytes_left()) return fail(ErrorCode::kTruncated, "a string longer than the rest of the data");
  if (file_ == nullptr || size <= kWindowBytes) {
    if (!need(size)) return false;
    text->bytes_ = Bytes(at_, size);
    at_ += size;
    return true;
  }
  text->own_.clear();
  while (size > 0) {
    const auto part = static_cast<size_t>(std::min<uint64_t>(size, kReadAheadBytes));
    if (!copy(part, text->own_.reserve(part))) return false;
    text->own_.commit(part);
    size -= part;
  }
  text->bytes_ = text->own_.bytes();
  return true;
}

bool RdbInput::integer_text(uint64_t encoding, RdbText* text) {
  uint64_t bits;
  int64_t number = 0;
  if (encoding == kRdbInt8) {
    if (!little_endian(1, &bits)) return false;
    number = static_cast<int8_t>(bits);
  } else if (encoding == kRdbInt16) {
    if (!little_endian(2, &bits)) return false;
    number = static_cast<int16_t>(bits);
  } else {
    if (!little_endian(4, &bits)) return false;
    number = static_cast<int32_t>(bits);
  }
  text->own_.clear();
  text->own_.commit(write_int64(text->own_.reserve(kInt64TextBytesMax), number));
  text->bytes_ = text->own_.bytes();
  return true;
}

bool RdbInput::packed_text(RdbText* text) {
  uint64_t packed_bytes;
  uint64_t raw_bytes;
  if (!length(&packed_bytes) || !length(&raw_bytes)) return false;
  if (packed_bytes > bytes_left()) return fail(ErrorCode::kTruncated, "a string longer than the rest of the data");
  if (raw_bytes > packed_bytes * kLzfExpansionMax || raw_bytes > UINT32_MAX) {
    return corrupt("a compressed string that claims more than it can hold");
  }
  Bytes packed;
  if (file_ == nullptr || packed_bytes <= kWindowBytes) {
    if (!need(packed_bytes)) return false;
    packed = Bytes(at_, packed_bytes);
    at_ += packed_bytes;
  } else {
    packed_.clear();
    if (!copy(packed_bytes, packed_.reserve(packed_bytes))) return false;
    packed_.commit(packed_bytes);
    packed = packed_.bytes();
  }
  text->own_.clear();
  if (!lzf_unpack(packed, text->own_.reserve(raw_bytes), raw_bytes)) return corrupt("a compressed string is damaged");
  text->own_.commit(raw_bytes);
  text->bytes_ = text->own_.bytes();
  return true;
}

bool RdbInput::text(RdbText* text) {
  uint64_t value;
  bool is_encoding;
  if (!length_or_encoding(&value, &is_encoding)) return false;
  if (!is_encoding) return take(value, text);
  if (value == kRdbLzf) return packed_text(text);
  if (value > kRdbLzf) return corrupt("a string of no known encoding");
  return integer_text(value, text);
}

bool RdbInput::skip_text() {
  RdbText skipped;
  return text(&skipped);
}

}  // namespace larder
