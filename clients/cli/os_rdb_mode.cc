// --rdb: the server sends what it would send a new replica, and that goes to a file.
//
// SYNC is answered with "$<bytes>\r\n" and the snapshot, with empty lines before it while the snapshot is made. A server
// that has no replicas (Larder) refuses.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/number_text.h"
#include "clients/cli/modes.h"

namespace larder::cli {
namespace {

constexpr size_t kRawReadBytes = 64 * 1024;
constexpr size_t kLineBytesMax = 1024;

// The bytes of a connection that are no replies.
class RawInput {
 public:
  explicit RawInput(int fd) : fd_(fd), chunk_(kRawReadBytes, '\0') {}

  // At least one byte; valid until the next call.
  Result<Bytes> some() {
    while (rest_.empty()) {
      pollfd entry{fd_, POLLIN, 0};
      if (::poll(&entry, 1, -1) < 0 && errno != EINTR) return os_error(errno, "poll");
      const ssize_t count = recv(fd_, chunk_.data(), chunk_.size(), MSG_DONTWAIT);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count < 0) return os_error(errno, "recv");
      if (count == 0) return Error{ErrorCode::kDisconnected, "the server closed the connection"};
      rest_ = Bytes(chunk_).substr(0, static_cast<size_t>(count));
    }
    return rest_;
  }
  void take(size_t count) { rest_.remove_prefix(count); }
  // Without its end; empty lines are left out.
  Result<std::string> line() {
    std::string text;
    while (text.size() < kLineBytesMax) {
      LARDER_TRY_ASSIGN(const Bytes bytes, some());
      const char next = bytes[0];
      take(1);
      if (next != '\n') {
        text += next;
      } else if (!text.empty()) {
        if (text.back() == '\r') text.pop_back();
        if (!text.empty()) return text;
      }
    }
    return Error{ErrorCode::kCorruption, "the server's bytes are not RESP"};
  }

 private:
  int fd_;
  std::string chunk_;
  Bytes rest_;  // of the chunk
};

Status write_all(int fd, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) return os_error(errno, "write");
    if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
  }
  return Status();
}

// How many bytes the snapshot has.
Result<uint64_t> announced_bytes(RawInput& input) {
  LARDER_TRY_ASSIGN(const std::string header, input.line());
  if (header[0] == '-') return Error{ErrorCode::kPermission, "the server sends no snapshot: " + header.substr(1)};
  const auto bytes = header[0] == '$' ? parse_uint64(Bytes(header).substr(1)) : std::nullopt;
  if (!bytes) return Error{ErrorCode::kCorruption, "no snapshot follows '" + header + "'"};
  return *bytes;
}

Status copy_snapshot(RawInput& input, uint64_t bytes, int out_fd) {
  for (uint64_t left = bytes; left > 0;) {
    LARDER_TRY_ASSIGN(const Bytes some, input.some());
    const Bytes part = some.substr(0, static_cast<size_t>(std::min<uint64_t>(left, some.size())));
    LARDER_TRY(write_all(out_fd, part));
    left -= part.size();
    input.take(part.size());
  }
  return Status();
}

Status receive_snapshot(Session& session, const std::string& path) {
  LARDER_TRY(session.send({"SYNC"}));
  RawInput input(session.connection().fd());
  LARDER_TRY_ASSIGN(const uint64_t bytes, announced_bytes(input));
  std::fprintf(stderr, "SYNC sent to master, writing %llu bytes to '%s'\n", static_cast<unsigned long long>(bytes),
               path.c_str());
  if (path == "-") return copy_snapshot(input, bytes, STDOUT_FILENO);
  constexpr mode_t kMode = 0644;
  const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, kMode);
  if (fd < 0) return os_error(errno, "open " + path);
  Status done = copy_snapshot(input, bytes, fd);
  if (done.ok() && fsync(fd) != 0) done = os_error(errno, "fsync " + path);
  if (close(fd) != 0 && done.ok()) done = os_error(errno, "close " + path);
  return done;
}

}  // namespace

int run_rdb(Session& session) {
  const Status done = receive_snapshot(session, session.options().rdb_path);
  session.disconnect();  // what follows is for replicas
  if (!done.ok()) {
    print_failure(session, {done.code(), std::string(done.message())});
    return 1;
  }
  std::fputs("Transfer finished with success.\n", stderr);
  return 0;
}

}  // namespace larder::cli
