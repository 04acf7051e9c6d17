// Writing a structure that lies in a hash table into an RDB, in pieces: the count, then its items (storage/table_pieces.h).
#pragma once

#include <cstdint>

#include "persistence/rdb_codecs.h"
#include "storage/table_pieces.h"

namespace larder {

struct RdbTableEncoding {
  using Chunk = RdbChunk;
  using Output = RdbEncoder;
  static constexpr size_t kPieceBytes = RdbPieces::kPieceBytes;
  static size_t size(const RdbEncoder& out) { return out.size(); }
  static void append(RdbEncoder& out, RdbChunk& chunk) { out.take(&chunk); }
};

class RdbTablePieces : public RdbPieces, public TablePieces<RdbTableEncoding> {
 public:
  explicit RdbTablePieces(const Structure& structure) : TablePieces(structure) {}

  bool write(RdbEncoder& out) final {
    if (!begun_) {
      begun_ = true;
      write_head(out, item_count());
    }
    return write_piece(out);
  }

  void changing() final { note_change(); }
  void item_changing(uint64_t hash, const void* item) final { write_early(hash, item); }
  void item_coming(uint64_t hash, Bytes name) final { leave_out(hash, name); }
  size_t held_bytes() const final { return early_bytes() + name_bytes(); }
  void let_go(Store& store) final { let_go_of_names(store); }

 private:
  virtual void write_head(RdbEncoder& out, uint64_t count) { out.length(count); }

  bool begun_ = false;
};

}  // namespace larder
