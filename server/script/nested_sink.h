#pragma once

// What a command called by a script answers, beyond the bytes in the buffer: large values stay where they are until Lua has
// its copy (MGET of one value a hundred times copies none of them), and a large collection is written up to the limit of the
// script's memory, which its Lua value could not pass either.

#include <cstddef>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "protocol/reply_source.h"
#include "protocol/reply_writer.h"

namespace larder {

// The bytes belong into the reply at `offset` of the buffer.
struct NestedPin {
  size_t offset;
  PinnedBytes pinned;
};

class NestedSink final : public PinnedSink {
 public:
  // Borrows the buffer that the replies are written into.
  explicit NestedSink(Buffer& buffer) : buffer_(buffer) {}
  ~NestedSink() override { clear(); }

  // Before a reply in that protocol.
  void begin(uint8_t protocol, size_t bytes_max) {
    clear();
    is_cut_ = false;
    protocol_ = protocol;
    bytes_max_ = bytes_max;
  }
  // The buffer does not hold the whole reply, or holds too much.
  bool exceeded() const { return is_cut_ || buffer_.size() > bytes_max_; }
  const std::vector<NestedPin>& pins() const { return pins_; }
  // Lets go of the values.
  void clear() {
    if (!pins_.empty()) [[unlikely]]
      release();
  }

  void pin(size_t offset, PinnedBytes pinned) override { pins_.push_back({offset, pinned}); }
  void source(size_t, std::unique_ptr<ReplySource> source) override {
    ReplyWriter out(buffer_, protocol_);
    while (source->write_some(out)) {
      if (buffer_.size() <= bytes_max_) continue;
      is_cut_ = true;
      return;
    }
  }
  void shift(size_t from_offset, ptrdiff_t by_bytes) override {
    for (NestedPin& pin : pins_) {
      if (pin.offset >= from_offset) pin.offset += static_cast<size_t>(by_bytes);
    }
  }

 private:
  void release() {
    for (const NestedPin& pin : pins_) {
      if (pin.pinned.release != nullptr) pin.pinned.release(pin.pinned.owner);
    }
    pins_.clear();
  }

  Buffer& buffer_;
  std::vector<NestedPin> pins_;
  size_t bytes_max_ = 0;
  uint8_t protocol_ = 2;
  bool is_cut_ = false;
};

}  // namespace larder
