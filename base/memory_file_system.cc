#include "base/memory_file_system.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/random.h"

namespace larder {

namespace {

// Content as a reader sees it and as it would be found after a power cut. Both of a file that was renamed move along
// with it.
struct Node {
  std::string seen;
  std::string synced;
};

using Names = std::map<std::string, std::shared_ptr<Node>>;

}  // namespace

struct MemoryFileSystem::State {
  Names seen;    // path -> file, as programs see it
  Names synced;  // path -> file, as after a power cut
  std::set<std::string> directories{"/", "."};
  std::map<std::string, uint64_t> locks;  // which one, by the path that its file has now
  uint64_t locks_made = 0;
  uint64_t calls = 0;
  uint64_t fail_at = 0;  // 0: never
  bool fail_later_too = false;
  ErrorCode fail_code = ErrorCode::kIo;
  size_t torn_bytes = 0;
  uint64_t capacity_bytes = UINT64_MAX;
  uint64_t boots = 0;  // handles of an earlier boot are dead

  uint64_t used_bytes() const {
    uint64_t total = 0;
    for (const auto& [path, node] : seen) total += node->seen.size();
    return total;
  }

  // Counts a changing call; says whether this is one that must fail.
  Status enter(const std::string& what) {
    calls++;
    const bool fails = fail_at != 0 && (calls == fail_at || (fail_later_too && calls > fail_at));
    if (fails) return Error{fail_code, what + ": injected failure"};
    return {};
  }
};

namespace {

class MemoryFile final : public File {
 public:
  MemoryFile(std::shared_ptr<MemoryFileSystem::State> state, std::shared_ptr<Node> node, std::string path,
             bool writable)
      : state_(std::move(state)),
        node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable),
        boot_(state_->boots) {}

  Result<size_t> read(char* out, size_t n) override {
    LARDER_TRY_ASSIGN(const size_t got, read_at(position_, out, n));
    position_ += got;
    return got;
  }

  Result<size_t> read_at(uint64_t offset, char* out, size_t n) override {
    LARDER_TRY(alive("read"));
    const std::string& content = node_->seen;
    if (offset >= content.size()) return size_t{0};
    const size_t got = std::min(n, content.size() - static_cast<size_t>(offset));
    std::memcpy(out, content.data() + offset, got);
    return got;
  }

  Status append(Bytes bytes) override { return write_at(node_->seen.size(), bytes); }

  Status write_at(uint64_t offset, Bytes bytes) override {
    LARDER_TRY(alive("write"));
    if (!writable_) return Error{ErrorCode::kPermission, "write " + path_};
    LARDER_ASSERT(offset <= node_->seen.size());
    const Status injected = state_->enter("write " + path_);
    if (!injected.ok()) {
      overwrite(offset, bytes.substr(0, state_->torn_bytes));
      return injected;
    }
    const uint64_t used = state_->used_bytes();
    const uint64_t room = state_->capacity_bytes > used ? state_->capacity_bytes - used : 0;
    const uint64_t fits = node_->seen.size() - offset + room;
    overwrite(offset, bytes.substr(0, static_cast<size_t>(std::min<uint64_t>(fits, bytes.size()))));
    if (bytes.size() > fits) return Error{ErrorCode::kNoSpace, "write " + path_ + ": no space left"};
    return {};
  }

  Status sync() override {
    LARDER_TRY(alive("sync"));
    LARDER_TRY(state_->enter("sync " + path_));
    node_->synced = node_->seen;
    return {};
  }

  Status truncate(uint64_t size_bytes) override {
    LARDER_TRY(alive("truncate"));
    LARDER_TRY(state_->enter("truncate " + path_));
    node_->seen.resize(static_cast<size_t>(size_bytes), '\0');
    return {};
  }

  Result<uint64_t> size() const override {
    LARDER_TRY(alive("stat"));
    return uint64_t{node_->seen.size()};
  }

  Status close() override {
    closed_ = true;
    return {};
  }

 private:
  void overwrite(uint64_t offset, Bytes bytes) {
    std::string& content = node_->seen;
    content.resize(std::max(content.size(), static_cast<size_t>(offset) + bytes.size()));
    if (!bytes.empty()) std::memcpy(content.data() + offset, bytes.data(), bytes.size());
  }
  Status alive(const char* operation) const {
    if (!closed_ && boot_ == state_->boots) return {};
    return Error{ErrorCode::kIo, std::string(operation) + " " + path_ + ": the handle is closed"};
  }

  const std::shared_ptr<MemoryFileSystem::State> state_;
  const std::shared_ptr<Node> node_;
  const std::string path_;
  const bool writable_;
  const uint64_t boot_;
  uint64_t position_ = 0;
  bool closed_ = false;
};

class MemoryFileLock final : public FileLock {
 public:
  MemoryFileLock(std::shared_ptr<MemoryFileSystem::State> state, uint64_t number)
      : state_(std::move(state)), number_(number) {}
  ~MemoryFileLock() override {
    std::erase_if(state_->locks, [this](const auto& lock) { return lock.second == number_; });
  }

 private:
  const std::shared_ptr<MemoryFileSystem::State> state_;
  const uint64_t number_;
};

Error not_found(const std::string& what) { return {ErrorCode::kNotFound, what + ": no such file"}; }

}  // namespace

MemoryFileSystem::MemoryFileSystem() : state_(std::make_shared<State>()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path, OpenMode mode) {
  const bool writes = mode != OpenMode::kRead;
  if (writes) LARDER_TRY(state_->enter("open " + path));
  auto found = state_->seen.find(path);
  const bool present = found != state_->seen.end();
  if (!present && (mode == OpenMode::kRead || mode == OpenMode::kReadWrite)) return not_found("open " + path);
  if (present && mode == OpenMode::kCreateNew) return Error{ErrorCode::kAlreadyExists, "open " + path};
  if (!present && state_->directories.count(parent_path(path)) == 0) return not_found("open " + path);
  if (!present) found = state_->seen.emplace(path, std::make_shared<Node>()).first;
  if (mode == OpenMode::kTruncate) found->second->seen.clear();
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(state_, found->second, path, writes));
}

Status MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  LARDER_TRY(state_->enter("rename " + from));
  const auto found = state_->seen.find(from);
  if (found == state_->seen.end()) return not_found("rename " + from);
  if (from == to) return {};
  state_->seen[to] = std::move(found->second);
  state_->seen.erase(found);
  state_->locks.erase(to);
  if (auto lock = state_->locks.extract(from)) {
    lock.key() = to;
    state_->locks.insert(std::move(lock));
  }
  return {};
}

Status MemoryFileSystem::remove(const std::string& path) {
  LARDER_TRY(state_->enter("remove " + path));
  state_->locks.erase(path);
  if (state_->seen.erase(path) == 0 && state_->directories.erase(path) == 0) return not_found("remove " + path);
  return {};
}

Status MemoryFileSystem::sync_directory(const std::string& path) {
  LARDER_TRY(state_->enter("sync directory " + path));
  if (state_->directories.count(path) == 0) return not_found("sync directory " + path);
  const auto inside = [&path](const auto& name) { return parent_path(name.first) == path; };
  for (auto at = state_->synced.begin(); at != state_->synced.end();) {
    at = inside(*at) ? state_->synced.erase(at) : std::next(at);
  }
  for (const auto& name : state_->seen) {
    if (inside(name)) state_->synced.insert(name);
  }
  return {};
}

Result<std::vector<DirectoryEntry>> MemoryFileSystem::list(const std::string& path) {
  if (state_->directories.count(path) == 0) return not_found("list " + path);
  std::vector<DirectoryEntry> entries;
  const auto add = [&](const std::string& full, bool is_directory) {
    if (full == path || full == "." || parent_path(full) != path) return;
    const size_t slash = full.find_last_of('/');
    entries.push_back({slash == std::string::npos ? full : full.substr(slash + 1), is_directory});
  };
  for (const auto& [full, node] : state_->seen) add(full, false);
  for (const std::string& full : state_->directories) add(full, true);
  return entries;
}

Status MemoryFileSystem::make_directory(const std::string& path) {
  LARDER_TRY(state_->enter("make directory " + path));
  if (state_->directories.count(parent_path(path)) == 0) return not_found("make directory " + path);
  if (!state_->directories.insert(path).second) return Error{ErrorCode::kAlreadyExists, "make directory " + path};
  return {};
}

Result<bool> MemoryFileSystem::exists(const std::string& path) {
  return state_->seen.count(path) != 0 || state_->directories.count(path) != 0;
}

Result<uint64_t> MemoryFileSystem::file_size(const std::string& path) {
  const auto found = state_->seen.find(path);
  if (found == state_->seen.end()) return not_found("stat " + path);
  return uint64_t{found->second->seen.size()};
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::lock(const std::string& path, int64_t /*wait_ms*/) {
  const uint64_t number = ++state_->locks_made;
  if (!state_->locks.emplace(path, number).second) return Error{ErrorCode::kBusy, "lock " + path};
  return std::unique_ptr<FileLock>(std::make_unique<MemoryFileLock>(state_, number));
}

uint64_t MemoryFileSystem::call_count() const { return state_->calls; }

void MemoryFileSystem::fail_call(uint64_t n, ErrorCode code, bool and_after) {
  state_->fail_at = n == 0 ? 0 : state_->calls + n;
  state_->fail_code = code;
  state_->fail_later_too = and_after;
}

void MemoryFileSystem::set_torn_bytes(size_t bytes) { state_->torn_bytes = bytes; }
void MemoryFileSystem::set_capacity(uint64_t bytes) { state_->capacity_bytes = bytes; }

namespace {

// What reached the disk of bytes that were written over synced ones. Returns how many bytes behind the synced ones are in a
// sector that did not: they read as zero.
size_t tear_sectors(Node& node, Random& random) {
  constexpr size_t kBytes = MemoryFileSystem::kSectorBytes;
  if (node.seen.size() < node.synced.size()) return 0;
  size_t lost_behind = 0;
  for (size_t at = 0; at < node.synced.size(); at += kBytes) {
    const size_t count = std::min(kBytes, node.synced.size() - at);
    if (random.one_in(2)) {
      node.synced.replace(at, count, node.seen, at, count);
    } else if (node.seen.compare(at, count, node.synced, at, count) != 0) {
      lost_behind = kBytes - count;
    }
  }
  node.seen.replace(0, node.synced.size(), node.synced);
  return lost_behind;
}

}  // namespace

void MemoryFileSystem::power_cut(size_t kept_unsynced_bytes, uint64_t sector_seed) {
  Random random(sector_seed);
  state_->boots++;
  state_->locks.clear();
  state_->seen = state_->synced;
  for (auto& [path, node] : state_->seen) {
    const size_t lost_behind = sector_seed != 0 ? tear_sectors(*node, random) : 0;
    // Bytes behind the synced ones may have reached the disk; what the sync covered certainly did.
    const bool extends =
        node->seen.size() > node->synced.size() && node->seen.compare(0, node->synced.size(), node->synced) == 0;
    const size_t extra = extends ? std::min(kept_unsynced_bytes, node->seen.size() - node->synced.size()) : 0;
    std::string kept = node->seen.substr(extends ? node->synced.size() : 0, extra);
    std::fill_n(kept.begin(), std::min(kept.size(), lost_behind), '\0');
    node->synced += kept;
    node->seen = node->synced;
  }
}

void MemoryFileSystem::set_content(const std::string& path, Bytes content) {
  auto node = std::make_shared<Node>();
  node->seen.assign(content);
  node->synced = node->seen;
  state_->seen[path] = node;
  state_->synced[path] = node;
  for (std::string directory = parent_path(path); state_->directories.insert(directory).second;) {
    directory = parent_path(directory);
  }
}

std::string MemoryFileSystem::content(const std::string& path) const {
  const auto found = state_->seen.find(path);
  LARDER_ASSERT(found != state_->seen.end());
  return found->second->seen;
}

}  // namespace larder
