// Writing a structure that lies in a hash table (hash_table.h) in pieces: the count, then its items in the order of their
// hashes, as the structure was when this was made.
//
// Changes meanwhile. The walk is a position in the order of the hashes, so "was this item written" is a comparison. An
// item that is about to change or go and was not written is encoded at once, into chunks that go out with the next
// pieces; its name, and that of an item that comes where the walk has not been, is remembered so that the walk leaves it out.
// So a change costs a look-up and the copy of one item, and the memory is in proportion to the changes.
#pragma once

#include <cstdint>
#include <deque>

#include "base/assert.h"
#include "persistence/rdb_codecs.h"
#include "storage/set_structure.h"

namespace larder {

class RdbTablePieces : public RdbPieces {
 public:
  explicit RdbTablePieces(const Structure& structure) : structure_(structure), count_(structure.size()) {}
  ~RdbTablePieces() override { LARDER_ASSERT(names_ == nullptr); }

  bool write(RdbEncoder& out) final {
    const size_t bytes_max = out.size() + kPieceBytes;
    if (!begun_) {
      begun_ = true;
      write_head(out, count_);
    }
    while (!early_.empty() && out.size() < bytes_max) {
      out.take(&early_.front());
      early_.pop_front();
    }
    while (!walked_ && out.size() < bytes_max) {
      position_ = write_some(out, position_);
      walked_ = position_ == 0;
    }
    if (!walked_ || !early_.empty()) return true;
    LARDER_ASSERT(written_ == count_);
    return false;
  }

  void changing() final { changed_ = true; }
  void item_changing(uint64_t hash, const void* item) final {
    if (is_passed(hash)) return;
    if (!remember(name_of(item))) return;
    if (early_.empty() || early_.back().size() >= kPieceBytes) early_.emplace_back();
    const size_t before = early_.back().size();
    RdbEncoder out(early_.back());
    write_item(out, item);
    early_bytes_ += early_.back().size() - before;
    written_++;
  }
  void item_coming(uint64_t hash, Bytes name) final {
    if (!is_passed(hash)) remember(name);
  }
  size_t held_bytes() const final { return early_bytes_ + (names_ != nullptr ? names_->memory_bytes() : 0); }
  void let_go(Store& store) final {
    if (names_ != nullptr) store.dispose(names_);
    names_ = nullptr;
  }

 protected:
  // For write_some(): writes an item that the walk has met, unless it is not its turn.
  void meet(RdbEncoder& out, const void* item) {
    if (changed_) [[unlikely]] {
      const Bytes name = name_of(item);
      const uint64_t hash = hash_bytes(name, structure_.resources().hash_seed);
      // Met before the position: a merge of segments shows an item a second time.
      if (hash < position_ || (names_ != nullptr && names_->contains_hashed(hash, name))) return;
    }
    write_item(out, item);
    written_++;
  }

 private:
  virtual void write_head(RdbEncoder& out, uint64_t count) { out.length(count); }
  // Calls meet() for the items of the next bucket. Returns the position of the one after it; 0 at the end.
  virtual uint64_t write_some(RdbEncoder& out, uint64_t position) = 0;
  virtual void write_item(RdbEncoder& out, const void* item) = 0;
  virtual Bytes name_of(const void* item) const = 0;

  bool is_passed(uint64_t hash) const { return walked_ || hash < position_; }
  // False: it is remembered already.
  bool remember(Bytes name) {
    if (names_ == nullptr) names_ = create_structure<SetStructure>(structure_.resources(), SetForm::kHashtable);
    return names_->add(name);
  }

  const Structure& structure_;
  const uint64_t count_;
  uint64_t written_ = 0;
  uint64_t position_ = 0;  // items with a smaller hash are written
  bool begun_ = false;
  bool walked_ = false;
  bool changed_ = false;
  SetStructure* names_ = nullptr;  // that the walk leaves out
  std::deque<RdbChunk> early_;
  size_t early_bytes_ = 0;
};

}  // namespace larder
