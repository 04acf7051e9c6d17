#include "server/core/snapshot.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "base/version.h"
#include "persistence/crc64.h"
#include "persistence/held_entries.h"
#include "server/config/settings.h"
#include "server/core/compatibility.h"
#include "server/core/flush_queue.h"
#include "server/core/scripting.h"

namespace larder {
namespace {

// Steps between two looks at the clock: of the walk some 70 entries, of the sweep 50.
constexpr int kStepsPerLook = 2;
constexpr int kSweepStepsPerLook = 8;
constexpr int kMarks = 3;
// A structure of more memory than this is written in pieces.
constexpr size_t kLargeBytes = 32 * 1024;
// Memory that large structures may take because they change; beyond it the one that changes is written at once.
constexpr size_t kHeldBytesMax = 32 * 1024 * 1024;
// Bytes written between two syncs, so that the last one does not have the whole file to write, and none keeps the processor, which the
// system does not take from it meanwhile, for more than a fraction of a millisecond.
constexpr uint64_t kSyncEveryBytes = 4 * 1024 * 1024;

}  // namespace

// ---- The file

Status FileSnapshotOutput::open() {
  Result<std::unique_ptr<FileLock>> lock = files_.lock(temporary_path_);
  if (lock) {
    lock_ = std::move(*lock);
  } else if (lock.error().code == ErrorCode::kBusy) {
    return lock.error();  // of a process with this number on another machine; not every file system has locks
  }
  is_ours_ = true;
  LARDER_TRY_ASSIGN(file_, files_.open(temporary_path_, OpenMode::kTruncate));
  return Status();
}

Status FileSnapshotOutput::write(Bytes bytes) {
  LARDER_TRY(file_->append(bytes));
  unsynced_bytes_ += bytes.size();
  if (unsynced_bytes_ < kSyncEveryBytes) return Status();
  unsynced_bytes_ = 0;
  return sync();
}

// A snapshot is not read by the server that writes it.
Status FileSnapshotOutput::sync() {
  LARDER_TRY(file_->sync());
  file_->forget_cached();
  return Status();
}

Status FileSnapshotOutput::finish() {
  LARDER_TRY(sync());
  LARDER_TRY(file_->close());
  file_.reset();
  lock_.reset();
  if (final_path_.empty()) return Status();
  LARDER_TRY(files_.rename(temporary_path_, final_path_));
  return files_.sync_directory(parent_path(final_path_));
}

void FileSnapshotOutput::abandon() {
  file_.reset();
  if (is_ours_) (void)files_.remove(temporary_path_);  // it may not exist
  lock_.reset();
}

// ---- What loop and helper share

struct Snapshots::Pipeline {
  // The helper's own.
  std::unique_ptr<SnapshotOutput> owned_output;
  SnapshotOutput* output = nullptr;
  bool compress = true;
  bool checksum = true;
  bool opened = false;
  uint64_t sum = 0;
  Buffer finished;

  std::atomic<bool> cancelled{false};
  std::atomic<size_t> queued_bytes{0};
  std::mutex mutex;
  // Under the mutex.
  std::vector<std::unique_ptr<RdbChunk>> returned;
  Status status;
  bool ended = false;

  bool failed() {
    const std::lock_guard lock(mutex);
    return !status.ok();
  }
  void set_status(const Status& outcome) {
    const std::lock_guard lock(mutex);
    if (status.ok()) status = outcome;
  }

  // Helper: compresses and writes a chunk, and gives it back.
  void consume(std::unique_ptr<RdbChunk> chunk) {
    const size_t bytes = chunk->size();
    if (!cancelled && !failed()) set_status(write(*chunk));
    queued_bytes -= bytes;
    const std::lock_guard lock(mutex);
    returned.push_back(std::move(chunk));
  }
  Status write(const RdbChunk& chunk) {
    if (!opened) {
      opened = true;
      LARDER_TRY(output->open());
    }
    finished.clear();
    // A loop that shares the core gets its turn at each pause. Not when the walk already waits for the helper: where the loop
    // never rests, whoever steps back each time would hardly ever run.
    const bool has_time = queued_bytes < kQueuedBytesSoft / 2;
    finish_rdb_chunk(chunk, compress, &finished, has_time ? std::this_thread::yield : nullptr);
    if (checksum) sum = crc64(sum, finished.bytes());
    return output->write(finished.bytes());
  }
  // Helper: the last job of a run.
  void end() {
    Status outcome = cancelled ? Status(ErrorCode::kCancelled, "the snapshot was given up") : Status();
    if (outcome.ok() && !failed()) {
      char footer[kRdbChecksumBytes];
      for (size_t i = 0; i < kRdbChecksumBytes; i++) footer[i] = static_cast<char>(sum >> (8 * i));
      outcome = output->write(Bytes(footer, sizeof(footer)));
      if (outcome.ok()) outcome = output->finish();
    }
    set_status(outcome);
    if (failed() || cancelled) output->abandon();
    const std::lock_guard lock(mutex);
    ended = true;
  }
};

// ---- One snapshot on its way

class Snapshots::Run final : public SnapshotSink {
 public:
  Run(Services& services, Worker& worker, SnapshotRequest request, uint8_t mark)
      : services_(services),
        worker_(worker),
        request_(std::move(request)),
        writer_(services.store, write_options(services)),
        pipeline_(std::make_shared<Pipeline>()),
        chunk_(std::make_unique<RdbChunk>()),
        held_(services.store, writer_) {
    pipeline_->owned_output = std::move(request_.output);
    pipeline_->output = pipeline_->owned_output.get();
    pipeline_->compress = services.settings.rdb_compression;
    pipeline_->checksum = services.settings.rdb_checksum;
    for (int db = 0; db < services.store.database_count(); db++) {
      Keyspace& keyspace = services.store.database(db);
      sizes_.push_back({keyspace.size(), keyspace.volatile_count()});
    }
    write_prologue();
    walk_ = std::make_unique<SnapshotWalk>(services.store, *this, mark);
  }
  ~Run() override { worker_.drain(); }

  SnapshotRequest& request() { return request_; }
  const SnapshotWalk& walk() const { return *walk_; }

  void entry(int db, const Entry& entry) override {
    RdbEncoder out(*chunk_);
    select(out, db);
    writer_.entry(out, entry);
    if (chunk_->size() >= kChunkBytes) submit();
  }
  bool is_large(const Entry& entry) const override {
    return entry.encoding() == Encoding::kStructure && entry.structure()->memory_bytes() > kLargeBytes;
  }
  void hold(int db, const Entry& entry) override { held_.add(db, entry); }
  void changing_held(Structure& structure) override {
    structure.snapshot_guard()->changing();
    if (held_.held_bytes() < kHeldBytesMax) return;
    if (held_.front().begun()) finish_front();
    if (structure.snapshot_guard() == nullptr) return;
    held_.bring_to_front(&structure);
    finish_front();
  }
  bool take_some_held() override {
    if (!held_.empty()) take_piece();
    return !held_.empty();
  }

  // True when there is more to do at once.
  bool work(const Clock& clock, int64_t deadline_us) {
    collect();
    if (!stopping_ && pipeline_->failed()) stop();
    while (!stopping_ && pipeline_->queued_bytes < kQueuedBytesSoft) {
      for (int i = 0; i < kStepsPerLook; i++) {
        if (!walk_->step()) {
          stop();
          break;
        }
        if (!held_.empty() && held_.front().begun()) break;
      }
      hand_back_flushed();
      if (clock.mono_us() >= deadline_us) return true;
    }
    return false;
  }
  // Gives it up.
  void cancel() {
    pipeline_->cancelled = true;
    pipeline_->output->cancel();
    if (!stopping_) stop();
  }
  // Walks to the end, waiting for the helper as needed.
  void work_to_end() {
    while (!stopping_ && walk_->step()) {
      if (pipeline_->queued_bytes >= kQueuedBytesSoft) worker_.drain();
    }
    if (!stopping_) stop();
    worker_.drain();
    collect();
  }
  bool ended() {
    const std::lock_guard lock(pipeline_->mutex);
    return pipeline_->ended;
  }
  // Requires: ended().
  const Status& status() const { return pipeline_->status; }

 private:
  struct Sizes {
    uint64_t keys;
    uint64_t volatile_keys;
  };

  static RdbWriteOptions write_options(Services& services) {
    RdbWriteOptions options;
    options.version = static_cast<int>(services.settings.rdb_version);
    for (int db = 0; db < services.store.database_count(); db++) {
      if (services.store.database(db).field_volatile_count() > 0) options.version = kRdbVersionFieldDeadlines;
    }
    options.with_access = services.settings.maxmemory_policy != MaxmemoryPolicy::kNoEviction;
    return options;
  }

  void write_prologue() {
    RdbEncoder out(*chunk_);
    writer_.header(out);
    writer_.aux(out, "redis-ver", kRedisVersion);
    writer_.aux(out, "redis-bits", "64");
    writer_.aux(out, "ctime", std::to_string(services_.clock.wall_ms() / 1000));
    writer_.aux(out, "used-mem", std::to_string(services_.store.memory_bytes()));
    writer_.aux(out, "aof-base", request_.aof_base ? "1" : "0");
    writer_.aux(out, "larder-ver", kVersion);
    if (services_.scripting == nullptr) return;
    for (const std::string& source : services_.scripting->library_sources()) writer_.function(out, source);
  }

  void select(RdbEncoder& out, int db) {
    if (db == db_) return;
    db_ = db;
    Sizes& sizes = sizes_[static_cast<size_t>(db)];
    writer_.select(out, db, std::exchange(sizes.keys, 0), sizes.volatile_keys);
  }

  // Another piece of the first one that is held. False: it is done.
  bool take_piece() {
    RdbEncoder out(*chunk_);
    HeldEntry& held = held_.front();
    if (!held.begun()) select(out, held.db());
    const bool more = held.write(out);
    if (!more) held_.pop_front();
    if (chunk_->size() >= kChunkBytes) submit();
    return more;
  }
  void finish_front() {
    while (take_piece()) {
    }
  }

  // The walk is over, or is not to go on.
  void stop() {
    stopping_ = true;
    if (walk_->done()) {
      RdbEncoder out(*chunk_);
      writer_.end(out);
    }
    walk_->abandon();
    held_.clear();
    hand_back_flushed();
    submit();
    worker_.post([pipeline = pipeline_] { pipeline->end(); });
  }

  void submit() {
    if (chunk_->empty()) return;
    pipeline_->queued_bytes += chunk_->size();
    worker_.post(
        [pipeline = pipeline_, chunk = chunk_.release()] { pipeline->consume(std::unique_ptr<RdbChunk>(chunk)); });
    if (pipeline_->queued_bytes >= kQueuedBytesHard) worker_.drain();
    collect();
    if (spare_.empty()) {
      chunk_ = std::make_unique<RdbChunk>();
    } else {
      chunk_ = std::move(spare_.back());
      spare_.pop_back();
    }
  }

  // Takes chunks back: their pins are released here, on the loop.
  void collect() {
    std::vector<std::unique_ptr<RdbChunk>> returned;
    {
      const std::lock_guard lock(pipeline_->mutex);
      returned.swap(pipeline_->returned);
    }
    for (auto& chunk : returned) {
      chunk->clear();
      if (spare_.size() < kQueuedBytesSoft / kChunkBytes) spare_.push_back(std::move(chunk));
    }
  }

  void hand_back_flushed() {
    for (FlushedKeyspace& flushed : walk_->take_released()) services_.flushed.add(std::move(flushed));
  }

  Services& services_;
  Worker& worker_;
  SnapshotRequest request_;
  RdbWriter writer_;
  std::shared_ptr<Pipeline> pipeline_;
  std::unique_ptr<RdbChunk> chunk_;
  std::vector<std::unique_ptr<RdbChunk>> spare_;
  std::vector<Sizes> sizes_;  // by database, at the beginning
  HeldEntries held_;
  std::unique_ptr<SnapshotWalk> walk_;
  int db_ = -1;
  bool stopping_ = false;
};

// ---- The service

Snapshots::Snapshots(Services& services, Worker& worker) : services_(services), worker_(worker) {}

Snapshots::~Snapshots() {
  if (run_ == nullptr) return;
  run_->cancel();
  run_->work_to_end();
}

SnapshotKind Snapshots::kind() const { return run_->request().kind; }
uint64_t Snapshots::keys_done() const { return run_ ? run_->walk().keys_done() : 0; }
uint64_t Snapshots::keys_total() const { return run_ ? run_->walk().keys_total() : 0; }

// Marks of walks that were given up stay in the store until they are swept; the number that comes round again must be
// free of them.
uint8_t Snapshots::next_mark() {
  if (sweep_ != nullptr && unswept_ >= kMarks - 1) {
    while (sweep_->step()) {
    }
    unswept_ = 0;
  }
  sweep_.reset();  // the walk takes away every mark that it meets
  mark_ = static_cast<uint8_t>(mark_ % kMarks + 1);
  return mark_;
}

bool Snapshots::start(SnapshotRequest request) {
  if (run_ != nullptr) return false;
  run_ = std::make_unique<Run>(services_, worker_, std::move(request), next_mark());
  return true;
}

void Snapshots::cancel() {
  if (run_ != nullptr) run_->cancel();
}

Status Snapshots::write_now(SnapshotOutput& output, bool aof_base) {
  LARDER_ASSERT(run_ == nullptr);
  // Lends the output to a run of its own, whose helper works on this thread.
  class Lent final : public SnapshotOutput {
   public:
    explicit Lent(SnapshotOutput& lender) : lender_(lender) {}
    Status open() override { return lender_.open(); }
    Status write(Bytes bytes) override { return lender_.write(bytes); }
    Status finish() override { return lender_.finish(); }
    void abandon() override { lender_.abandon(); }

   private:
    SnapshotOutput& lender_;
  };
  InlineWorker worker;
  SnapshotRequest request;
  request.output = std::make_unique<Lent>(output);
  request.aof_base = aof_base;
  Run run(services_, worker, std::move(request), next_mark());
  run.work_to_end();
  return run.status();
}

bool Snapshots::background(int64_t deadline_us) {
  if (run_ == nullptr) {
    if (sweep_ == nullptr) return false;
    for (int i = 0; i < kSweepStepsPerLook; i++) {
      if (sweep_->step()) continue;
      sweep_.reset();
      unswept_ = 0;
      return false;
    }
    return true;
  }
  const bool more = run_->work(services_.clock, deadline_us);
  if (run_->ended()) end_run(run_->status());
  return more;
}

void Snapshots::finish() {
  if (run_ == nullptr) return;
  run_->work_to_end();
  end_run(run_->status());
}

void Snapshots::end_run(const Status& status) {
  const bool walked = run_->walk().keys_done() == run_->walk().keys_total() && status.ok();
  const std::unique_ptr<Run> ended = std::move(run_);
  if (walked) {
    unswept_ = 0;
  } else {
    unswept_++;
    sweep_ = std::make_unique<SnapshotMarkSweep>(services_.store);
  }
  if (ended->request().done) ended->request().done(status);
}

}  // namespace larder
