// Writing a structure that lies in a hash table (hash_table.h) in pieces: the count, then its items in the order of their
// hashes, as the structure was when this was made.
//
// Changes meanwhile: what the walk (storage/table_walk.h) wants to be read early is encoded into chunks that go out with the next
// pieces. So a change costs a look-up and the copy of one item.
#pragma once

#include <cstdint>
#include <deque>

#include "persistence/rdb_codecs.h"
#include "storage/table_walk.h"

namespace larder {

class RdbTablePieces : public RdbPieces {
 public:
  explicit RdbTablePieces(const Structure& structure) : walk_(structure) {}

  bool write(RdbEncoder& out) final {
    const size_t bytes_max = out.size() + kPieceBytes;
    if (!begun_) {
      begun_ = true;
      write_head(out, walk_.count());
    }
    while (!early_.empty() && out.size() < bytes_max) {
      out.take(&early_.front());
      early_.pop_front();
    }
    const uint64_t left_out_max = walk_.left_out() + TableWalk::kLeftOutMax;
    while (!walk_.is_over() && out.size() < bytes_max && walk_.left_out() < left_out_max) {
      walk_.advance(write_some(out, walk_.position()));
    }
    if (!walk_.is_over() || !early_.empty()) return true;
    walk_.check_complete();
    return false;
  }

  void changing() final { walk_.changing(); }
  void item_changing(uint64_t hash, const void* item) final {
    if (!walk_.reads_early(hash, name_of(item))) return;
    if (early_.empty() || early_.back().size() >= kPieceBytes) early_.emplace_back();
    const size_t before = early_.back().size();
    RdbEncoder out(early_.back());
    write_item(out, item);
    early_bytes_ += early_.back().size() - before;
  }
  void item_coming(uint64_t hash, Bytes name) final { walk_.item_coming(hash, name); }
  size_t held_bytes() const final { return early_bytes_ + walk_.held_bytes(); }
  void let_go(Store& store) final { walk_.let_go(store); }

 protected:
  // For write_some(): writes an item that the walk has met, unless it is not its turn.
  void meet(RdbEncoder& out, const void* item) {
    if (walk_.reads([&] { return name_of(item); })) write_item(out, item);
  }

 private:
  virtual void write_head(RdbEncoder& out, uint64_t count) { out.length(count); }
  // Calls meet() for the items of the next bucket. Returns the position of the one after it; 0 at the end.
  virtual uint64_t write_some(RdbEncoder& out, uint64_t position) = 0;
  virtual void write_item(RdbEncoder& out, const void* item) = 0;
  virtual Bytes name_of(const void* item) const = 0;

  TableWalk walk_;
  bool begun_ = false;
  std::deque<RdbChunk> early_;
  size_t early_bytes_ = 0;
};

}  // namespace larder
