// Putting RDB bytes together, in two halves, so that the loop only copies.
//
//   loop    RdbEncoder ──▶ RdbChunk: bytes, and a list of the strings among them that still want their length in front
//   helper  finish_rdb_chunk(): compresses those strings and writes the final bytes
//
// Strings that lie in a blob are not copied at all: the chunk pins them. A pin is given back by destroying or clearing
// the chunk, which must happen on the loop's thread; finishing only reads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "storage/blob.h"

namespace larder {

class RdbChunk {
 public:
  // Bytes that finishing will read, pinned ones included.
  size_t size() const { return bytes_.size() + pinned_bytes_; }
  bool empty() const { return bytes_.empty() && pieces_.empty(); }
  // Keeps the memory. On the loop's thread only.
  void clear();

 private:
  friend class RdbEncoder;
  friend void finish_rdb_chunk(const RdbChunk& chunk, bool compress, Buffer* out, void (*pause)());

  // A string to be written with its length at this place of the bytes.
  struct Piece {
    size_t offset;
    size_t size;
    const char* elsewhere;  // null: the `size` bytes at `offset` are the string itself
  };
  Buffer bytes_;
  std::vector<Piece> pieces_;
  std::vector<BlobPin> pins_;
  size_t pinned_bytes_ = 0;
};

// Appends the final bytes of the chunk to *out. Any thread. Calls `pause` each time when strings of kRdbPauseBytes in all are done:
// 50 to 100 us of compression.
inline constexpr size_t kRdbPauseBytes = 16 * 1024;
void finish_rdb_chunk(const RdbChunk& chunk, bool compress, Buffer* out, void (*pause)() = nullptr);

class RdbEncoder {
 public:
  // Strings up to this size are not worth compressing.
  static constexpr size_t kCompressBytesMin = 21;
  // Longer ones are pinned rather than copied when they lie in a blob.
  static constexpr size_t kPinBytesMin = 16 * 1024;

  // Appends to `chunk`, which outlives the encoder.
  explicit RdbEncoder(RdbChunk& chunk) : chunk_(chunk) {}
  // Of the chunk.
  size_t size() const { return chunk_.size(); }

  void byte(uint8_t value) { chunk_.bytes_.append(static_cast<char>(value)); }
  void raw(Bytes bytes) { chunk_.bytes_.append(bytes); }
  void length(uint64_t value);
  void little_endian(uint64_t value, size_t byte_count);
  void double_bytes(double value);
  // A string: as an integer if it is the text of a small one, else with its length, compressed later if it is long.
  void text(Bytes bytes);
  // The text of a number.
  void text(int64_t number);
  // The same bytes, pinned. Requires: the pin is not empty.
  void pinned_text(BlobPin pin);
  // A string that is a listpack with these elements.
  void listpack(Bytes sequence, size_t count);
  // All that is in another chunk, which is empty then.
  void take(RdbChunk* other);
  // A string of `size` bytes, which the caller writes at the returned place before the next call.
  char* text_room(size_t size);

 private:
  bool small_integer(int64_t number);
  RdbChunk& chunk_;
};

}  // namespace larder
