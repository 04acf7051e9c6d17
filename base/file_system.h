// Files behind an interface, so that tests can fail any call and lose un-synced bytes (memory_file_system.h) and the
// simulator can own the disk. Paths are as the operating system takes them. All calls may block: they belong to helper
// threads. Errors carry the operation, the path and the system's text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace larder {

enum class OpenMode : uint8_t {
  kRead,       // must exist
  kTruncate,   // write; created, or emptied if it exists
  kAppend,     // write at the end; created if it does not exist
  kReadWrite,  // must exist; append() writes at the end
  kCreateNew,  // write; must not exist
  kOverwrite,  // write_at(); created if it does not exist
};

// What disks and memory pages are multiples of, nearly everywhere.
inline constexpr size_t kBlockBytes = 4096;

// An open file. Closed by the destructor; call close() to learn of errors that only closing reports.
class File {
 public:
  virtual ~File() = default;

  // Reads up to `n` bytes at the read position and moves it. Returns the number read; 0 is the end of the file.
  virtual Result<size_t> read(char* out, size_t n) = 0;
  // Reads up to `n` bytes at `offset` without moving the read position.
  virtual Result<size_t> read_at(uint64_t offset, char* out, size_t n) = 0;
  // Writes all of `bytes` at the end. After an error an unknown part may have been written: truncate or give up.
  virtual Status append(Bytes bytes) = 0;
  // Writes all of `bytes` over what is there from `offset` on, and beyond the end. After an error as append(). Bytes that
  // are overwritten and not synced may be the old or the new ones after a crash, each sector by itself.
  // Requires: kOverwrite; offset <= size.
  virtual Status write_at(uint64_t offset, Bytes bytes) = 0;
  // The same, for much that is not going to be read soon. What is aligned (offset, address and length, each to kBlockBytes)
  // may go to the disk around the system's cache, where that is possible, which takes less of the processor and waits for
  // the disk. Not durable before sync() either.
  virtual Status write_uncached_at(uint64_t offset, Bytes bytes) { return write_at(offset, bytes); }
  // Returns when everything written is on stable storage. After an error nothing may be assumed about un-synced bytes.
  virtual Status sync() = 0;
  // What was synced is not going to be read soon: the system may use the memory in which it keeps it for something else.
  virtual void forget_cached() {}
  virtual Status truncate(uint64_t size_bytes) = 0;
  virtual Result<uint64_t> size() const = 0;
  virtual Status close() = 0;
};

// Holds an advisory lock until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct DirectoryEntry {
  std::string name;  // without the directory
  bool is_directory = false;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Replaces `to` if it exists, atomically. Durable only after sync_directory of the directory.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  // In no particular order, without "." and "..".
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
  virtual Status make_directory(const std::string& path) = 0;  // kAlreadyExists if there is one
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<uint64_t> file_size(const std::string& path) = 0;
  // An exclusive advisory lock on the file (created if needed), or kBusy when somebody else holds it, still after so many
  // milliseconds (simulations do not wait).
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, int64_t wait_ms = 0) = 0;
};

// The machine's own file system (os_file_system.cc).
std::unique_ptr<FileSystem> make_os_file_system();

// Reads a whole file. kResourceLimit when it is larger than `size_bytes_max`.
Result<std::string> read_file(FileSystem& files, const std::string& path, uint64_t size_bytes_max);

// Replaces a file so that after a crash either the old or the new content is there: writes `path`.tmp beside it, syncs
// it, renames it over `path` and syncs the directory.
Status replace_file(FileSystem& files, const std::string& path, Bytes content);

// "a/b" from "a" and "b"; an absolute name is returned as it is.
std::string join_path(const std::string& directory, const std::string& name);
// The directory part of a path: "." when there is none.
std::string parent_path(const std::string& path);

}  // namespace larder
