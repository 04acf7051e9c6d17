#include "server/core/output_queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.h"

namespace larder {
namespace {

// What a piece of a source keeps when an element was larger than that.
constexpr size_t kRefillKeptBytes = 128 * 1024;

}  // namespace

Bytes OutputQueue::view_of(const Piece& piece) {
  if (const auto* chunk = std::get_if<Buffer>(&piece)) return chunk->bytes();
  if (const auto* source = std::get_if<SourcePiece>(&piece)) return source->written.bytes();
  const auto& pinned = std::get<PinnedBytes>(piece);
  return {pinned.data, pinned.size};
}

void OutputQueue::append(Bytes bytes) {
  if (bytes.empty()) return;
  count_appended(bytes.size());
  if (!pieces_.empty()) {
    if (auto* last = std::get_if<Buffer>(&pieces_.back()); last != nullptr) {
      // A chunk begins small, because thousands of clients may get one message each, and doubles up to kChunkBytes.
      const size_t room = std::max(last->free_bytes(), kChunkBytes - std::min(kChunkBytes, last->size()));
      const size_t fits = std::min(bytes.size(), room);
      last->append(bytes.substr(0, fits));
      bytes.remove_prefix(fits);
    }
  }
  if (bytes.empty()) return;
  // Between two pinned pieces usually lies a header of a few bytes, which gets no more than it needs; more chunks of
  // copied bytes are whole ones.
  const bool behind_chunk = !pieces_.empty() && std::holds_alternative<Buffer>(pieces_.back());
  const size_t chunk_bytes = behind_chunk ? kChunkBytes : pieces_.empty() ? kFirstChunkBytes : 0;
  Buffer chunk(std::max(bytes.size(), chunk_bytes));
  chunk.append(bytes);
  pieces_.emplace_back(std::move(chunk));
}

void OutputQueue::append(PinnedBytes pinned) {
  count_appended(pinned.size);
  pinned_bytes_ += pinned.size;
  pieces_.emplace_back(pinned);
}

void OutputQueue::append(std::unique_ptr<ReplySource> source) {
  SourcePiece piece;
  piece.source = std::move(source);
  while (piece.has_more() && piece.written.empty()) piece.refill();
  if (piece.written.empty()) return;
  count_appended(piece.written.size());
  if (piece.source != nullptr) sources_.push_back(piece.source.get());
  pieces_.emplace_back(std::move(piece));
}

void OutputQueue::SourcePiece::refill() {
  const std::string last(written.empty() ? Bytes() : written.bytes().substr(written.size() - 1));
  written.clear();
  written.shrink(kRefillKeptBytes);
  written.append(last);
  ReplyWriter writer(written);
  if (!source->write_some(writer)) source.reset();
}

size_t OutputQueue::owed_bytes() const {
  size_t total = bytes_;
  for (const ReplySource* source : sources_) total += source->held_bytes();
  return total;
}

size_t OutputQueue::stored_bytes() const {
  size_t total = pinned_bytes_;
  if (!pieces_.empty() && std::holds_alternative<PinnedBytes>(pieces_.front())) total -= front_sent_;
  for (const ReplySource* source : sources_) total += source->stored_bytes();
  return total;
}

void OutputQueue::count_appended(size_t bytes) {
  bytes_ += bytes;
  if (holds_.empty()) return;
  holds_.back().bytes += bytes;
  held_bytes_ += bytes;
}

void OutputQueue::hold_until(uint64_t number) {
  if (holds_.empty() || holds_.back().number < number) holds_.push_back({number, 0});
}

bool OutputQueue::release(uint64_t number) {
  size_t count = 0;
  for (; count < holds_.size() && holds_[count].number <= number; ++count) held_bytes_ -= holds_[count].bytes;
  holds_.erase(holds_.begin(), holds_.begin() + static_cast<ptrdiff_t>(count));
  return holds_.empty();
}

size_t OutputQueue::gather(std::span<Bytes> out) const {
  size_t left = sendable_bytes();
  size_t count = 0;
  for (; count < out.size() && count < pieces_.size() && left > 0; ++count) {
    out[count] = view_of(pieces_[count]);
    if (count == 0) out[count].remove_prefix(front_sent_);
    out[count] = out[count].substr(0, left);
    left -= out[count].size();
    // What is behind it has to wait for the rest of it.
    const auto* source = std::get_if<SourcePiece>(&pieces_[count]);
    if (source == nullptr || !source->has_more()) continue;
    const size_t unsent = source->written.size() - (count == 0 ? front_sent_ : 0);
    out[count] = out[count].substr(0, unsent - 1);
    return out[count].empty() ? count : count + 1;
  }
  return count;
}

void OutputQueue::consume(size_t count) {
  LARDER_ASSERT(count <= sendable_bytes());
  bytes_ -= count;
  count += front_sent_;
  front_sent_ = 0;
  while (!pieces_.empty()) {
    const size_t size = view_of(pieces_.front()).size();
    auto* const source = std::get_if<SourcePiece>(&pieces_.front());
    const bool has_more = source != nullptr && source->has_more();
    if (count + has_more < size) {
      front_sent_ = count;
      return;
    }
    if (has_more) {
      LARDER_ASSERT(count + 1 == size);
      source->refill();
      if (!source->has_more()) sources_.erase(sources_.begin());  // the first piece's is the first
      bytes_ += source->written.size() - 1;
      return;
    }
    count -= size;
    if (auto* pinned = std::get_if<PinnedBytes>(&pieces_.front())) {
      pinned_bytes_ -= pinned->size;
      pinned->release(pinned->owner);
    }
    pieces_.pop_front();
  }
}

void OutputQueue::undo_some(size_t steps_max) {
  sources_.clear();
  for (; steps_max > 0 && !pieces_.empty(); --steps_max) {
    if (auto* pinned = std::get_if<PinnedBytes>(&pieces_.front())) pinned->release(pinned->owner);
    pieces_.pop_front();
  }
}

void OutputQueue::clear() {
  for (Piece& piece : pieces_) {
    if (auto* pinned = std::get_if<PinnedBytes>(&piece)) pinned->release(pinned->owner);
  }
  pieces_.clear();
  holds_.clear();
  front_sent_ = 0;
  sources_.clear();
  bytes_ = held_bytes_ = pinned_bytes_ = 0;
}

}  // namespace larder
