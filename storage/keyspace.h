// Keyspaces (the numbered databases) and the store that owns them.
//
//   Store ── allocator, hash seed, access clock, byte counts, observer
//     ├─ Keyspace 0 ── HashTable of entries, ExpiryIndex of their deadlines, counts
//     └─ Keyspace n
//
// Time comes in as `now_ms` (wall clock, milliseconds since 1970), the same for all look-ups of one command. An entry
// whose deadline has passed does not exist for anybody: a look-up that meets one removes it and reports it as expired
// (or, with ExpiryMode::kHide, leaves the removal to the primary). What nobody looks up is removed by advance_expiry().
//
// Reading and writing values goes through typed handles (StringValue, later one per type):
//
//   const HashedKey key = store.hashed(bytes);             // once per command
//   auto value = keyspace.edit<StringValue>(key, now_ms);  // found, missing or of another type
//
// A handle, an Entry pointer and every view into them hold until the next change of the same keyspace: the next
// handle's write, an erase, a look-up that removes an expired key. Handles follow their own entry when it moves.
//
// Cost: a look-up of a key that is in the cache takes about as long as hashing it; else two cache misses, the bucket
// and the entry, which prefetch_bucket() and prefetch_entry() overlap for all keys of a tick.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/prefetch.h"
#include "base/random.h"
#include "storage/blob.h"
#include "storage/block_allocator.h"
#include "storage/change_guard.h"
#include "storage/disposal.h"
#include "storage/entry.h"
#include "storage/eviction.h"
#include "storage/evictor.h"
#include "storage/expiry_index.h"
#include "storage/hash.h"
#include "storage/hash_table.h"
#include "storage/huge_page.h"
#include "storage/keyspace_observer.h"
#include "storage/lookup.h"
#include "storage/s3_fifo.h"
#include "storage/structure.h"

namespace larder {

class Store;

// Whether a look-up counts as a use of the key (CLIENT NO-TOUCH, OBJECT, TTL and the like do not).
enum class Touch : uint8_t { kYes, kNo };

// What happens to keys past their deadline. kHide is for a replica and for paused clients: they are invisible, and stay until
// the primary says, or the pause is over.
// kKeep is for loading a log: they are as alive as the others, because the log says when they went.
enum class ExpiryMode : uint8_t { kRemove, kHide, kKeep };

// What becomes of the deadline when a value is replaced.
class DeadlineRule {
 public:
  static DeadlineRule none() { return DeadlineRule(kNoDeadline, false); }
  static DeadlineRule keep() { return DeadlineRule(kNoDeadline, true); }
  // Requires: deadline_ms != kNoDeadline.
  static DeadlineRule at(int64_t deadline_ms) { return DeadlineRule(deadline_ms, false); }

  bool keeps() const { return keeps_; }
  // What a key that had `old_deadline_ms` has afterwards.
  int64_t applied_to(int64_t old_deadline_ms) const { return keeps_ ? old_deadline_ms : deadline_ms_; }

 private:
  DeadlineRule(int64_t deadline_ms, bool keeps) : deadline_ms_(deadline_ms), keeps_(keeps) {}
  int64_t deadline_ms_;
  bool keeps_;
};

// How a string may be kept. kAsText is for values that must not become integers (the result of INCRBYFLOAT);
// kEdited marks a value that an edit made (SETRANGE on a missing key): OBJECT ENCODING calls it raw.
enum class StringForm : uint8_t { kAny, kAsText, kEdited };

enum class Assigned : uint8_t { kCreated, kReplaced };

// What the hash table needs to know of entries.
struct EntryPolicy {
  using Item = Entry;
  using Key = Bytes;
  uint64_t seed = 0;

  static bool equal(const Entry& entry, Bytes key) { return entry.key_equals(key); }
  uint64_t hash(const Entry& entry) const { return hash_bytes(entry.key(), seed); }
  // Two lines: most entries of a cache are longer than one, and small ones may lie across a border.
  static void prefetch(const Entry* entry) {
    prefetch_line(entry);
    prefetch_line(reinterpret_cast<const char*>(entry) + 64);
  }
  // Three, as blocks of more than this touch more often than not.
  static constexpr size_t kThreeLinesBytes = 96;
  static void prefetch_long(const Entry* entry) {
    prefetch(entry);
    prefetch_line(reinterpret_cast<const char*>(entry) + 128);
  }
};
using EntryTable = HashTable<EntryPolicy>;
using EntrySlot = EntryTable::Slot;

// A database after FLUSHDB: unreachable for commands, freed in pieces.
class FlushedKeyspace {
 public:
  FlushedKeyspace(FlushedKeyspace&&) noexcept = default;
  FlushedKeyspace& operator=(FlushedKeyspace&&) = delete;
  ~FlushedKeyspace();  // frees what is left

  // Frees about `entries_max` entries. Returns false when nothing is left.
  bool free_some(size_t entries_max);
  size_t size() const { return table_.size(); }
  // For a snapshot that still has to write what is in it. Requires: free_some() was not called yet.
  const EntryTable& table() const { return table_; }

 private:
  friend class Keyspace;
  FlushedKeyspace(Store& store, EntryTable table, ExpiryIndex expiry, std::unique_ptr<ExpiryIndex> old_expiry);
  Store* store_;
  EntryTable table_;
  ExpiryIndex expiry_;
  std::unique_ptr<ExpiryIndex> old_expiry_;
  uint64_t position_ = 0;
};

class Keyspace {
 public:
  Keyspace(Store& store, int index);
  ~Keyspace();
  Keyspace(const Keyspace&) = delete;
  Keyspace& operator=(const Keyspace&) = delete;

  int index() const { return index_; }
  Store& store() { return store_; }
  // Keys, those past their deadline but not yet removed included; and of these the ones with a deadline.
  size_t size() const { return table_.size(); }
  size_t volatile_count() const { return volatile_count_; }
  // Hashes that have fields with a deadline.
  size_t field_volatile_count() const { return field_volatile_count_; }
  // Mean time to live of the volatile keys, at least 0; 0 without any.
  int64_t average_ttl_ms(int64_t now_ms) const;

  // ---- The staged look-up. Each stage wants some time between itself and the next.
  void prefetch_bucket(uint64_t hash) const { table_.prefetch_bucket(hash); }
  Prefetched prefetch_entry(uint64_t hash) const;
  // Where prefetch_entry() found it to be beyond its home bucket.
  void prefetch_beyond(uint64_t hash) const;
  // The structure of a collection whose key has this hash, or one that cannot be told from it without a look at the key;
  // null if there is none. For prefetching in it.
  const Structure* structure_of(uint64_t hash) const;
  // For a key that is going to be new.
  void prefetch_place(uint64_t hash) const { table_.prefetch_place(hash); }

  // ---- Look-up. Null if there is no such key (or no longer).
  const Entry* find(const HashedKey& key, int64_t now_ms, Touch touch = Touch::kYes);
  bool contains(const HashedKey& key, int64_t now_ms) { return find(key, now_ms, Touch::kNo) != nullptr; }
  // Whether the key is there and past its deadline, which it may be as long as nobody has looked. Removes nothing.
  bool is_left_expired(const HashedKey& key, int64_t now_ms) const {
    const EntrySlot* slot = table_.find(key.hash, key.bytes);
    return slot != nullptr && slot->item()->is_expired(now_ms);
  }

  // A handle on the value: Value is StringValue, ListValue ...
  template <class Value>
  Lookup<Value> read(const HashedKey& key, int64_t now_ms, Touch touch = Touch::kYes);
  // The same for writing. Whoever writes through it reports the change (ctx.changed).
  template <class Value>
  Lookup<Value> edit(const HashedKey& key, int64_t now_ms, Touch touch = Touch::kYes);
  // Never missing: the handle of an absent key is empty, and its first write creates the key. `key.bytes` must live as
  // long as the handle.
  template <class Value>
  Lookup<Value> edit_or_create(const HashedKey& key, int64_t now_ms, Touch touch = Touch::kYes);

  // ---- Whole values
  // SET: replaces whatever the key holds, of any type. `value` may point into the value it replaces.
  Assigned assign_string(const HashedKey& key, Bytes value, DeadlineRule deadline, int64_t now_ms,
                         StringForm form = StringForm::kAny, Touch touch = Touch::kYes);
  // Returns whether the key existed.
  bool erase(const HashedKey& key, int64_t now_ms);

  // Loading: a new key with a string and its deadline, in one go. False, and nothing is done, if the key is there already.
  bool add_string(const HashedKey& key, Bytes value, int64_t deadline_ms, int64_t now_ms);
  // Loading: about so many keys are going to come, and they have come. Requires (to expect): the keyspace is empty.
  void expect_keys(uint64_t count) { table_.expect(count); }
  void settle_keys() { table_.settle(); }
  // Loading and RESTORE: when or how often the key was used. Requires: the key exists.
  void set_access_state(const HashedKey& key, uint32_t state);

  // ---- Deadlines
  // Return whether the key exists (and, for clear_deadline, had a deadline). A deadline that has passed already is
  // kept as it is: the next look-up or advance_expiry() removes the key.
  bool set_deadline(const HashedKey& key, int64_t deadline_ms, int64_t now_ms, Touch touch = Touch::kNo);
  bool clear_deadline(const HashedKey& key, int64_t now_ms, Touch touch = Touch::kNo);

  // ---- Moving and copying between keys and databases
  // RENAME and MOVE: takes value, deadline and access state along. What lives at `to` is replaced. Returns whether
  // `from` existed. from and to may be the same key.
  bool move_entry(const HashedKey& from, Keyspace& to_keyspace, const HashedKey& to, int64_t now_ms,
                  Touch touch = Touch::kNo);
  // COPY: the copy has a value of its own and the same deadline. What lives at `to` is replaced.
  bool copy_entry(const HashedKey& from, Keyspace& to_keyspace, const HashedKey& to, int64_t now_ms);

  // ---- Walking
  // A key drawn about uniformly, or null if none is alive.
  const Entry* random_entry(Random& random, int64_t now_ms);
  // One step of SCAN: calls visit(const Entry&) for a few live entries and returns the next cursor; start with 0, which
  // also means the end. Whatever is in the keyspace from the first step to the last is visited at least once, whatever
  // else is added or removed between steps. Cursors are below 2^52, so that every client language can hold one.
  // `visit` must not change the keyspace.
  template <class Visit>
  uint64_t scan(uint64_t cursor, int64_t now_ms, Visit visit) const;
  // Every entry in hash order, dead ones included. `visit` must not change the keyspace.
  template <class Visit>
  void for_each(Visit visit) const {
    table_.for_each([&](const Entry& entry) { visit(entry); });
  }

  // ---- Background
  struct ExpiryProgress {
    size_t steps = 0;       // work done, of the kind that `steps_max` counts: one index item each
    size_t expired = 0;     // keys removed
    bool more_due = false;  // whether there is work that should be done now
  };
  // Removes keys that reached their deadline, oldest deadlines first, looking at no more than `steps_max` items of the
  // index (some 50 to 300 ns each). Call it every millisecond or two, again while more_due and time is left.
  // `steps_max` is kept within 30.
  ExpiryProgress advance_expiry(int64_t now_ms, size_t steps_max);
  // Whether the index has items at all, those included that no key needs any more and that only wait to be dropped.
  bool has_expiry_items() const { return expiry_.items() > 0 || old_expiry_ != nullptr; }
  // When advance_expiry() has something to do again, for a loop that sleeps; INT64_MAX if nothing has a deadline.
  int64_t next_expiry_ms() const;
  const ExpiryIndex& expiry_index() const { return expiry_; }

  // ---- Compaction, for the compactor alone
  // Moves the entries of one home bucket if they lie in sparse pages; returns the next position, see HashTable::scan. The
  // hashes of entries with a structure are added to `large`.
  uint64_t compact_entries(uint64_t position, std::vector<uint64_t>* large, CompactionCounts* counts);
  // The same for some members of the structure of the entry with this hash; 0 when there is nothing more to look at.
  uint64_t compact_members(uint64_t hash, uint64_t position, CompactionCounts* counts);

  // ---- Eviction, for the evictor alone
  // Calls visit(hash, entry) for the entries of a bucket (see scan; returns the next position) or of one drawn at random.
  // `visit` must not change the keyspace, here and below.
  template <class Visit>
  uint64_t visit_bucket(uint64_t position, Visit visit) const;
  // visit(const Entry&) for a sample of some six keys, a different one for each hash. It is staged as the look-up is: prefetch_bucket(),
  // prefetch_sample(), visit_sample().
  void prefetch_sample(uint64_t hash) const;
  template <class Visit>
  void visit_sample(uint64_t hash, Visit visit) const {
    table_.visit_neighbours(hash, [&](const EntrySlot& slot) { visit(static_cast<const Entry&>(*slot.item())); });
  }
  // The same for some keys with a deadline, drawn from the expiry index.
  template <class Visit>
  void visit_random_volatile(Random& random, Visit visit);
  // Removes the key with the nearest deadline, as far as the expiry index orders them, and reports it. False: it was not found
  // within bounded work.
  bool evict_soonest(int64_t now_ms);
  // When that deadline is, or earlier; INT64_MAX without any.
  int64_t soonest_ms() const;
  // Removes the entry of exactly this hash if may_go(entry) says so, and reports it. Returns whether it did.
  template <class MayGo>
  bool evict_if(uint64_t hash, int64_t now_ms, MayGo may_go);
  // S3-FIFO's queues: on or off, one eviction by them, upkeep of about `steps` keys (true: more is to be done).
  void track_arrivals(bool on, bool volatile_only);
  // kNothing: the queues are empty.
  Eviction evict_from_queues(int64_t now_ms);
  bool maintain_queues(size_t steps);
  size_t ghost_bytes() const { return fifo_ ? fifo_->ghost_bytes() : 0; }

  // Takes all entries away at once; the caller frees them in pieces.
  [[nodiscard]] FlushedKeyspace flush();

  const EntryTable& table() const { return table_; }
  // Where the table keeps its entries, for a walk that marks them.
  template <class Visit>
  uint64_t scan_entries(uint64_t position, Visit visit) {
    return table_.scan_slots(position, [&](const EntrySlot& slot) { visit(*slot.item()); });
  }
  // Bytes of table, blocks and blobs that the entry accounts for (MEMORY USAGE).
  size_t entry_memory_bytes(const Entry& entry) const;
  // Checks every invariant of the keyspace; stops the process when one is broken. Takes time in proportion to size().
  void check_integrity() const;

 private:
  friend class Store;
  friend class StringValue;
  friend class CollectionHandle;
  friend class FlushedKeyspace;

  // How a string is going to be kept.
  struct StringPlan {
    Encoding encoding;
    size_t value_bytes;
    int64_t number;
  };
  static StringPlan plan_string(Bytes value, StringForm form);
  static StringPlan plan_integer(int64_t number);
  void write_string(Entry* entry, const StringPlan& plan, Bytes value);

  // Tells the guard, if there is one, that the entry is about to change.
  void announce_change(EntrySlot* slot);
  void make_way(const HashedKey& key);
  // A new entry without a deadline, its value bytes not yet written. Requires: there is no live entry of this key.
  EntrySlot* create_entry(const HashedKey& key, ValueType type, Encoding encoding, size_t value_bytes, int64_t now_ms);
  // Replaces `erase_bytes` at `offset` of the value bytes by room for `insert_bytes`; returns where that is.
  char* splice_value(EntrySlot* slot, size_t offset, size_t erase_bytes, size_t insert_bytes);
  // Gives the entry another encoding and `value_bytes` unwritten value bytes; what it referred to is released.
  void replace_value(EntrySlot* slot, Encoding encoding, size_t value_bytes);

  // The slot of a live entry; null for a missing or expired one, which is removed unless hidden.
  EntrySlot* find_slot(const HashedKey& key, int64_t now_ms, Touch touch);
  EntrySlot* create_string(const HashedKey& key, const StringPlan& plan, Bytes value, int64_t deadline_ms,
                           int64_t now_ms);
  void overwrite_string(uint64_t hash, EntrySlot* slot, const StringPlan& plan, Bytes value, int64_t deadline_ms,
                        int64_t now_ms);
  // Of `hash` these need no more than the bits that name the item's segment.
  void remove_expired(uint64_t hash, EntrySlot* slot);
  bool evict_slot(uint64_t hash, EntrySlot* slot, int64_t now_ms);
  // The key is new to the eviction policy. Requires: fifo_.
  void note_arrival(uint64_t hash, Entry* entry);
  EntrySlot* slot_of_item(const S3Fifo::Due& due);
  ExpiryIndex& soonest_index();
  bool evict_soonest_of(const ExpiryIndex::Batch& batch, int64_t slot_end_ms, int64_t now_ms);
  // Frees the entry of the slot and the slot.
  void erase_slot(uint64_t hash, EntrySlot* slot);
  // The same, but what the value refers to lives on.
  void detach_slot(uint64_t hash, EntrySlot* slot);
  void unlink_slot(uint64_t hash, EntrySlot* slot);
  EntrySlot* insert_entry(uint64_t hash, Entry* entry, int64_t now_ms);
  // A new block for `shape` with the given key and the state bits of `old`.
  Entry* new_entry_like(const Entry& old, const EntryShape& shape, Bytes key);
  // The slot's entry in another shape of the same key: the same block if it fits as it is, else a new one. Deadline and
  // value bytes are kept as far as both shapes have them.
  Entry* reshape(EntrySlot* slot, const EntryShape& shape);
  // A deadline has changed: counts, and the index if it is earlier than before.
  void note_deadline(uint64_t hash, int64_t old_deadline_ms, int64_t new_deadline_ms, int64_t now_ms);
  // keyspace_fields.cc: fields of hashes that have deadlines of their own.
  // The earliest of them, or kNoDeadline; and when something of the entry runs out, the key itself or a field.
  static int64_t field_due_ms(const Entry& entry);
  static int64_t due_ms(const Entry& entry);
  // The earliest deadline among the fields of a hash has changed.
  void note_field_deadlines(uint64_t hash, int64_t old_due_ms, int64_t new_due_ms, int64_t now_ms);
  // Takes fields whose time is over out of the hash, a bounded number, and reports it. The slot, or null if the hash is
  // gone or, with ExpiryMode::kHide, has no living field. Of `hash` it needs the front.
  EntrySlot* settle_fields(uint64_t hash, EntrySlot* slot, int64_t now_ms);
  void swap_contents(Keyspace& other);
  void prefetch_items(const ExpiryIndex::Batch& batch) const;
  size_t settle_expiry(const ExpiryIndex::Batch& batch, int64_t now_ms);
  size_t settle_expiry_item(uint32_t hash_prefix, int64_t now_ms);
  void begin_expiry_rebuild();
  size_t continue_expiry_rebuild(int64_t now_ms, size_t steps_max);

  // Running sum of deadlines; an int64 would overflow with 5 million of them.
  __extension__ typedef __int128 DeadlineSum;

  Store& store_;
  const int index_;
  EntryTable table_;
  ExpiryIndex expiry_;
  // While the index is built anew: the one before, and how far the walk over the keys has come.
  std::unique_ptr<ExpiryIndex> old_expiry_;
  uint64_t rebuild_position_ = 0;
  bool rebuild_walked_ = false;
  std::unique_ptr<S3Fifo> fifo_;  // null under other policies
  bool fifo_volatile_only_ = false;
  bool adopting_ = false;  // keys from before the policy are being filed, up to adopt_position_
  uint64_t adopt_position_ = 0;
  size_t volatile_count_ = 0;
  size_t field_volatile_count_ = 0;
  DeadlineSum deadline_sum_ms_ = 0;
};

struct StoreOptions {
  int database_count = 16;
  uint64_t hash_seed = 0;                // draw it from the system's entropy
  uint64_t random_seed = 0;              // for the chances in access counters
  KeyspaceObserver* observer = nullptr;  // null: nobody listens
  Disposal* disposal = nullptr;          // null: freed at once
};

class Store {
 public:
  // observer and disposal outlive the store.
  explicit Store(const StoreOptions& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  int database_count() const { return static_cast<int>(databases_.size()); }
  // Requires: 0 <= index < database_count().
  Keyspace& database(int index) {
    LARDER_ASSERT(index >= 0 && index < database_count());
    return *databases_[static_cast<size_t>(index)];
  }
  // SWAPDB: the contents change places, the Keyspace objects stay where they are.
  void swap_databases(int a, int b);

  StructureResources& structure_resources() { return structure_resources_; }
  // Takes over a structure that nothing refers to any more: frees it at once if it is small, else in pieces.
  void dispose(Structure* structure);
  // Frees about `elements_max` elements of structures that wait. True when more are waiting.
  bool free_some(size_t elements_max);
  bool has_garbage() const { return !garbage_.empty(); }
  // Gives a bounded piece of memory that is free back to the system. True when there is more.
  bool give_back_some();
  bool has_surplus() const { return blocks_.has_surplus() || index_blocks_.has_surplus(); }
  // Moves a full chunk of blocks into a huge page, when there is one of each: 0.3 to 0.9 ms. What is in them stays where it is.
  void use_huge_page();
  // Whether there is such a chunk, and the system is not known to have no huge page.
  bool wants_huge_page() const {
    return !huge_page_.is_refused() && (blocks_.has_full_of_small_pages() || index_blocks_.has_full_of_small_pages());
  }
  uint64_t chunk_count() const { return blocks_.chunk_count() + index_blocks_.chunk_count(); }
  uint64_t huge_bytes() const { return blocks_.huge_bytes() + index_blocks_.huge_bytes(); }
  // Whether the system had no huge page when it was asked last.
  bool is_refused_huge_pages() const { return huge_page_.is_refused(); }
  // Structures that wait to be freed (part of INFO's lazyfree_pending_objects).
  size_t garbage_count() const { return garbage_.size(); }

  HashedKey hashed(Bytes key) const { return {key, hash_bytes(key, hash_seed_)}; }

  // Once a tick: the time that uses of keys are stamped with.
  void set_now(int64_t now_ms) { access_.set_now(now_ms); }
  // Whether the observer is told of keys that are new; off at first.
  void set_tells_created(bool on) { tells_created_ = on && observer_ != nullptr; }
  AccessTracker& access() { return access_; }
  // Whether uses of keys are counted for S3-FIFO.
  void set_counts_uses(bool on) { counts_uses_ = on; }
  Evictor& evictor() { return evictor_; }
  // Null: nobody needs to see changes. The guard outlives the store or is replaced.
  void set_guard(ChangeGuard* guard) { guard_ = guard; }
  bool has_guard() const { return guard_ != nullptr; }
  // A reference to the blob of a string that is kept in one. Requires: entry.encoding() == Encoding::kBlob.
  BlobPin pin(const Entry& entry) { return BlobPin(entry.blob(), blobs_); }
  // What a request lies in, while it is executed: see BlobHeap.
  void offer(Buffer& memory) { blobs_.offer(memory); }
  BlobPin end_offer() { return blobs_.end_offer(); }
  uint64_t hash_of(const Entry& entry) const { return hash_bytes(entry.key(), hash_seed_); }
  void set_expiry_mode(ExpiryMode mode) {
    unpaused_expiry_mode_ = mode;
    expiry_mode_ = mode == ExpiryMode::kRemove && removal_paused_ ? ExpiryMode::kHide : mode;
  }
  // While clients are paused the data set stands still: kHide in place of kRemove.
  void pause_removal(bool on) {
    removal_paused_ = on;
    set_expiry_mode(unpaused_expiry_mode_);
  }
  ExpiryMode expiry_mode() const { return expiry_mode_; }

  // Bytes of everything stored: blocks as large as they are in the allocator, blobs, tables, expiry indexes.
  uint64_t memory_bytes() const {
    return blocks_.used_bytes() + blobs_.used_bytes() + index_blocks_.used_bytes() +
           static_cast<uint64_t>(table_account_.bytes) + evictor_.ghost_bytes();
  }
  // The part of it that is not keys and values: tables and indexes.
  uint64_t overhead_bytes() const { return index_blocks_.used_bytes() + static_cast<uint64_t>(table_account_.bytes); }
  // The same, each part by itself.
  const BlockAllocator& blocks() const { return blocks_; }
  // Of a pass of compaction: see BlockAllocator::plan_moves.
  void plan_moves(uint32_t size_class) { blocks_.plan_moves(size_class); }
  // Gives memory back that was not needed lately. To be called ten times a second.
  void trim_memory() {
    blocks_.trim();
    index_blocks_.trim();
  }
  const BlobHeap& blobs() const { return blobs_; }
  const HashTableAccount& table_account() const { return table_account_; }

 private:
  friend class Keyspace;
  friend class StringValue;
  friend class CollectionHandle;
  friend class FlushedKeyspace;

  // Frees what the entry's value refers to outside of its block.
  void release_value(const Entry& entry);
  void free_block(Entry* entry) { blocks_.free(entry, entry->content_bytes()); }

  const uint64_t hash_seed_;
  KeyspaceObserver* observer_;
  ChangeGuard* guard_ = nullptr;
  bool tells_created_ = false;
  ImmediateDisposal immediate_disposal_;
  ExpiryMode expiry_mode_ = ExpiryMode::kRemove;
  ExpiryMode unpaused_expiry_mode_ = ExpiryMode::kRemove;
  bool removal_paused_ = false;
  bool counts_uses_ = false;
  AccessTracker access_;
  BlockAllocator blocks_;
  HugePage huge_page_;
  BlockAllocator index_blocks_;  // the expiry indexes' chunks; apart, because they cannot be moved
  BlobHeap blobs_;
  HashTableAccount table_account_;
  StructureResources structure_resources_{blocks_, table_account_, hash_seed_};
  std::deque<Structure*> garbage_;
  std::vector<std::unique_ptr<Keyspace>> databases_;
  Evictor evictor_;
};

inline void Keyspace::announce_change(EntrySlot* slot) {
  if (store_.guard_ != nullptr) [[unlikely]]
    store_.guard_->changing(*this, *slot->item());
}

template <class Value>
Lookup<Value> Keyspace::read(const HashedKey& key, int64_t now_ms, Touch touch) {
  EntrySlot* slot = find_slot(key, now_ms, touch);
  if (slot == nullptr) return LookupError::kMissing;
  if (slot->item()->type() != Value::kType) return LookupError::kWrongType;
  return Value(*this, key, slot, now_ms);
}

template <class Value>
Lookup<Value> Keyspace::edit(const HashedKey& key, int64_t now_ms, Touch touch) {
  EntrySlot* slot = find_slot(key, now_ms, touch);
  if (slot == nullptr) return LookupError::kMissing;
  if (slot->item()->type() != Value::kType) return LookupError::kWrongType;
  announce_change(slot);
  return Value(*this, key, slot, now_ms);
}

template <class Value>
Lookup<Value> Keyspace::edit_or_create(const HashedKey& key, int64_t now_ms, Touch touch) {
  EntrySlot* slot = find_slot(key, now_ms, touch);
  if (slot != nullptr && slot->item()->type() != Value::kType) return LookupError::kWrongType;
  if (slot != nullptr) announce_change(slot);
  return Value(*this, key, slot, now_ms);
}

inline Prefetched Keyspace::prefetch_entry(uint64_t hash) const {
  if (!store_.blocks_.are_longer_than(EntryPolicy::kThreeLinesBytes))
    return table_.prefetch_entry(hash, EntryPolicy::prefetch);
  return table_.prefetch_entry(hash, EntryPolicy::prefetch_long);
}

inline void Keyspace::prefetch_beyond(uint64_t hash) const { table_.prefetch_beyond(hash, EntryPolicy::prefetch_long); }

inline const Structure* Keyspace::structure_of(uint64_t hash) const {
  const EntrySlot* slot =
      table_.find_if(hash, [](const Entry& entry) { return entry.encoding() == Encoding::kStructure; });
  return slot == nullptr ? nullptr : slot->item()->structure();
}

inline void Keyspace::prefetch_sample(uint64_t hash) const {
  table_.visit_neighbours(hash, [](const EntrySlot& slot) { prefetch_line(slot.item()); });
}

template <class Visit>
uint64_t Keyspace::visit_bucket(uint64_t position, Visit visit) const {
  table_.scan_slots(position, [](const EntrySlot& slot) { EntryPolicy::prefetch(slot.item()); });
  return table_.scan_slots(position, [&](const EntrySlot& slot) { visit(static_cast<const Entry&>(*slot.item())); });
}

template <class Visit>
void Keyspace::visit_random_volatile(Random& random, Visit visit) {
  ExpiryIndex::Batch batch;
  expiry_.sample(random, &batch);
  prefetch_items(batch);
  bool needed = false;
  for (size_t i = 0; i < batch.count; i++) {
    table_.for_each_hash_prefix(batch.hash_prefixes[i], [&](const EntrySlot& slot) {
      const Entry& entry = *slot.item();
      if ((table_.policy().hash(entry) >> 32) != batch.hash_prefixes[i]) return;
      needed |= due_ms(entry) != kNoDeadline;
      visit(entry);
    });
  }
  if (!needed && batch.count > 0) expiry_.drop_sampled();
}

template <class MayGo>
bool Keyspace::evict_if(uint64_t hash, int64_t now_ms, MayGo may_go) {
  EntrySlot* found = table_.find_if(hash, [&](const Entry& entry) { return table_.policy().hash(entry) == hash; });
  if (found == nullptr || !may_go(static_cast<const Entry&>(*found->item()))) return false;
  return evict_slot(hash, found, now_ms);
}

template <class Visit>
uint64_t Keyspace::scan(uint64_t cursor, int64_t now_ms, Visit visit) const {
  const uint64_t next = table_.scan(cursor << kScanCursorShift, [&](const Entry& entry) {
    if (!entry.is_expired(now_ms)) visit(entry);
  });
  return next >> kScanCursorShift;
}

}  // namespace larder
