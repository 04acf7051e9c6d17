#include "storage/listpack.h"

#include <cstring>

#include "base/assert.h"

namespace larder {
namespace {

constexpr uint8_t kString32 = 0xf0;
constexpr uint8_t kInt16 = 0xf1;
constexpr uint8_t kInt24 = 0xf2;
constexpr uint8_t kInt32 = 0xf3;
constexpr uint8_t kInt64 = 0xf4;
constexpr char kEndMark = '\xff';

uint8_t byte_at(const char* at, size_t offset = 0) { return static_cast<uint8_t>(at[offset]); }

template <class T>
T load_little(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

template <class T>
char* store_little(char* out, T value) {
  std::memcpy(out, &value, sizeof(value));
  return out + sizeof(value);
}

size_t back_length_bytes(size_t length) {
  size_t bytes = 1;
  for (; length > 127; length >>= 7) bytes++;
  return bytes;
}

char* write_back_length(char* out, size_t length) {
  const size_t bytes = back_length_bytes(length);
  for (size_t i = 0; i < bytes; i++) {
    const auto group = static_cast<uint8_t>((length >> (7 * (bytes - 1 - i))) & 127);
    *out++ = static_cast<char>(i == 0 ? group : group | 128);
  }
  return out;
}

// Encoding, length and content of the element at `at`, without the back length; 0 for a byte that starts none.
struct Head {
  size_t head_bytes = 0;  // encoding and length
  size_t body_bytes = 0;  // content behind them
};

// Reads at most `available` bytes. head_bytes is 0 if it is no element or the head is cut off.
Head read_head(const char* at, size_t available) {
  if (available == 0) return {};
  const uint8_t first = byte_at(at);
  if (first < 0x80) return {1, 0};
  if (first < 0xc0) return {1, first & 0x3fu};
  if (first < 0xe0) return available < 2 ? Head{} : Head{2, 0};
  if (first < 0xf0) return available < 2 ? Head{} : Head{2, (static_cast<size_t>(first & 0x0f) << 8) | byte_at(at, 1)};
  switch (first) {
    case kString32:
      return available < 5 ? Head{} : Head{5, load_little<uint32_t>(at + 1)};
    case kInt16:
      return {1, 2};
    case kInt24:
      return {1, 3};
    case kInt32:
      return {1, 4};
    case kInt64:
      return {1, 8};
    default:
      return {};
  }
}

}  // namespace

// ---- Writing

PackedText::PackedText(Bytes text) : bytes_(text) {
  if (text.empty() || text.size() > kInt64TextBytesMax || !(is_digit(text[0]) || text[0] == '-')) return;
  if (const auto number = parse_int64(text)) {
    is_integer_ = true;
    number_ = *number;
  }
}

size_t PackedText::body_bytes() const {
  if (!is_integer_) {
    const size_t head = bytes_.size() < 64 ? 1 : bytes_.size() < 4096 ? 2 : 5;
    return head + bytes_.size();
  }
  if (number_ >= 0 && number_ <= 127) return 1;
  if (number_ >= -4096 && number_ <= 4095) return 2;
  if (number_ == static_cast<int16_t>(number_)) return 3;
  if (number_ >= -(1 << 23) && number_ < (1 << 23)) return 4;
  if (number_ == static_cast<int32_t>(number_)) return 5;
  return 9;
}

size_t PackedText::total_bytes() const {
  const size_t body = body_bytes();
  return body + back_length_bytes(body);
}

char* PackedText::write(char* out) const {
  const size_t body = body_bytes();
  if (!is_integer_) {
    const size_t size = bytes_.size();
    if (size < 64) {
      *out++ = static_cast<char>(0x80 | size);
    } else if (size < 4096) {
      *out++ = static_cast<char>(0xe0 | (size >> 8));
      *out++ = static_cast<char>(size);
    } else {
      *out++ = static_cast<char>(kString32);
      out = store_little(out, static_cast<uint32_t>(size));
    }
    if (size > 0) std::memcpy(out, bytes_.data(), size);
    return write_back_length(out + size, body);
  }
  const auto bits = static_cast<uint64_t>(number_);
  switch (body) {
    case 1:
      *out++ = static_cast<char>(bits);
      break;
    case 2:
      *out++ = static_cast<char>(0xc0 | ((bits >> 8) & 0x1f));
      *out++ = static_cast<char>(bits);
      break;
    case 3:
      *out++ = static_cast<char>(kInt16);
      out = store_little(out, static_cast<int16_t>(number_));
      break;
    case 4:
      *out++ = static_cast<char>(kInt24);
      out = store_little(out, static_cast<uint16_t>(bits));
      *out++ = static_cast<char>(bits >> 16);
      break;
    case 5:
      *out++ = static_cast<char>(kInt32);
      out = store_little(out, static_cast<int32_t>(number_));
      break;
    default:
      *out++ = static_cast<char>(kInt64);
      out = store_little(out, number_);
  }
  return write_back_length(out, body);
}

// ---- Reading

PackedElement read_packed(const char* at) {
  PackedElement element;
  element.at = at;
  const uint8_t first = byte_at(at);
  size_t body;
  if (first < 0x80) {
    element.is_integer = true;
    element.number = first;
    body = 1;
  } else if (first < 0xc0) {
    element.bytes = Bytes(at + 1, first & 0x3fu);
    body = 1 + element.bytes.size();
  } else if (first < 0xe0) {
    const int number = ((first & 0x1f) << 8) | byte_at(at, 1);
    element.is_integer = true;
    element.number = number >= 4096 ? number - 8192 : number;
    body = 2;
  } else if (first < 0xf0) {
    element.bytes = Bytes(at + 2, (static_cast<size_t>(first & 0x0f) << 8) | byte_at(at, 1));
    body = 2 + element.bytes.size();
  } else if (first == kString32) {
    element.bytes = Bytes(at + 5, load_little<uint32_t>(at + 1));
    body = 5 + element.bytes.size();
  } else {
    element.is_integer = true;
    switch (first) {
      case kInt16:
        element.number = load_little<int16_t>(at + 1);
        body = 3;
        break;
      case kInt24:
        element.number = static_cast<int32_t>((static_cast<uint32_t>(load_little<uint16_t>(at + 1)) << 8) |
                                              (static_cast<uint32_t>(byte_at(at, 3)) << 24)) >>
                         8;
        body = 4;
        break;
      case kInt32:
        element.number = load_little<int32_t>(at + 1);
        body = 5;
        break;
      case kInt64:
        element.number = load_little<int64_t>(at + 1);
        body = 9;
        break;
      default:
        LARDER_UNREACHABLE();
    }
  }
  element.total_bytes = body + back_length_bytes(body);
  return element;
}

PackedElement read_packed_before(const char* end) {
  size_t length = 0;
  const char* at = end;
  for (uint32_t shift = 0;; shift += 7) {
    const uint8_t group = byte_at(--at);
    length |= static_cast<size_t>(group & 127) << shift;
    if (!(group & 128)) break;
  }
  return read_packed(at - length);
}

size_t PackedElement::text_bytes() const {
  if (!is_integer) return bytes.size();
  char scratch[kInt64TextBytesMax];
  return write_int64(scratch, number);
}

bool PackedElement::equals(Bytes text) const {
  if (!is_integer) return bytes == text;
  char scratch[kInt64TextBytesMax];
  return Bytes(scratch, write_int64(scratch, number)) == text;
}

size_t count_packed(Bytes sequence) {
  size_t count = 0;
  const char* end = sequence.data() + sequence.size();
  for (const char* at = sequence.data(); at != end; at = read_packed(at).end()) count++;
  return count;
}

PackedElement packed_at(Bytes sequence, int64_t index) {
  const char* const begin = sequence.data();
  const char* const end = begin + sequence.size();
  if (index >= 0) {
    for (const char* at = begin; at != end; index--) {
      const PackedElement element = read_packed(at);
      if (index == 0) return element;
      at = element.end();
    }
    return {};
  }
  for (const char* at = end; at != begin; index++) {
    const PackedElement element = read_packed_before(at);
    if (index == -1) return element;
    at = element.at;
  }
  return {};
}

PackedElement find_packed(Bytes sequence, Bytes text, size_t step) {
  const PackedText wanted(text);
  const char* const end = sequence.data() + sequence.size();
  size_t skip = 0;
  for (const char* at = sequence.data(); at != end;) {
    const PackedElement element = read_packed(at);
    if (skip == 0) {
      if (wanted.equals(element)) return element;
      // Another writer may keep as a string what could be an integer.
      if (wanted.is_integer() && !element.is_integer && element.bytes == text) return element;
      skip = step;
    }
    skip--;
    at = element.end();
  }
  return {};
}

// ---- From outside

bool validate_packed(Bytes sequence, size_t* count) {
  *count = 0;
  const char* at = sequence.data();
  size_t left = sequence.size();
  while (left > 0) {
    const Head head = read_head(at, left);
    if (head.head_bytes == 0 || head.body_bytes > left - head.head_bytes) return false;
    const size_t body = head.head_bytes + head.body_bytes;
    const size_t back = back_length_bytes(body);
    if (back > left - body) return false;
    if (back == 1) [[likely]] {
      if (byte_at(at, body) != body) return false;
    } else {
      char expected[10];
      write_back_length(expected, body);
      if (std::memcmp(expected, at + body, back) != 0) return false;
    }
    at += body + back;
    left -= body + back;
    (*count)++;
  }
  return true;
}

void write_listpack_header(char (&header)[kListpackHeaderBytes], Bytes sequence, size_t count) {
  LARDER_ASSERT(sequence.size() + kListpackFrameBytes <= UINT32_MAX);
  char* out = store_little(header, static_cast<uint32_t>(sequence.size() + kListpackFrameBytes));
  store_little(out, static_cast<uint16_t>(count < kListpackCountUnknown ? count : kListpackCountUnknown));
}

bool read_listpack_frame(Bytes framed, Bytes* sequence, size_t* count) {
  if (framed.size() < kListpackFrameBytes || framed.back() != kEndMark) return false;
  if (load_little<uint32_t>(framed.data()) != framed.size()) return false;
  *sequence = framed.substr(kListpackHeaderBytes, framed.size() - kListpackFrameBytes);
  if (!validate_packed(*sequence, count)) return false;
  const auto told = load_little<uint16_t>(framed.data() + 4);
  return told == kListpackCountUnknown || told == *count;
}

}  // namespace larder
