// A file system in memory for tests: it can fail any call and lose what was not synced.
//
// Each file keeps two contents, the one a reader sees and the one that was synced; each directory likewise keeps the
// names that were synced. power_cut() throws the un-synced ones away, as a machine that lost power may. Handles that
// were open then fail with kIo. A test that must survive any crash loops `fail_call(n)` or `power_cut()` over every n.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/file_system.h"

namespace larder {

class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Status make_directory(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<uint64_t> file_size(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, int64_t wait_ms = 0) override;

  // Calls so far that change or sync something (opens for writing, appends, syncs, renames, removes, truncates).
  uint64_t call_count() const;
  // From now on the `n`-th such call (1 is the next one) fails with `code`; with `and_after` also all later ones. 0
  // turns it off.
  void fail_call(uint64_t n, ErrorCode code = ErrorCode::kIo, bool and_after = false);
  // A failing append still writes this many of its bytes first (a torn write). Default 0.
  void set_torn_bytes(size_t bytes);
  // Total bytes that fit; more gives kNoSpace. Default: no limit.
  void set_capacity(uint64_t bytes);

  // Drops every byte and every name that was not synced and breaks the open handles. `kept_unsynced_bytes` may let the
  // first few un-synced bytes behind the end of each file survive, as a real disk does, and with a `sector_seed` half of
  // the sectors that were overwritten and not synced.
  static constexpr size_t kSectorBytes = 64;  // small, so that small files are torn
  void power_cut(size_t kept_unsynced_bytes = 0, uint64_t sector_seed = 0);

  // Shortcuts for tests. set_content also syncs. content asserts that the file exists.
  void set_content(const std::string& path, Bytes content);
  std::string content(const std::string& path) const;

  struct State;  // shared with the handles

 private:
  std::shared_ptr<State> state_;
};

}  // namespace larder
