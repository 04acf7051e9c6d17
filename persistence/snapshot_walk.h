// The walk of a snapshot: every entry that was there when it began, exactly once, as it was then, while commands go on.
//
//   database 0   ▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░   in the order of the hash: ▓ passed, ░ not reached
//   database 1   ░░░░░░░░░░░░░░░░░░░░░░
//
// Three rules, kept through the store's guard (storage/change_guard.h):
//   - an entry that is about to change and was not reached is handed to the sink first, and marked;
//   - an entry that is new where the walk has not been is marked;
//   - the walk hands on what has no mark, and takes marks away.
// So no memory is needed for what was done early: the mark is two bits in the entry, and whether the walk has passed an
// entry is a comparison of its hash with a position. A large entry is not handed on but held: its structure gets a guard of its
// own (storage/structure.h), and is taken in pieces at the end, as it was. Databases that are flushed meanwhile are kept and walked to their
// end; databases that change places take their positions along.
//
// A mark is the number of its walk, 1 to 3. A walk that is given up leaves marks behind; sweep() takes them away before
// the number comes round again.
//
// Rejected: a fork (a stall in proportion to the page table, and up to twice the memory), a version number in each entry
// (8 bytes), a set of the keys written early (memory in proportion to the writes).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "storage/change_guard.h"
#include "storage/keyspace.h"

namespace larder {

// Takes the entries of a snapshot. `db` is the number that an entry's database had when the walk began.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  // Takes an entry as a whole. It is valid during the call.
  virtual void entry(int db, const Entry& entry) = 0;

  // ---- Large entries: kept as they are now, and taken in pieces when all others are taken.
  virtual bool is_large(const Entry& entry) const = 0;
  // Installs a guard in the entry's structure, which sees all changes from now on (HeldEntries).
  virtual void hold(int db, const Entry& entry) = 0;
  // The structure, which has a guard, is about to change: tells it. Takes all of it if too much memory is held.
  virtual void changing_held(Structure& structure) = 0;
  // Takes a piece of what is held. False: nothing is held any more.
  virtual bool take_some_held() = 0;
};

class SnapshotWalk final : public ChangeGuard {
 public:
  // Begins at once: `sink` gets the entries that are in the store now. Both outlive the walk. `mark` is 1, 2 or 3, and
  // no entry has it. Installs itself as the guard of the store until it is done or destroyed.
  SnapshotWalk(Store& store, SnapshotSink& sink, uint8_t mark);
  ~SnapshotWalk() override;

  // Walks a few entries on, or hands on a piece of a large one. False when everything was handed on.
  bool step();
  bool done() const { return done_; }
  // Entries that were in the store at the beginning, and how many of them are handed on.
  uint64_t keys_total() const { return keys_total_; }
  uint64_t keys_done() const { return keys_done_; }
  // Flushed databases that the walk has kept and needs no more: the caller frees them.
  std::vector<FlushedKeyspace> take_released() { return std::exchange(released_, {}); }
  // Ends without handing on the rest. The marks stay: see sweep_snapshot_marks().
  void abandon();

  void changing(Keyspace& keyspace, Entry& entry) override;
  void added(Keyspace& keyspace, Entry& entry) override;
  void flushed(Keyspace& keyspace, FlushedKeyspace& flushed) override;
  void swapping(Keyspace& a, Keyspace& b) override;

 private:
  enum class State : uint8_t { kWaiting, kWalking, kDone };
  // A table on the walk's list.
  struct Source {
    int db = 0;                           // what it was called at the beginning
    Keyspace* keyspace = nullptr;         // null: in `kept`
    std::optional<FlushedKeyspace> kept;  // after a flush
    State state = State::kWaiting;
    uint64_t position = 0;  // kWalking: entries with a smaller hash are done
  };

  Source* source_of(Keyspace& keyspace);
  bool is_passed(const Source& source, const Entry& entry) const;
  void walk_some(Source& source);
  uint64_t collect(const Source& source, uint64_t position);
  void visit(const Source& source, Entry& entry);
  void hand_on(const Source& source, const Entry& entry);
  void release_kept(Source& source);

  Store& store_;
  SnapshotSink& sink_;
  const uint8_t mark_;
  // In the order in which they are walked. By pointer: a source keeps its place.
  std::vector<std::unique_ptr<Source>> sources_;
  size_t current_ = 0;
  std::vector<Entry*> window_;  // of walk_some()
  std::vector<Entry*> ahead_;
  std::vector<FlushedKeyspace> released_;
  uint64_t keys_total_ = 0;
  uint64_t keys_done_ = 0;
  bool done_ = false;
};

// Takes the marks of walks that were given up out of the store, piece by piece.
class SnapshotMarkSweep {
 public:
  explicit SnapshotMarkSweep(Store& store) : store_(store) {}
  // Looks at a few entries. False when all were looked at.
  bool step();

 private:
  Store& store_;
  int db_ = 0;
  uint64_t position_ = 0;
};

}  // namespace larder
