// Writing a structure that lies in a hash table (hash_table.h) in pieces, as it was when this was made: for a snapshot, and for
// a reply that is written while it is sent.
//
//   items in the order of their hashes (table_walk.h) ───────────────▶ piece ──▶ piece ──▶ ...
//   items that change before their turn ──▶ chunks, written early ──────┘
//
// Before an item changes or goes that the walk wants read, it is encoded into chunks of its own, which go out with the next
// piece. So a change costs a look-up and the copy of one item, and memory is in proportion to the changes.
//
// What an item looks like is the derived class's business, where it is written to is the parameter's:
//
//   struct Encoding {
//     using Chunk = ...;                                  // bytes, with size() and a constructor without arguments
//     using Output = ...;                                 // Output(chunk) appends to a chunk
//     static constexpr size_t kPieceBytes = ...;          // about what a piece adds
//     static size_t size(const Output& out);              // of what was written there so far
//     static void append(Output& out, Chunk& chunk);      // all of the chunk, which is dropped afterwards
//   };
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/bytes.h"
#include "storage/keyspace.h"
#include "storage/structure.h"
#include "storage/table_walk.h"

namespace larder {

template <class Encoding>
class TablePieces {
 public:
  using Output = typename Encoding::Output;
  using Chunk = typename Encoding::Chunk;

  explicit TablePieces(const Structure& structure) : walk_(structure) {}
  virtual ~TablePieces() = default;

  // Of the items, when this was made.
  uint64_t item_count() const { return walk_.count(); }
  // Appends another piece. False: that was the last one.
  [[nodiscard]] bool write_piece(Output& out) {
    const size_t bytes_max = Encoding::size(out) + Encoding::kPieceBytes;
    while (!early_.empty() && Encoding::size(out) < bytes_max) {
      early_bytes_ -= early_.front().size();
      Encoding::append(out, early_.front());
      early_.pop_front();
    }
    const uint64_t left_out_max = walk_.left_out() + TableWalk::kLeftOutMax;
    while (!walk_.is_over() && Encoding::size(out) < bytes_max && walk_.left_out() < left_out_max) {
      walk_.advance(walk_some(out, walk_.position()));
    }
    if (!walk_.is_over() || !early_.empty()) return true;
    walk_.check_complete();
    return false;
  }

  // ---- What a StructureGuard is told
  void note_change() { walk_.changing(); }
  void write_early(uint64_t hash, const void* item) {
    if (!walk_.reads_early(hash, name_of(item))) return;
    if (early_.empty() || early_.back().size() >= Encoding::kPieceBytes) early_.emplace_back();
    const size_t before = early_.back().size();
    Output out(early_.back());
    write_item(out, item);
    early_bytes_ += early_.back().size() - before;
  }
  void leave_out(uint64_t hash, Bytes name) { walk_.item_coming(hash, name); }

  // Memory that was taken because of changes: of the chunks, and of the names.
  size_t early_bytes() const { return early_bytes_; }
  size_t name_bytes() const { return walk_.held_bytes(); }
  // Before this is destroyed. The structure is not needed for it.
  void let_go_of_names(Store& store) { walk_.let_go(store); }

 protected:
  // For walk_some(): writes an item that the walk has met, unless it is not its turn.
  void meet(Output& out, const void* item) {
    if (walk_.reads([&] { return name_of(item); })) write_item(out, item);
  }

 private:
  // Calls meet() for the items of the next bucket. Returns the position of the one after it; 0 at the end.
  virtual uint64_t walk_some(Output& out, uint64_t position) = 0;
  virtual void write_item(Output& out, const void* item) const = 0;
  virtual Bytes name_of(const void* item) const = 0;

  TableWalk walk_;
  std::deque<Chunk> early_;
  size_t early_bytes_ = 0;
};

}  // namespace larder
