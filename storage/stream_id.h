// The ID of a stream's entry: milliseconds and a sequence number within them, 64 bits each. Written "ms-seq".
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/number_text.h"

namespace larder {

struct StreamId {
  uint64_t ms = 0;
  uint64_t seq = 0;

  friend constexpr auto operator<=>(const StreamId&, const StreamId&) = default;
  constexpr bool is_zero() const { return ms == 0 && seq == 0; }
  // The ID right after and right before. False, and nothing changes, at the end of the range.
  [[nodiscard]] constexpr bool increment();
  [[nodiscard]] constexpr bool decrement();
};

inline constexpr StreamId kStreamIdMin{0, 0};
inline constexpr StreamId kStreamIdMax{UINT64_MAX, UINT64_MAX};
inline constexpr size_t kStreamIdTextBytesMax = 2 * kInt64TextBytesMax + 1;
inline constexpr size_t kStreamIdRawBytes = 16;  // in files: both numbers big endian, so that bytes sort like IDs

// The text of an ID, with the bytes it lies in. Keep it in a local variable while the text is in use.
class StreamIdText {
 public:
  explicit StreamIdText(StreamId id) {
    size_ = write_uint64(text_, id.ms);
    text_[size_++] = '-';
    size_ += write_uint64(text_ + size_, id.seq);
  }
  StreamIdText(const StreamIdText&) = delete;
  StreamIdText& operator=(const StreamIdText&) = delete;
  Bytes bytes() const { return {text_, size_}; }
  operator Bytes() const { return bytes(); }

 private:
  char text_[kStreamIdTextBytesMax];
  size_t size_;
};

void write_raw_stream_id(char (&out)[kStreamIdRawBytes], StreamId id);
// Requires: kStreamIdRawBytes at `raw`.
StreamId read_raw_stream_id(const char* raw);

constexpr bool StreamId::increment() {
  if (*this == StreamId{UINT64_MAX, UINT64_MAX}) return false;
  if (++seq == 0) ms++;
  return true;
}

constexpr bool StreamId::decrement() {
  if (is_zero()) return false;
  if (seq-- == 0) ms--;
  return true;
}

}  // namespace larder
