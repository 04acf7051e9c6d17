#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/file_system.h"

namespace larder {

namespace {

constexpr mode_t kFileMode = 0644;
constexpr int64_t kLockPollMs = 10;
constexpr mode_t kDirectoryMode = 0755;

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kTruncate:
      return O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    case OpenMode::kAppend:
      return O_WRONLY | O_CREAT | O_APPEND;
    case OpenMode::kReadWrite:
      return O_RDWR | O_APPEND;
    case OpenMode::kCreateNew:
      return O_WRONLY | O_CREAT | O_EXCL | O_APPEND;
    case OpenMode::kOverwrite:
      return O_RDWR | O_CREAT;
  }
  LARDER_UNREACHABLE();
}

// Repeats a system call that a signal interrupted.
template <class Call>
auto retried(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

class OsFile final : public File {
 public:
  OsFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~OsFile() override {
    if (fd_ >= 0) ::close(fd_);
  }
  OsFile(const OsFile&) = delete;
  OsFile& operator=(const OsFile&) = delete;

  Result<size_t> read(char* out, size_t n) override {
    LARDER_TRY(use_cache());
    const ssize_t got = retried([&] { return ::read(fd_, out, n); });
    if (got < 0) return failed("read");
    return static_cast<size_t>(got);
  }

  Result<size_t> read_at(uint64_t offset, char* out, size_t n) override {
    LARDER_TRY(use_cache());
    const ssize_t got = retried([&] { return ::pread(fd_, out, n, static_cast<off_t>(offset)); });
    if (got < 0) return failed("read");
    return static_cast<size_t>(got);
  }

  Status append(Bytes bytes) override {
    LARDER_TRY(use_cache());
    return write_all(bytes, [&](Bytes rest) { return ::write(fd_, rest.data(), rest.size()); });
  }

  Status write_at(uint64_t offset, Bytes bytes) override {
    LARDER_TRY(use_cache());
    return write_all(bytes, [&](Bytes rest) {
      return ::pwrite(fd_, rest.data(), rest.size(), static_cast<off_t>(offset + bytes.size() - rest.size()));
    });
  }

  Status write_uncached_at(uint64_t offset, Bytes bytes) override {
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    if ((offset | address | bytes.size()) % kBlockBytes == 0 && avoid_cache()) {
      const ssize_t wrote =
          retried([&] { return ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      // Of this file, or of this alignment, the system cannot do it.
      if (wrote < 0 && errno != EINVAL) return failed("write");
      refuses_direct_ = wrote < 0;
      const auto done = static_cast<size_t>(std::max<ssize_t>(wrote, 0));
      bytes.remove_prefix(done);
      offset += done;
    }
    return bytes.empty() ? Status() : write_at(offset, bytes);
  }

  Status sync() override {
    // fdatasync also writes the size, which is all the metadata that reading the bytes back needs.
    if (retried([&] { return ::fdatasync(fd_); }) != 0) return failed("sync");
    return {};
  }

  void forget_cached() override {
#ifdef POSIX_FADV_DONTNEED
    (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
#endif
  }

  Status truncate(uint64_t size_bytes) override {
    if (retried([&] { return ::ftruncate(fd_, static_cast<off_t>(size_bytes)); }) != 0) return failed("truncate");
    return {};
  }

  Result<uint64_t> size() const override {
    struct stat facts {};
    if (::fstat(fd_, &facts) != 0) return failed("stat");
    return static_cast<uint64_t>(facts.st_size);
  }

  Status close() override {
    const int fd = std::exchange(fd_, -1);
    // Not repeated on EINTR: on Linux the descriptor is gone either way.
    if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) return failed("close");
    return {};
  }

 private:
  // write(rest) writes a part of what is left of `bytes`, as ::write() does.
  template <class Write>
  Status write_all(Bytes bytes, Write write) {
    while (!bytes.empty()) {
      const ssize_t wrote = retried([&] { return write(bytes); });
      if (wrote < 0) return failed("write");
      bytes.remove_prefix(static_cast<size_t>(wrote));
    }
    return {};
  }
  // Switches between writing through the system's cache and around it.
  bool avoid_cache() {
    if (!is_direct_ && !refuses_direct_) refuses_direct_ = !set_direct(true);
    return is_direct_ && !refuses_direct_;
  }
  Status use_cache() {
    if (is_direct_ && !set_direct(false)) return failed("fcntl");
    return {};
  }
  bool set_direct(bool wanted) {
    const int flags = ::fcntl(fd_, F_GETFL);
    if (flags < 0 || ::fcntl(fd_, F_SETFL, wanted ? flags | O_DIRECT : flags & ~O_DIRECT) != 0) return false;
    is_direct_ = wanted;
    return true;
  }
  Error failed(const char* operation) const { return os_error(errno, std::string(operation) + " " + path_); }

  const std::string path_;
  int fd_;
  bool is_direct_ = false;
  bool refuses_direct_ = false;
};

class OsFileLock final : public FileLock {
 public:
  explicit OsFileLock(int fd) : fd_(fd) {}
  ~OsFileLock() override { ::close(fd_); }  // gives the lock back
  OsFileLock(const OsFileLock&) = delete;
  OsFileLock& operator=(const OsFileLock&) = delete;

 private:
  const int fd_;
};

class OsFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const int fd = retried([&] { return ::open(path.c_str(), open_flags(mode) | O_CLOEXEC, kFileMode); });
    if (fd < 0) return os_error(errno, "open " + path);
    return std::unique_ptr<File>(std::make_unique<OsFile>(path, fd));
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return os_error(errno, "rename " + from + " to " + to);
    return {};
  }

  Status remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return os_error(errno, "remove " + path);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    const int fd = retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (fd < 0) return os_error(errno, "open directory " + path);
    const int outcome = retried([&] { return ::fsync(fd); });
    const int error_number = errno;
    ::close(fd);
    // Some file systems cannot sync a directory and say EINVAL: their renames are durable by themselves or never.
    if (outcome != 0 && error_number != EINVAL) return os_error(error_number, "sync directory " + path);
    return {};
  }

  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return os_error(errno, "list " + path);
    std::vector<DirectoryEntry> entries;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
      const Bytes name(entry->d_name);
      if (name != "." && name != "..") entries.push_back({std::string(name), is_directory(path, entry)});
      errno = 0;
    }
    const int error_number = errno;
    ::closedir(directory);
    if (error_number != 0) return os_error(error_number, "list " + path);
    return entries;
  }

  Status make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), kDirectoryMode) != 0) return os_error(errno, "make directory " + path);
    return {};
  }

  Result<bool> exists(const std::string& path) override {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return os_error(errno, "stat " + path);
  }

  Result<uint64_t> file_size(const std::string& path) override {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return os_error(errno, "stat " + path);
    return static_cast<uint64_t>(facts.st_size);
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path, int64_t wait_ms) override {
    const int fd = retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode); });
    if (fd < 0) return os_error(errno, "open " + path);
    int outcome = ::flock(fd, LOCK_EX | LOCK_NB);
    for (int64_t waited_ms = 0; outcome != 0 && errno == EWOULDBLOCK && waited_ms < wait_ms; waited_ms += kLockPollMs) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kLockPollMs));
      outcome = ::flock(fd, LOCK_EX | LOCK_NB);
    }
    if (outcome != 0) {
      const int error_number = errno;
      ::close(fd);
      return os_error(error_number == EWOULDBLOCK ? EBUSY : error_number, "lock " + path);
    }
    return std::unique_ptr<FileLock>(std::make_unique<OsFileLock>(fd));
  }

 private:
  static bool is_directory(const std::string& parent, const dirent* entry) {
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
    struct stat facts {};
    return ::stat(join_path(parent, entry->d_name).c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_os_file_system() { return std::make_unique<OsFileSystem>(); }

}  // namespace larder
