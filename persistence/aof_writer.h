#pragma once

// The writing half of the append-only log: groups of commands to files, and the files' places in the manifest. Bytes and
// files only; what runs it, and on which thread, is server/core/append_log.h.
//
// A group is kept in memory until it is safe: synced, or with SyncRule::kNever written. After any failure of the disk the
// writer is `failed()`: nothing is assumed about the current file behind its last safe byte, groups are only kept, and
// heal() tries the one way out, which never trusts a sync that follows a failed one:
//
//     cut the file at its last safe byte, sync it;  kept groups -> a new incremental file, sync it;  name it in the manifest
//
// When it was a write that failed, and no sync, what was written whole before it is synced first, which makes it safe: with a full
// disk there may be no way for the rest for long, and a process that ends meanwhile loses only that.
//
// With SyncRule::kAlways the file is longer than what is in it: padding lies behind the last group, and the next one is
// written over it, because a sync that changes neither the file's length nor its place on the disk costs the file system
// no commit of its journal. The padding is cut off when the file is finished; a start finds it behind the last group.
//
// Else large groups are filled up to the end of a block with lines that everybody skips, so that they can be written
// around the system's cache: copying to it, and what it does with its pages, is half of what a log costs.
//
// Invariant: at every call of the file system the manifest on the disk names files that together hold a complete history, up
// to a group that is at least durable_number(). Numbers of files are never used twice, so that a manifest whose
// replacement may or may not have reached the disk cannot name a file with other contents.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "persistence/aof_buffers.h"
#include "persistence/aof_format.h"
#include "persistence/aof_manifest.h"

namespace larder {

enum class AofSyncRule : uint8_t { kAlways, kEverySecond, kNever };

// What waits to be written: kAofGroupLineBytes of room, then commands.
struct AofGroup {
  Buffer bytes;
  uint64_t number = 0;  // of its last tick, counted by whoever appends; rises
  uint32_t commands = 0;
  // The database that must be selected where its commands begin, and the one that is where they end; -1: it does not matter.
  int32_t db_before = -1;
  int32_t db_after = -1;

  // Room for the group's line, and for `bytes` in all without growing.
  static Buffer with_room(size_t bytes = kAofGroupLineBytes) {
    Buffer buffer;
    buffer.reserve(std::max(bytes, kAofGroupLineBytes));
    buffer.commit(kAofGroupLineBytes);
    return buffer;
  }
  bool empty() const { return bytes.size() <= kAofGroupLineBytes; }
};

class AofWriter {
 public:
  struct Options {
    std::string directory;  // appenddirname, below the server's folder
    std::string file_name;  // appendfilename
    uint64_t random_seed = 0;
    // Groups from this size on end at the end of a block, and are written around the system's cache.
    size_t uncached_bytes_min = 64 * 1024;
  };
  // Where a file that was loaded ends, so that it can be gone on with.
  struct Resume {
    std::optional<uint64_t> salt;
    uint64_t last_sequence = 0;
    // Where it ends, if padding is behind.
    std::optional<uint64_t> end = {};
    std::shared_ptr<FileLock> lock = {};  // of lock_aof(), since before it was read
  };

  AofWriter(FileSystem& files, Options options);

  // Goes on with the last incremental file of `manifest`, or begins a first one. The manifest on the disk is current
  // when this returns well.
  Status open(AofManifest manifest, const Resume& resume);
  // Begins a new incremental file that the manifest names only together with a base, in adopt_base(): for a log that is
  // turned on while there are data. The manifest on the disk is left alone until then. Nothing is synced here, so that the
  // loop may call it; adopt_base() does.
  // `lock`: of lock_aof(), of the log that the manifest names.
  Status open_without_base(AofManifest manifest, std::shared_ptr<FileLock> lock = {});

  void set_sync_rule(AofSyncRule rule) { sync_rule_ = rule; }

  // Takes the group over, in any state. The group is kept when the writer has failed or fails now.
  Status append(AofGroup group);
  // The memory for groups under the rules that let them gather. Of any thread.
  AofBuffers& buffers() { return buffers_; }
  // Whether large groups may go around the system's cache, which takes less of the processor, but waits for the disk.
  void set_avoids_cache(bool avoids) { avoids_cache_ = avoids; }
  // Everything appended is durable when this returns well.
  Status sync();
  // Says in the file what is durable, if it does not say so yet.
  Status claim();
  // Finishes the current file and begins the next. Its number is then first_sequence of a later adopt_base().
  Result<uint64_t> rotate();
  // Makes the synced file `temporary_name` (in the log's folder) the base of the files from `first_sequence` on, and
  // removes what it replaces.
  // Without a name there is nothing that a base would hold.
  Status adopt_base(const std::string& temporary_name, bool is_rdb, uint64_t first_sequence);
  // Removes a base that is not adopted.
  void remove_temporary(const std::string& name) { (void)files_.remove(path_of(name)); }
  // Sync, claim, close.
  Status close();
  // Of a log that was given up before it had a base nothing is left.
  void remove_unnamed_files();

  bool failed() const { return !failure_.ok(); }
  const Status& failure() const { return failure_; }
  Status heal();

  // Numbers of groups: what was appended without a failure, what is synced.
  uint64_t written_number() const { return written_number_; }
  uint64_t durable_number() const { return durable_number_; }
  // A sync has failed on groups that were not kept (SyncRule::kNever): only a base that is made from now on brings back
  // what may be lost. Until it is adopted durable_number() stays where it is.
  bool needs_base() const { return needs_base_; }
  bool has_unsynced() const { return safe_bytes_ < file_bytes_ || !kept_.empty(); }
  bool has_unclaimed() const { return claimed_sequence_ != durable_sequence_; }
  uint64_t kept_bytes() const { return kept_bytes_; }
  // Bytes of the files that make up the log.
  uint64_t log_bytes() const { return other_files_bytes_ + file_bytes_; }
  const AofManifest& manifest() const { return manifest_; }
  // When it was opened there was no manifest, but files that one may have named.
  bool has_unnamed_files() const { return has_unnamed_files_; }
  const std::string& directory() const { return options_.directory; }

 private:
  std::string path_of(const std::string& name) const { return join_path(options_.directory, name); }
  Status prepare_directory();
  // Numbers of files that are in the folder are not used again, whoever made them.
  Status count_from(const AofManifest& manifest);
  Status resume_file(const Resume& resume);
  // Before there is a base they have names of their own, by which a start knows what is left of a server that was killed.
  std::string incremental_name(uint64_t sequence) const;
  // Creates and syncs an incremental file with its first line; it becomes the current one.
  Status begin_file();
  Status write_group(AofGroup& group, bool around_cache = false);
  void keep(AofGroup group);
  void drop_kept();
  // Those up to group `number`.
  void drop_kept_until(uint64_t number);
  // At the end of what is in the file.
  Status put(Bytes bytes, bool around_cache = false);
  // Sees to it that padding or nothing is behind the end when `bytes` have been written there.
  Status make_room(uint64_t bytes);
  // Nothing is behind the end.
  Status cut_padding();
  // As far as it names our files.
  Status write_manifest();
  Status replace_manifest(const AofManifest& manifest);
  static Status write_file_line(File& file, uint64_t salt);
  Status name_incremental_files(uint64_t first_sequence);
  Status name_base(const std::string& temporary_name, bool is_rdb, uint64_t first_sequence);
  // All that a manifest is about to name for the first time is on the disk.
  Status prepare_to_be_named();
  void note_synced();
  // Everything is synced, and the file says so.
  Status finish_file();
  Status write_kept_anew();
  Status fail(Status why);
  Status fail_sync(Status why);
  Status sync_what_is_whole();
  Status cut_current_file();
  uint64_t file_size_or_zero(const std::string& name) const;
  void count_other_files();
  void remove_history();
  void drop_base(const AofManifest::File& base);

  FileSystem& files_;
  const Options options_;
  Random random_;
  AofSyncRule sync_rule_ = AofSyncRule::kEverySecond;
  bool avoids_cache_ = true;
  AofManifest manifest_;
  bool names_files_ = true;       // false: the base is not complete, so the manifest is left alone
  uint64_t unnamed_from_ = 0;     // without it: the first file that is ours
  bool is_begun_durably_ = true;  // the first line of the current file is synced
  bool has_unnamed_files_ = false;
  uint64_t last_base_sequence_ = 0;
  uint64_t last_incremental_sequence_ = 0;

  std::unique_ptr<File> file_;
  // Of the file, and of the last one that the manifest names: other servers are kept from both.
  std::shared_ptr<FileLock> lock_;
  std::shared_ptr<FileLock> named_lock_;
  AofManifest::File file_entry_;
  uint64_t salt_ = 0;
  uint64_t sequence_ = 0;          // of the last group in the file
  uint64_t durable_sequence_ = 0;  // of the last synced one
  uint64_t claimed_sequence_ = 0;  // up to which the file itself says so
  uint64_t file_bytes_ = 0;        // complete groups; while a write fails maybe some of the next one
  uint64_t whole_bytes_ = 0;       // complete groups and lines
  uint64_t padded_bytes_ = 0;      // the file's length: padding is behind file_bytes_
  bool pads_ = true;               // there was room on the disk
  uint64_t safe_bytes_ = 0;        // synced; with kNever written
  uint64_t safe_sequence_ = 0;     // of the last group in them
  bool is_cut_ = false;            // there, and with the claim behind them
  uint64_t claim_bytes_ = 0;       // the end of them, when it is a claim that is not synced
  uint64_t other_files_bytes_ = 0;

  AofBuffers buffers_;
  std::deque<AofGroup> kept_;  // not safe yet, oldest first
  uint64_t kept_bytes_ = 0;
  int32_t selected_db_ = -1;  // where the commands of the last group end
  uint64_t written_number_ = 0;
  uint64_t durable_number_ = 0;
  uint64_t dropped_number_ = 0;  // the last group that was not kept until it was synced
  bool needs_base_ = false;
  uint64_t mended_from_ = 0;  // a base of the files from this one on holds what may be lost; 0: not rotated since
  Status failure_;
  bool sync_failed_ = false;  // of the current file: it is not tried again with the same bytes
};

}  // namespace larder
