#pragma once

// What one client is owed beyond the tick: bytes that its socket did not take, and pieces that other clients' commands
// send it (messages, invalidations).
//
// The queue is a list of pieces in sending order. A piece is either an owned chunk, to which later bytes are appended,
// or a pinned reference to bytes that lie elsewhere (a large value, a message shared by many receivers), released when
// they are sent, or a source (protocol/reply_source.h), of which one piece is written ahead and the next when that is sent. A
// source may find nothing to write for a while, so its last byte is kept back until there are more or it has ended: bytes() is
// never 0 while there is more to come. A client that is up to date has no queue at all: see Client::queue().
//
// Bytes can be held back: what is appended after hold_until(n) is not given out before release(n), nor is anything behind
// it. The log uses this for replies that must not be seen before the change they tell of is on the disk.
//
// A queue whose client goes is dropped in pieces when it is long (core/leftovers.h).
//
// Cost: one allocation per kChunkBytes of copied bytes, one per pinned piece; gather() and consume() are linear in the
// pieces that they touch.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "protocol/reply_source.h"
#include "protocol/reply_writer.h"
#include "server/core/leftovers.h"

namespace larder {

class OutputQueue final : public Leftover {
 public:
  static constexpr size_t kChunkBytes = 16 * 1024;
  static constexpr size_t kFirstChunkBytes = 512;

  OutputQueue() = default;
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;
  ~OutputQueue() override { clear(); }

  bool empty() const { return pieces_.empty(); }
  // Bytes still to be sent, pinned ones included; not what sources have yet to write.
  size_t bytes() const { return bytes_; }
  // These, and what sources keep for themselves: what limits are held against.
  size_t owed_bytes() const;
  // What of them the store counts as its own, too: pinned values, and what sources keep of structures.
  size_t stored_bytes() const;
  size_t piece_count() const { return pieces_.size(); }

  void append(Bytes bytes);
  // Takes over the reference that `pinned` holds.
  void append(PinnedBytes pinned);
  void append(std::unique_ptr<ReplySource> source);

  // Holds back what is appended from now on until release(number), with number at least this. Numbers never fall.
  void hold_until(uint64_t number);
  // Returns true when nothing is held any more.
  bool release(uint64_t number);
  // Bytes that may be sent now.
  size_t sendable_bytes() const { return bytes_ - held_bytes_; }

  // Views of the first pieces in sending order, at most out.size() and without what is held; returns how many were filled.
  // Valid until the next call that changes the queue. None although bytes may be sent: a source looks for more at consume(0),
  // some 100 us at a time.
  size_t gather(std::span<Bytes> out) const;
  // Drops the first `count` bytes. Requires: gather() has given as many.
  void consume(size_t count);
  void clear();

  // As a leftover: nothing is asked of it any more.
  size_t steps_left() const override { return pieces_.size(); }
  void undo_some(size_t steps_max) override;

 private:
  struct SourcePiece {
    // Writes the next bytes, if it finds any now, behind the last one, which is not sent yet.
    void refill();
    bool has_more() const { return source != nullptr; }
    std::unique_ptr<ReplySource> source;  // null at its end
    Buffer written;
  };
  using Piece = std::variant<Buffer, PinnedBytes, SourcePiece>;
  static Bytes view_of(const Piece& piece);
  struct Hold {
    uint64_t number;
    size_t bytes;
  };
  void count_appended(size_t bytes);

  std::deque<Piece> pieces_;
  size_t front_sent_ = 0;  // bytes of the first piece that are sent already
  size_t bytes_ = 0;
  size_t pinned_bytes_ = 0;                  // of the pinned pieces, the part of the first one that is sent included
  std::vector<const ReplySource*> sources_;  // of the pieces, those that have more to write
  std::vector<Hold> holds_;                  // of the last held_bytes_ bytes, in their order
  size_t held_bytes_ = 0;
};

}  // namespace larder
