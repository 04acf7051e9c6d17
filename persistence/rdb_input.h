// Reading RDB bytes that nobody vouches for: a file or a payload in memory, through a window.
//
// The first error is latched with the offset where it was found; after it every call answers false, so that a codec may
// check once per value. Nothing is allocated by a length that the input claims: a string longer than what is left of the
// input is an error before a byte of memory is asked for, and a compressed one may claim no more than its bytes can
// stand for.
//
// What was read is added to the checksum a window at a time. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// A string of the input and the memory it may need. The bytes are good until the next use of the same object, or, when
// they lie in the window, until the next read: see RdbInput::text().
class RdbText {
 public:
  Bytes bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  // Makes the bytes good until the next use of this object, whatever is read meanwhile.
  void keep();

 private:
  friend class RdbInput;
  Bytes bytes_;
  Buffer own_;
};

class RdbInput {
 public:
  // A payload. The bytes outlive the input.
  explicit RdbInput(Bytes payload);
  // The rest of a file from `offset` on, `end_offset` being where it ends. The file outlives the input.
  RdbInput(File& file, uint64_t offset, uint64_t end_offset);

  // ---- Position
  uint64_t offset() const { return window_offset_ + static_cast<uint64_t>(at_ - begin_); }
  uint64_t bytes_left() const { return static_cast<uint64_t>(end_ - at_) + (file_end_ - file_at_); }

  // What can be looked at without reading from the file.
  Bytes ahead() const { return Bytes(at_, static_cast<size_t>(end_ - at_)); }

  // ---- Errors
  bool ok() const { return !failed_; }
  // Latches an error, if it is the first. Always false.
  bool fail(ErrorCode code, Bytes what);
  bool corrupt(Bytes what) { return fail(ErrorCode::kCorruption, what); }
  // The latched error, its offset in the text. Requires: !ok().
  const Error& error() const { return error_; }
  uint64_t error_offset() const { return error_offset_; }

  // ---- Parts. False, with the error latched, when they are not there.
  bool byte(uint8_t* value) {
    if (!need(1)) return false;
    *value = static_cast<uint8_t>(*at_++);
    return true;
  }
  bool little_endian(size_t byte_count, uint64_t* value);
  bool double_bytes(double* value);
  // A plain length; one of the string encodings in its place is an error.
  bool length(uint64_t* value);
  // The same, no larger than `max`: for counts of items that each take at least one byte, bytes_left() is a bound.
  bool count(uint64_t* value);
  // `size` bytes as they are: good until the next read.
  bool raw(size_t size, Bytes* bytes);
  // A string in any encoding. In an object of its own it stays good until the next read; call keep() to have it longer.
  bool text(RdbText* text);
  // Skips a string.
  bool skip_text();

  // Called each time that more of the file is read (256 KiB), in the middle of whatever is being read, and by who works
  // longer on what was read; null: by nobody.
  std::function<void()> on_progress;

  // ---- Checksum
  // Of everything read so far.
  uint64_t checksum();

 private:
  static constexpr size_t kWindowBytes = 256 * 1024;

  // Makes `size` bytes available in the window. Requires: size <= kWindowBytes.
  bool need(size_t size) { return static_cast<size_t>(end_ - at_) >= size || refill(size); }
  bool refill(size_t size);
  bool length_or_encoding(uint64_t* value, bool* is_encoding);
  // Copies `size` bytes that need not fit the window. Requires: size <= bytes_left().
  bool copy(size_t size, char* out);
  bool take(uint64_t size, RdbText* text);
  bool integer_text(uint64_t encoding, RdbText* text);
  bool packed_text(RdbText* text);
  void sum_up();

  File* file_ = nullptr;
  uint64_t file_at_ = 0;
  uint64_t file_end_ = 0;
  Buffer window_;
  Buffer packed_;  // a compressed string that was too long for the window
  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const char* summed_ = nullptr;
  uint64_t window_offset_ = 0;  // of begin_
  uint64_t checksum_ = 0;
  bool failed_ = false;
  Error error_;
  uint64_t error_offset_ = 0;
};

}  // namespace larder
