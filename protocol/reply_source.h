// A part of a reply that is written while it is sent: a collection too large to be copied into the output at once.
#pragma once

#include <cstddef>

namespace larder {

class ReplyWriter;

class ReplySource {
 public:
  virtual ~ReplySource() = default;
  // Appends the next piece, some 64 KiB; perhaps nothing, when much was looked at that is not to be written. False: that was
  // the last.
  [[nodiscard]] virtual bool write_some(ReplyWriter& out) = 0;
  // Bytes of memory that are kept for this reply alone.
  virtual size_t held_bytes() const = 0;
  // What of them the store counts as its own, too.
  virtual size_t stored_bytes() const = 0;
};

}  // namespace larder
