#include "persistence/snapshot_walk.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/prefetch.h"

namespace larder {
namespace {

constexpr size_t kWindowEntries = 32;

// Of the entry's block what is behind the two lines that EntryPolicy::prefetch() asks for. Behind some lines the processor
// sees that they are read one after the other.
void prefetch_rest(const Entry& entry) {
  constexpr size_t kLineBytes = 64;
  constexpr size_t kBytesMax = 512;
  const size_t bytes = std::min(entry.content_bytes(), kBytesMax);
  for (size_t at = 2 * kLineBytes; at < bytes; at += kLineBytes)
    prefetch_line(reinterpret_cast<const char*>(&entry) + at);
}

}  // namespace

SnapshotWalk::SnapshotWalk(Store& store, SnapshotSink& sink, uint8_t mark) : store_(store), sink_(sink), mark_(mark) {
  LARDER_ASSERT(mark >= 1 && mark <= 3);
  for (int db = 0; db < store.database_count(); db++) {
    auto source = std::make_unique<Source>();
    source->db = db;
    source->keyspace = &store.database(db);
    keys_total_ += source->keyspace->size();
    sources_.push_back(std::move(source));
  }
  store_.set_guard(this);
}

SnapshotWalk::~SnapshotWalk() {
  if (!done_) store_.set_guard(nullptr);
}

void SnapshotWalk::abandon() {
  if (done_) return;
  done_ = true;
  store_.set_guard(nullptr);
  for (const auto& source : sources_) {
    if (source->kept) released_.push_back(std::move(*source->kept));
    source->kept.reset();
  }
}

bool SnapshotWalk::step() {
  if (done_) return false;
  if (current_ < sources_.size()) {
    Source& source = *sources_[current_];
    walk_some(source);
    if (source.state == State::kDone) current_++;
    release_kept(source);
    return true;
  }
  if (sink_.take_some_held()) return true;
  done_ = true;
  store_.set_guard(nullptr);
  return false;
}

// Some home buckets of the source's table. The entries lie anywhere in memory, so all of them are under way before the first is
// looked at: first what says how long they are, while those in front are visited, then the rest.
void SnapshotWalk::walk_some(Source& source) {
  const uint64_t next = collect(source, source.position);
  ahead_.swap(window_);
  for (const Entry* entry : window_) prefetch_rest(*entry);
  // Looked up once more when it is their turn: what a change makes of the table until then does not matter.
  if (next != 0) (void)collect(source, next);
  for (Entry* entry : window_) visit(source, *entry);
  source.position = next;
  source.state = next == 0 ? State::kDone : State::kWalking;
}

// Makes `ahead_` the entries of the next home buckets. Returns the position behind them.
uint64_t SnapshotWalk::collect(const Source& source, uint64_t position) {
  ahead_.clear();
  const auto take = [&](Entry& entry) {
    EntryPolicy::prefetch(&entry);
    ahead_.push_back(&entry);
  };
  do {
    position = source.keyspace != nullptr
                   ? source.keyspace->scan_entries(position, take)
                   : source.kept->table().scan_slots(position, [&](const EntrySlot& slot) { take(*slot.item()); });
  } while (position != 0 && ahead_.size() < kWindowEntries);
  return position;
}

void SnapshotWalk::visit(const Source& source, Entry& entry) {
  const bool early = entry.snapshot_mark() == mark_;
  // A merge of segments may show an entry a second time.
  const bool again = source.state == State::kWalking && store_.hash_of(entry) < source.position;
  if (entry.snapshot_mark() != 0) entry.set_snapshot_mark(0);
  if (early || again) return;
  keys_done_++;
  hand_on(source, entry);
}

void SnapshotWalk::hand_on(const Source& source, const Entry& entry) {
  if (sink_.is_large(entry)) {
    sink_.hold(source.db, entry);
  } else {
    sink_.entry(source.db, entry);
  }
}

// Lets go of a flushed table that nothing is read from any more.
void SnapshotWalk::release_kept(Source& source) {
  if (!source.kept || source.state != State::kDone) return;
  released_.push_back(std::move(*source.kept));
  source.kept.reset();
}

SnapshotWalk::Source* SnapshotWalk::source_of(Keyspace& keyspace) {
  for (const auto& source : sources_) {
    if (source->keyspace == &keyspace) return source.get();
  }
  return nullptr;
}

bool SnapshotWalk::is_passed(const Source& source, const Entry& entry) const {
  if (source.state != State::kWalking) return source.state == State::kDone;
  return EntryTable::is_passed(source.position, store_.hash_of(entry));
}

void SnapshotWalk::changing(Keyspace& keyspace, Entry& entry) {
  // Maybe under another key than this one.
  const auto is_held = [&entry] {
    return entry.encoding() == Encoding::kStructure && entry.structure()->snapshot_guard() != nullptr;
  };
  if (!is_held()) {
    const Source* source = source_of(keyspace);
    if (source == nullptr || entry.snapshot_mark() == mark_ || is_passed(*source, entry)) return;
    entry.set_snapshot_mark(mark_);
    keys_done_++;
    hand_on(*source, entry);
  }
  if (is_held()) sink_.changing_held(*entry.structure());
}

void SnapshotWalk::added(Keyspace& keyspace, Entry& entry) {
  const Source* source = source_of(keyspace);
  if (source != nullptr && !is_passed(*source, entry)) entry.set_snapshot_mark(mark_);
}

void SnapshotWalk::flushed(Keyspace& keyspace, FlushedKeyspace& flushed) {
  Source* source = source_of(keyspace);
  if (source == nullptr) return;
  // What comes into the keyspace from now on is of no interest.
  source->keyspace = nullptr;
  source->kept.emplace(std::move(flushed));
  release_kept(*source);
}

void SnapshotWalk::swapping(Keyspace& a, Keyspace& b) {
  Source* const of_a = source_of(a);
  Source* const of_b = source_of(b);
  if (of_a != nullptr) of_a->keyspace = &b;
  if (of_b != nullptr) of_b->keyspace = &a;
}

bool SnapshotMarkSweep::step() {
  if (db_ == store_.database_count()) return false;
  position_ = store_.database(db_).scan_entries(position_, [](Entry& entry) {
    if (entry.snapshot_mark() != 0) entry.set_snapshot_mark(0);
  });
  if (position_ == 0) db_++;
  return db_ < store_.database_count();
}

}  // namespace larder
