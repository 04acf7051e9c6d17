#include "server/core/output_queue.h"

#include <algorithm>

#include "base/assert.h"

namespace larder {

Bytes OutputQueue::view_of(const Piece& piece) {
  if (const auto* chunk = std::get_if<Buffer>(&piece)) return chunk->bytes();
  const auto& pinned = std::get<PinnedBytes>(piece);
  return {pinned.data, pinned.size};
}

void OutputQueue::append(Bytes bytes) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  if (!pieces_.empty()) {
    if (auto* last = std::get_if<Buffer>(&pieces_.back()); last != nullptr) {
      const size_t fits = std::min(bytes.size(), last->free_bytes());
      last->append(bytes.substr(0, fits));
      bytes.remove_prefix(fits);
    }
  }
  if (bytes.empty()) return;
  // Between two pinned pieces usually lies a header of a few bytes: a whole chunk each would double what large values
  // hold. More that comes gets a whole chunk.
  const bool behind_chunk = pieces_.empty() || std::holds_alternative<Buffer>(pieces_.back());
  Buffer chunk(behind_chunk ? std::max(bytes.size(), kChunkBytes) : bytes.size());
  chunk.append(bytes);
  pieces_.emplace_back(std::move(chunk));
}

void OutputQueue::append(PinnedBytes pinned) {
  bytes_ += pinned.size;
  pieces_.emplace_back(pinned);
}

size_t OutputQueue::gather(std::span<Bytes> out) const {
  const size_t count = std::min(out.size(), pieces_.size());
  for (size_t i = 0; i < count; ++i) {
    out[i] = view_of(pieces_[i]);
    if (i == 0) out[i].remove_prefix(front_sent_);
  }
  return count;
}

void OutputQueue::consume(size_t count) {
  LARDER_ASSERT(count <= bytes_);
  bytes_ -= count;
  count += front_sent_;
  front_sent_ = 0;
  while (!pieces_.empty()) {
    const size_t size = view_of(pieces_.front()).size();
    if (count < size) {
      front_sent_ = count;
      return;
    }
    count -= size;
    if (auto* pinned = std::get_if<PinnedBytes>(&pieces_.front())) pinned->release(pinned->owner);
    pieces_.pop_front();
  }
}

void OutputQueue::clear() {
  for (Piece& piece : pieces_) {
    if (auto* pinned = std::get_if<PinnedBytes>(&piece)) pinned->release(pinned->owner);
  }
  pieces_.clear();
  front_sent_ = 0;
  bytes_ = 0;
}

}  // namespace larder
