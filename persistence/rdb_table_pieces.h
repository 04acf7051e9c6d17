// Writing a structure that lies in a hash table (hash_table.h) in pieces: the count, then its items in the order of their
// hashes.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "persistence/rdb_codecs.h"

namespace larder {

class RdbTablePieces : public RdbPieces {
 public:
  explicit RdbTablePieces(uint64_t count) : count_(count) {}

  bool write(RdbEncoder& out) final {
    const size_t bytes_max = out.size() + kPieceBytes;
    if (!begun_) {
      begun_ = true;
      write_head(out, count_);
    }
    do {
      position_ = write_some(out, position_);
    } while (position_ != 0 && out.size() < bytes_max);
    if (position_ != 0) return true;
    LARDER_ASSERT(written_ == count_);
    return false;
  }

 protected:
  // One item was written.
  void count_written() { written_++; }

 private:
  virtual void write_head(RdbEncoder& out, uint64_t count) { out.length(count); }
  // Writes the items of the next bucket. Returns where the one after it is; 0 at the end.
  virtual uint64_t write_some(RdbEncoder& out, uint64_t position) = 0;

  uint64_t count_;
  uint64_t written_ = 0;
  uint64_t position_ = 0;
  bool begun_ = false;
};

}  // namespace larder
