#pragma once

// Snapshots while the server works: BGSAVE, the log's rewrite, a replica's full sync. One at a time.
//
//   loop     SnapshotWalk ──entries──▶ RdbWriter ──▶ RdbChunk ─┐           ┌── chunk given back, pins released
//                                                              ▼           │
//   helper                                        compress, checksum, SnapshotOutput (file, socket)
//
// The walk takes its turn with the other background work. Chunks on their way are bounded: while kQueuedBytesSoft wait for
// the disk, the walk pauses; what has to be saved early because it changes goes on up to kQueuedBytesHard, beyond which
// the loop waits for the helper, so that memory stays bounded. See docs/design/snapshot.md.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/file_system.h"
#include "base/result.h"
#include "base/worker.h"
#include "persistence/rdb_writer.h"
#include "persistence/snapshot_walk.h"
#include "server/core/services.h"

namespace larder {

enum class SnapshotKind : uint8_t { kSave, kRewrite, kReplica };

// Where the bytes go. Every call comes from the helper thread, one at a time; after an error only abandon() follows.
class SnapshotOutput {
 public:
  virtual ~SnapshotOutput() = default;
  virtual Status open() = 0;
  virtual Status write(Bytes bytes) = 0;
  // Everything was written: it is to be made durable, or handed over.
  virtual Status finish() = 0;
  // It failed or was given up: removes what there is. Also called when open() failed.
  virtual void abandon() = 0;
  // From another thread, at any time: what finish() has yet to do may be given up.
  virtual void cancel() {}
};

// A file that is written under a temporary name and, when complete and durable, takes the place of `final_path` (if that
// is not empty). After a crash either the old file or the new one is there. While it is written the file is locked, which
// tells it from one that was left.
class FileSnapshotOutput final : public SnapshotOutput {
 public:
  // `files` outlives the output.
  FileSnapshotOutput(FileSystem& files, std::string temporary_path, std::string final_path)
      : files_(files), temporary_path_(std::move(temporary_path)), final_path_(std::move(final_path)) {}
  Status open() override;
  Status write(Bytes bytes) override;
  Status finish() override;
  void abandon() override;

 private:
  Status sync();

  FileSystem& files_;
  std::string temporary_path_;
  std::string final_path_;
  std::unique_ptr<File> file_;
  std::unique_ptr<FileLock> lock_;
  bool is_ours_ = false;
  uint64_t unsynced_bytes_ = 0;
};

struct SnapshotRequest {
  SnapshotKind kind = SnapshotKind::kSave;
  std::unique_ptr<SnapshotOutput> output;
  bool aof_base = false;  // the file begins an append-only log
  // Called on the loop when the output is finished or abandoned: from background(), never from start().
  std::function<void(const Status&)> done;
};

class Snapshots {
 public:
  static constexpr size_t kChunkBytes = 128 * 1024;
  static constexpr size_t kQueuedBytesSoft = 2 * 1024 * 1024;
  static constexpr size_t kQueuedBytesHard = 32 * 1024 * 1024;

  // All outlive this.
  Snapshots(Services& services, Worker& worker);
  ~Snapshots();
  Snapshots(const Snapshots&) = delete;
  Snapshots& operator=(const Snapshots&) = delete;

  // ---- Any kind of snapshot
  // Begins a snapshot of the data as they are now. False, and nothing happens, while one is running.
  [[nodiscard]] bool start(SnapshotRequest request);
  bool active() const { return run_ != nullptr; }
  // Requires: active().
  SnapshotKind kind() const;
  // Gives the running snapshot up. Its done() is told kCancelled.
  void cancel();
  // Writes a whole snapshot at once, on the loop: SAVE, DEBUG RELOAD, SHUTDOWN. Requires: !active().
  Status write_now(SnapshotOutput& output, bool aof_base);
  // Goes on with the running one until `deadline_us` of the monotonic clock. True when there is more to do at once.
  bool background(int64_t deadline_us);
  // Whether background() has to be called soon.
  bool pending() const { return run_ != nullptr || sweep_ != nullptr; }
  // Waits until the running one is over (SHUTDOWN).
  void finish();
  // Keys that the running one has written, and has to write. 0 without one.
  uint64_t keys_done() const;
  uint64_t keys_total() const;

 private:
  struct Pipeline;
  class Run;

  // Ends the run: its marks are swept in the background if it did not walk to its end.
  void end_run(const Status& status);
  uint8_t next_mark();

  Services& services_;
  Worker& worker_;
  std::unique_ptr<Run> run_;
  std::unique_ptr<SnapshotMarkSweep> sweep_;
  uint8_t mark_ = 0;
  int unswept_ = 0;  // marks in a row that may still be in the store
};

}  // namespace larder
