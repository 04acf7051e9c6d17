// Consumer groups: which entries were handed to whom and are not acknowledged yet.
//
//   StreamGroup ── last delivered ID, entries read
//     ├─ pending:   ID → { consumer, delivery time, delivery count }      one StreamIdTree, of everybody
//     └─ consumers: StreamConsumer ── pending: IDs                        a tree each, of one
//
// The facts of a pending entry are in the group's tree alone; a consumer's tree only says which are its own. Every pending
// ID is in exactly one consumer's tree. Groups and consumers are blocks with their name behind them, kept in arrays in
// the order of their names, which is the order that XINFO shows.
//
// Rejected: the facts in a block of their own with both trees pointing to it (24 bytes more an entry, and a cache miss).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "storage/stream_id_tree.h"
#include "storage/stream_memory.h"

namespace larder {

inline constexpr int64_t kEntriesReadUnknown = -1;
inline constexpr int64_t kNeverActive = -1;

struct StreamConsumer;

struct StreamPending {
  StreamConsumer* consumer = nullptr;  // null only while a group is being loaded
  int64_t delivered_ms = 0;            // wall clock, of the last delivery
  uint64_t deliveries = 0;
};
using StreamPendingTree = StreamIdTree<StreamPending>;

struct StreamNoValue {};
using StreamIdSet = StreamIdTree<StreamNoValue>;

// Objects with a name behind them, in the order of their names.
template <class T>
class StreamNameIndex {
 public:
  explicit StreamNameIndex(StreamMemory& memory) : memory_(memory) {}
  ~StreamNameIndex();  // Requires: empty().
  StreamNameIndex(const StreamNameIndex&) = delete;
  StreamNameIndex& operator=(const StreamNameIndex&) = delete;

  std::span<T* const> all() const { return {items_, count_}; }
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  // Null when there is none.
  T* find(Bytes name) const;
  // Requires: none of that name is in.
  void insert(T* item);
  // Requires: it is in. The object itself lives on.
  void remove(T* item);
  T* remove_last() { return items_[--count_]; }

 private:
  size_t position_of(Bytes name) const;
  void set_capacity(size_t capacity);

  StreamMemory& memory_;
  T** items_ = nullptr;
  size_t count_ = 0;
  size_t capacity_ = 0;
};

struct StreamConsumer {
  StreamConsumer(StreamMemory& memory, Bytes consumer_name) : pending(memory), name(consumer_name) {}

  StreamIdSet pending;
  int64_t seen_ms = 0;               // wall clock, of the last attempt of any kind
  int64_t active_ms = kNeverActive;  // of the last one that got something
  Bytes name;                        // behind this object
};

class StreamGroup {
 public:
  // Groups are made by StreamGroup::create and end with destroy.
  static StreamGroup* create(StreamMemory& memory, Bytes name);
  static void destroy(StreamGroup* group);

  Bytes name() const { return name_; }
  const StreamPendingTree& pending() const { return pending_; }
  std::span<StreamConsumer* const> consumers() const { return consumers_.all(); }

  StreamId last_id;                            // the last one delivered
  int64_t entries_read = kEntriesReadUnknown;  // of the entries ever added, how many were read up to last_id

  // ---- Consumers
  StreamConsumer* find_consumer(Bytes name) const { return consumers_.find(name); }
  // Requires: there is none of that name.
  StreamConsumer* create_consumer(Bytes name, int64_t now_ms);
  // With all its pending entries. Time in proportion to them.
  void erase_consumer(StreamConsumer* consumer);

  // ---- Pending entries
  // Null when it is not pending. Valid until the next change of the group.
  const StreamPending* find_pending(StreamId id) const { return pending_.find(id); }
  // The entry is the consumer's from now on, whether it was pending or not, and whosever it was.
  void assign(StreamId id, StreamConsumer* consumer, int64_t delivered_ms, uint64_t deliveries);
  // Returns whether it was pending.
  bool acknowledge(StreamId id);

  // ---- Loading: first all pending entries, then the consumers and who has which.
  // False: the ID was there already.
  [[nodiscard]] bool load_pending(StreamId id, int64_t delivered_ms, uint64_t deliveries);
  // False: it is not pending, or somebody's already.
  [[nodiscard]] bool load_owner(StreamId id, StreamConsumer* consumer);
  // Whether every pending entry is somebody's, as it must be in the end.
  bool is_fully_owned() const;

  // An equal group of its own.
  StreamGroup* clone(StreamMemory& memory) const;
  // Frees about `elements_max` pending entries or consumers; true when some are left. The group serves nothing else then.
  bool free_some(size_t elements_max);
  void check_integrity() const;

 private:
  StreamGroup(StreamMemory& memory, Bytes name) : memory_(memory), pending_(memory), consumers_(memory), name_(name) {}
  ~StreamGroup() = default;
  void free_consumer(StreamConsumer* consumer);

  StreamMemory& memory_;
  StreamPendingTree pending_;
  StreamNameIndex<StreamConsumer> consumers_;
  Bytes name_;  // behind this object
};

}  // namespace larder
