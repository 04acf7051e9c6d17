#include "persistence/rdb_encoder.h"

#include <cstring>
#include <utility>

#include "base/number_text.h"
#include "persistence/lzf.h"
#include "persistence/rdb_format.h"
#include "storage/listpack.h"

namespace larder {
namespace {

constexpr size_t kLengthBytesMax = 9;
// Longer texts are no int32.
constexpr size_t kInt32TextBytesMax = 11;
// LZF has to save at least so much to be written.
constexpr size_t kCompressSavesMin = 4;

char* put_big_endian(char* out, uint64_t value, size_t byte_count) {
  for (size_t i = byte_count; i-- > 0;) *out++ = static_cast<char>(value >> (8 * i));
  return out;
}

char* put_length(char* out, uint64_t value) {
  if (value < (1u << 6)) {
    *out++ = static_cast<char>(value);
    return out;
  }
  if (value < (1u << 14)) {
    *out++ = static_cast<char>(0x40 | (value >> 8));
    *out++ = static_cast<char>(value);
    return out;
  }
  const bool wide = value > UINT32_MAX;
  *out++ = static_cast<char>(wide ? 0x81 : 0x80);
  return put_big_endian(out, value, wide ? 8 : 4);
}

void append_length(Buffer* out, uint64_t value) { out->commit_to(put_length(out->reserve(kLengthBytesMax), value)); }

// The string in its compressed form. False if that would not be shorter.
bool append_packed(Buffer* out, Bytes text) {
  const size_t before = out->size();
  out->reserve(1 + 2 * kLengthBytesMax + text.size());
  // The packed length comes first and is not known yet: pack behind the widest head, then close the gap.
  char* const begin = out->reserve(0);
  char* const packed_at = begin + 1 + 2 * kLengthBytesMax;
  const size_t packed_bytes = lzf_pack(text, packed_at, text.size() - kCompressSavesMin);
  if (packed_bytes == 0) return out->truncate(before), false;
  char* at = begin;
  *at++ = static_cast<char>(0xc0 | kRdbLzf);
  at = put_length(at, packed_bytes);
  at = put_length(at, text.size());
  std::memmove(at, packed_at, packed_bytes);
  out->commit_to(at + packed_bytes);
  return true;
}

void append_text(Buffer* out, Bytes text, bool compress) {
  if (compress && text.size() >= RdbEncoder::kCompressBytesMin && text.size() <= UINT32_MAX &&
      append_packed(out, text)) {
    return;
  }
  append_length(out, text.size());
  out->append(text);
}

}  // namespace

void RdbChunk::clear() {
  bytes_.clear();
  pieces_.clear();
  pins_.clear();
  pinned_bytes_ = 0;
}

void finish_rdb_chunk(const RdbChunk& chunk, bool compress, Buffer* out, void (*pause)()) {
  const Bytes all = chunk.bytes_.bytes();
  size_t done = 0;
  size_t since_pause = 0;
  for (const RdbChunk::Piece& piece : chunk.pieces_) {
    out->append(all.substr(done, piece.offset - done));
    done = piece.offset;
    if (piece.elsewhere != nullptr) {
      append_text(out, Bytes(piece.elsewhere, piece.size), compress);
    } else {
      append_text(out, all.substr(piece.offset, piece.size), compress);
      done += piece.size;
    }
    since_pause += piece.size;
    if (pause != nullptr && since_pause >= kRdbPauseBytes) {
      pause();
      since_pause = 0;
    }
  }
  out->append(all.substr(done));
}

void RdbEncoder::length(uint64_t value) { append_length(&chunk_.bytes_, value); }

void RdbEncoder::little_endian(uint64_t value, size_t byte_count) {
  char* out = chunk_.bytes_.reserve(byte_count);
  for (size_t i = 0; i < byte_count; i++) out[i] = static_cast<char>(value >> (8 * i));
  chunk_.bytes_.commit(byte_count);
}

void RdbEncoder::double_bytes(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  little_endian(bits, sizeof(bits));
}

bool RdbEncoder::small_integer(int64_t number) {
  const auto bits = static_cast<uint64_t>(number);
  if (number == static_cast<int8_t>(number)) {
    byte(0xc0 | kRdbInt8);
    little_endian(bits, 1);
  } else if (number == static_cast<int16_t>(number)) {
    byte(0xc0 | kRdbInt16);
    little_endian(bits, 2);
  } else if (number == static_cast<int32_t>(number)) {
    byte(0xc0 | kRdbInt32);
    little_endian(bits, 4);
  } else {
    return false;
  }
  return true;
}

void RdbEncoder::text(Bytes bytes) {
  if (!bytes.empty() && bytes.size() <= kInt32TextBytesMax && (is_digit(bytes[0]) || bytes[0] == '-')) {
    if (const auto number = parse_int64(bytes); number && small_integer(*number)) return;
  }
  if (bytes.size() < kCompressBytesMin) {
    char* out = put_length(chunk_.bytes_.reserve(kLengthBytesMax + kCompressBytesMin), bytes.size());
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    chunk_.bytes_.commit_to(out + bytes.size());
    return;
  }
  chunk_.pieces_.push_back({chunk_.bytes_.size(), bytes.size(), nullptr});
  raw(bytes);
}

void RdbEncoder::text(int64_t number) {
  if (small_integer(number)) return;
  char digits[kInt64TextBytesMax];
  text(Bytes(digits, write_int64(digits, number)));
}

void RdbEncoder::pinned_text(BlobPin pin) {
  const Bytes bytes = pin.bytes();
  chunk_.pieces_.push_back({chunk_.bytes_.size(), bytes.size(), bytes.data()});
  chunk_.pinned_bytes_ += bytes.size();
  chunk_.pins_.push_back(std::move(pin));
}

void RdbEncoder::take(RdbChunk* other) {
  const size_t offset = chunk_.bytes_.size();
  chunk_.bytes_.append(other->bytes_.bytes());
  for (RdbChunk::Piece piece : other->pieces_) {
    piece.offset += offset;
    chunk_.pieces_.push_back(piece);
  }
  for (BlobPin& pin : other->pins_) chunk_.pins_.push_back(std::move(pin));
  chunk_.pinned_bytes_ += other->pinned_bytes_;
  other->clear();
}

char* RdbEncoder::text_room(size_t size) {
  if (size < kCompressBytesMin) {
    length(size);
  } else {
    chunk_.pieces_.push_back({chunk_.bytes_.size(), size, nullptr});
  }
  char* out = chunk_.bytes_.reserve(size);
  chunk_.bytes_.commit(size);
  return out;
}

void RdbEncoder::listpack(Bytes sequence, size_t count) {
  char header[kListpackHeaderBytes];
  write_listpack_header(header, sequence, count);
  char* out = text_room(sequence.size() + kListpackFrameBytes);
  std::memcpy(out, header, kListpackHeaderBytes);
  if (!sequence.empty()) std::memcpy(out + kListpackHeaderBytes, sequence.data(), sequence.size());
  out[kListpackHeaderBytes + sequence.size()] = static_cast<char>(0xff);
}

}  // namespace larder
