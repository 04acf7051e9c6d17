// Who wants to see entries before they change: the snapshot walk, which saves what it has not reached yet. The store has
// at most one (Store::set_guard); without one a change costs one look at a null pointer.
#pragma once

namespace larder {

class Entry;
class FlushedKeyspace;
class Keyspace;

class ChangeGuard {
 public:
  virtual ~ChangeGuard() = default;
  // The entry is about to change or to go: it is still what it was. The same entry may be announced several times, and
  // may turn out not to change. The keyspace must not be changed from within.
  virtual void changing(Keyspace& keyspace, Entry& entry) = 0;
  // An entry that was not there before has been put into the keyspace.
  virtual void added(Keyspace& keyspace, Entry& entry) = 0;
  // All entries of the keyspace are in `flushed` now. The guard may keep them: it moves them away then.
  virtual void flushed(Keyspace& keyspace, FlushedKeyspace& flushed) = 0;
  // The contents of the two keyspaces change places.
  virtual void swapping(Keyspace& a, Keyspace& b) = 0;
};

}  // namespace larder
