// Large entries of a snapshot, whose value is written later and in pieces: as they were when they were added, whatever becomes
// of key and value meanwhile.
//
//   entry ── head (key, deadline, access) is copied when it is added
//     └─ Structure ◀──guard── HeldEntry ── RdbPieces: walks the structure, and is told of changes before they happen
//
// The structure may be changed, get another key, or lose its key: one that nobody needs any more is left to its guards, the
// last of which disposes of it at its end. What a change costs is bounded: see RdbTablePieces (an item is written early), ListStructure::freeze()
// (a node is copied) and StreamPieces (the same). What all that takes in memory is counted: held_bytes().
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "persistence/rdb_writer.h"
#include "storage/keyspace.h"
#include "storage/structure.h"

namespace larder {

class HeldEntry final : public StructureGuard {
 public:
  // Requires: the entry's value is a structure that no snapshot guards. `total_bytes` is kept up to date; all outlive this.
  HeldEntry(Store& store, const RdbWriter& writer, int db, const Entry& entry, size_t* total_bytes);
  // Lets go, finished or not.
  ~HeldEntry() override;
  HeldEntry(const HeldEntry&) = delete;
  HeldEntry& operator=(const HeldEntry&) = delete;

  int db() const { return db_; }
  bool begun() const { return begun_; }
  const Structure* structure() const { return structure_; }
  // Appends another piece, the head first. False: that was the last one.
  [[nodiscard]] bool write(RdbEncoder& out);

  bool is_snapshot() const override { return true; }
  void changing() override;
  void item_changing(uint64_t hash, const void* item) override;
  void item_coming(uint64_t hash, Bytes name) override;

 private:
  void count_bytes();

  Store& store_;
  const RdbWriter& writer_;
  const int db_;
  const RdbEntryHead head_;
  Structure* const structure_;
  std::unique_ptr<RdbPieces> pieces_;
  size_t* const total_bytes_;
  size_t bytes_ = 0;  // this one's part of the total
  bool begun_ = false;
};

// Those of one snapshot, in the order in which they are written.
class HeldEntries {
 public:
  HeldEntries(Store& store, const RdbWriter& writer) : store_(store), writer_(writer) {}

  void add(int db, const Entry& entry) {
    held_.push_back(std::make_unique<HeldEntry>(store_, writer_, db, entry, &bytes_));
  }
  bool empty() const { return held_.empty(); }
  // Bytes of memory taken because of changes.
  size_t held_bytes() const { return bytes_; }
  // Requires: !empty().
  HeldEntry& front() { return *held_.front(); }
  void pop_front() { held_.pop_front(); }
  // Makes the entry of this structure the front. Requires: it is held, and the front has not begun.
  void bring_to_front(const Structure* structure);
  void clear() { held_.clear(); }

 private:
  Store& store_;
  const RdbWriter& writer_;
  size_t bytes_ = 0;
  std::deque<std::unique_ptr<HeldEntry>> held_;
};

}  // namespace larder
