#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <string>

#include "base/log.h"

namespace larder {

namespace {

// One write call a line keeps lines of several threads and processes whole. A log that cannot be written must not stop
// the server: what does not go out is dropped.
void write_all(int fd, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

class StdoutLogSink final : public LogSink {
 public:
  void write_line(LogLevel, Bytes line) override { write_all(STDOUT_FILENO, line); }
};

class FileLogSink final : public LogSink {
 public:
  FileLogSink(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~FileLogSink() override { ::close(fd_); }
  FileLogSink(const FileLogSink&) = delete;
  FileLogSink& operator=(const FileLogSink&) = delete;

  void write_line(LogLevel, Bytes line) override {
    const std::lock_guard<std::mutex> guard(mutex_);
    reopen_if_moved();
    write_all(fd_, line);
  }

 private:
  // Log rotation renames the file and expects the next line in a new one.
  void reopen_if_moved() {
    struct stat by_path {};
    struct stat by_fd {};
    if (::fstat(fd_, &by_fd) != 0) return;
    if (::stat(path_.c_str(), &by_path) == 0 && by_path.st_ino == by_fd.st_ino && by_path.st_dev == by_fd.st_dev)
      return;
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    ::close(fd_);
    fd_ = fd;
  }

  const std::string path_;
  std::mutex mutex_;
  int fd_;
};

class SystemLogSink final : public LogSink {
 public:
  SystemLogSink(const std::string& identity, int facility_local) : identity_(identity) {
    constexpr int kFacilities[] = {LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                                   LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
    const int index = facility_local >= 0 && facility_local < 8 ? facility_local : 0;
    ::openlog(identity_.c_str(), LOG_PID | LOG_NDELAY | LOG_NOWAIT, kFacilities[index]);
  }
  ~SystemLogSink() override { ::closelog(); }

  void write_line(LogLevel level, Bytes line) override {
    constexpr int kPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_WARNING};
    if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
    ::syslog(kPriorities[static_cast<size_t>(level)], "%.*s", static_cast<int>(line.size()), line.data());
  }

 private:
  const std::string identity_;  // the system log keeps the pointer
};

}  // namespace

std::unique_ptr<LogSink> make_stdout_log_sink() { return std::make_unique<StdoutLogSink>(); }

Result<std::unique_ptr<LogSink>> open_file_log_sink(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return os_error(errno, "open log file " + path);
  return std::unique_ptr<LogSink>(std::make_unique<FileLogSink>(path, fd));
}

std::unique_ptr<LogSink> make_system_log_sink(const std::string& identity, int facility_local) {
  return std::make_unique<SystemLogSink>(identity, facility_local);
}

int64_t os_process_id() { return ::getpid(); }

}  // namespace larder
