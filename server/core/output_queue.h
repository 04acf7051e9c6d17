#pragma once

// What one client is owed beyond the tick: bytes that its socket did not take, and pieces that other clients' commands
// send it (messages, invalidations).
//
// The queue is a list of pieces in sending order. A piece is either an owned chunk, to which later bytes are appended,
// or a pinned reference to bytes that lie elsewhere (a large value, a message shared by many receivers), released when
// they are sent. A client that is up to date has no queue at all: see Client::queue().
//
// Cost: one allocation per kChunkBytes of copied bytes, one per pinned piece; gather() and consume() are linear in the
// pieces that they touch.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <variant>

#include "base/buffer.h"
#include "base/bytes.h"
#include "protocol/reply_writer.h"

namespace larder {

class OutputQueue {
 public:
  static constexpr size_t kChunkBytes = 16 * 1024;

  OutputQueue() = default;
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;
  ~OutputQueue() { clear(); }

  bool empty() const { return pieces_.empty(); }
  // Bytes still to be sent, pinned ones included.
  size_t bytes() const { return bytes_; }
  size_t piece_count() const { return pieces_.size(); }

  void append(Bytes bytes);
  // Takes over the reference that `pinned` holds.
  void append(PinnedBytes pinned);

  // Views of the first pieces in sending order, at most out.size(); returns how many were filled. Valid until the next
  // call that changes the queue.
  size_t gather(std::span<Bytes> out) const;
  // Drops the first `count` bytes. Requires: count <= bytes().
  void consume(size_t count);
  void clear();

 private:
  using Piece = std::variant<Buffer, PinnedBytes>;
  static Bytes view_of(const Piece& piece);

  std::deque<Piece> pieces_;
  size_t front_sent_ = 0;  // bytes of the first piece that are sent already
  size_t bytes_ = 0;
};

}  // namespace larder
