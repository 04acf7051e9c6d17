#pragma once

// Which files make up the append-only log, in the format of Redis 7:
//
//     file appendonly.aof.2.base.rdb seq 2 type b
//     file appendonly.aof.1.incr.aof seq 1 type h
//     file appendonly.aof.5.incr.aof seq 5 type i
//
// b: the base, at most one; i: what was written since, in order of their numbers; h: history, to be removed. A name with
// blanks or other odd bytes is quoted as in a configuration file. Lines that start with '#' are comments.
//
// The file is only ever replaced as a whole (replace_file), so it is either the old one or the new one after a crash.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// Names of the parts for an `appendfilename`.
std::string aof_manifest_name(const std::string& file_name);
std::string aof_base_name(const std::string& file_name, uint64_t sequence, bool is_rdb);
std::string aof_incr_name(const std::string& file_name, uint64_t sequence);
// What an incremental file is called before a base is there that it could follow.
std::string unnamed_aof_incr_name(const std::string& file_name, uint64_t sequence);

// What the name of a base or of an incremental file says; nothing if it is no part of this log.
struct AofPart {
  uint64_t sequence = 0;
  bool is_base = false;
};
std::optional<AofPart> aof_part_of_name(const std::string& file_name, Bytes name);
bool is_unnamed_aof_incr(const std::string& file_name, Bytes name);
// The `appendfilename` of the log whose manifest or part is called so; empty: it is called like neither.
std::string log_of_aof_name(Bytes name);

struct AofManifest {
  struct File {
    std::string name;  // without a folder
    uint64_t sequence = 0;
    bool operator==(const File&) const = default;
  };

  std::optional<File> base;
  std::vector<File> incremental;  // numbers rise
  std::vector<File> history;

  // What a manifest may hold, from a disk that may be damaged or in the hands of others.
  static constexpr size_t kTextBytesMax = 16 * 1024 * 1024;

  // kCorruption with the line's number when the text is none.
  static Result<AofManifest> parse(Bytes text);
  std::string text() const;

  bool empty() const { return !base && incremental.empty(); }
  // The number of the next base or incremental file.
  uint64_t next_base_sequence() const { return base ? base->sequence + 1 : 1; }
  uint64_t next_incremental_sequence() const { return incremental.empty() ? 1 : incremental.back().sequence + 1; }
  bool operator==(const AofManifest&) const = default;
};

// Reads the manifest in `directory`; an empty one when there is none.
Result<AofManifest> read_aof_manifest(FileSystem& files, const std::string& directory, const std::string& file_name);
// kCorruption, and nothing is written, when it could not be read: a name of very many odd bytes.
Status write_aof_manifest(FileSystem& files, const std::string& directory, const std::string& file_name,
                          const AofManifest& manifest);

// Keeps other servers from the log of the manifest as long as it lives: locks the last incremental file, as AofWriter does with each that
// it begins.
// kBusy: a server keeps it, still after so many milliseconds. Null where there is no such file, or the file system knows no locks.
Result<std::shared_ptr<FileLock>> lock_aof(FileSystem& files, const std::string& directory, const AofManifest& manifest,
                                           int64_t wait_ms = 0);

// Takes a log of one file (Redis 6 and older), `old_directory`/`file_name`, into `directory` as the base of a new
// manifest. Does nothing and returns false when there is no such file or the folder has a manifest already.
Result<bool> adopt_single_file_aof(FileSystem& files, const std::string& old_directory, const std::string& directory,
                                   const std::string& file_name);

}  // namespace larder
