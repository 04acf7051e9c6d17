// Packed sequences of small byte strings, in the published listpack format: what a small list, set, hash or sorted set is
// kept as, and a node of a large list or of a stream.
//
//   element:  encoding and length │ bytes or integer │ back length
//
//   0xxxxxxx                            integer 0..127
//   10xxxxxx                            string of up to 63 bytes
//   110xxxxx yyyyyyyy                   integer of 13 bits, two's complement
//   1110xxxx yyyyyyyy                   string of up to 4,095 bytes
//   11110000 length (4, little endian)  string
//   11110001 .. 11110100                integer of 2, 3, 4, 8 bytes, little endian
//
// The back length is the size of what is before it, 7 bits a byte, most significant first, all but the first with the top
// bit set: it is read from its end, so a sequence is walked in both directions. A string that is the canonical text of an
// int64 is kept as the integer; who reads gets the text back.
//
// A sequence here is the elements alone. The format's frame (total size, element count, end mark) exists only in files:
// see kListpackHeaderBytes, write_listpack_frame() and the reader in persistence. Keeping the same elements in memory makes
// saving and loading a copy.
//
// Nothing here allocates or moves: sequences lie in entries and nodes, whose owners make room (see CollectionHandle::splice).
// Everything but validate_listpack() trusts its input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/number_text.h"

namespace larder {

inline constexpr size_t kListpackHeaderBytes = 6;  // total bytes (4), element count (2)
inline constexpr size_t kListpackFrameBytes = 7;   // the same and the end mark
inline constexpr uint16_t kListpackCountUnknown = UINT16_MAX;

// One element where it lies. Valid until the sequence changes.
struct PackedElement {
  const char* at = nullptr;  // first byte
  size_t total_bytes = 0;    // with the back length: the next one is at + total_bytes
  bool is_integer = false;
  int64_t number = 0;  // of an integer
  Bytes bytes;         // of a string

  const char* end() const { return at + total_bytes; }
  // The text; that of an integer is written into `scratch`.
  Bytes text(char (&scratch)[kInt64TextBytesMax]) const {
    return is_integer ? Bytes(scratch, write_int64(scratch, number)) : bytes;
  }
  // Length of the text.
  size_t text_bytes() const;
  bool equals(Bytes text) const;
};

// A text as it is going to be kept: decided once, then measured and written.
class PackedText {
 public:
  explicit PackedText(Bytes text);
  explicit PackedText(int64_t number) : is_integer_(true), number_(number) {}
  bool is_integer() const { return is_integer_; }
  int64_t number() const { return number_; }
  // Size of the whole element.
  size_t total_bytes() const;
  // Writes it; returns its end. Requires: room for total_bytes().
  char* write(char* out) const;
  bool equals(const PackedElement& element) const {
    return is_integer_ == element.is_integer && (is_integer_ ? number_ == element.number : bytes_ == element.bytes);
  }

 private:
  size_t body_bytes() const;
  bool is_integer_ = false;
  int64_t number_ = 0;
  Bytes bytes_;
};

// The element that starts at `at`.
PackedElement read_packed(const char* at);
// The element that ends where `end` points. Requires: it is not the beginning of the sequence.
PackedElement read_packed_before(const char* end);

// for (const PackedElement& element : PackedRange(sequence)) ...
class PackedRange {
 public:
  explicit PackedRange(Bytes sequence) : begin_(sequence.data()), end_(sequence.data() + sequence.size()) {}
  class Iterator {
   public:
    Iterator(const char* at, const char* end) : end_(end) { load(at); }
    const PackedElement& operator*() const { return element_; }
    const PackedElement* operator->() const { return &element_; }
    Iterator& operator++() {
      load(element_.end());
      return *this;
    }
    bool operator!=(const Iterator& other) const { return element_.at != other.element_.at; }
    bool operator==(const Iterator& other) const { return element_.at == other.element_.at; }

   private:
    void load(const char* at) {
      if (at == end_) {
        element_ = {};
        element_.at = at;
      } else {
        element_ = read_packed(at);
      }
    }
    PackedElement element_;
    const char* end_;
  };
  Iterator begin() const { return Iterator(begin_, end_); }
  Iterator end() const { return Iterator(end_, end_); }

 private:
  const char* begin_;
  const char* end_;
};

size_t count_packed(Bytes sequence);
// The element at `index` from the front (0) or, negative, from the back (-1). `at` is null if there is none. Linear.
PackedElement packed_at(Bytes sequence, int64_t index);
// The first element equal to `text` among those at 0, step, 2 * step ...; `at` is null if there is none.
PackedElement find_packed(Bytes sequence, Bytes text, size_t step = 1);

// Whether the bytes are a whole number of well-formed elements; *count is how many. For bytes from outside: reads nothing
// beyond them, whatever they are. Accepts non-canonical encodings that other writers may produce.
bool validate_packed(Bytes sequence, size_t* count);

// The frame around a sequence in files: writes the header into `header`; the end mark is one byte 0xff.
void write_listpack_header(char (&header)[kListpackHeaderBytes], Bytes sequence, size_t count);
// The sequence inside a framed listpack from outside, checked as a whole. False: it is malformed.
bool read_listpack_frame(Bytes framed, Bytes* sequence, size_t* count);

}  // namespace larder
