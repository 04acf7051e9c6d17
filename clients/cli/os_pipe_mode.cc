// --pipe: standard input goes to the server as it is, while replies are counted.
//
// Both directions move at once, by poll(2): a server that has replies waiting may stop reading, so a writer that does
// not read would wait for ever. The end is known by the reply to an ECHO of text that nobody else sends.

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/random.h"
#include "clients/cli/modes.h"

namespace larder::cli {
namespace {

constexpr size_t kReadBytes = 64 * 1024;

class PipeRun {
 public:
  explicit PipeRun(Session& session)
      : connection_(session.connection()), last_text_(os_entropy_hex(10)), chunk_(kReadBytes, '\0') {
    const int64_t seconds = session.options().pipe_timeout_s;
    timeout_ms_ = seconds > 0 ? static_cast<int>(std::min<int64_t>(seconds * 1000, INT32_MAX)) : -1;
  }

  // Until the last reply came, the server is silent for too long, or the connection fails.
  Status run();
  uint64_t replies() const { return replies_; }
  uint64_t errors() const { return errors_; }

 private:
  Status wait_and_move();
  void read_input();
  Status write_unsent();
  Status read_replies();
  bool all_sent() const { return input_ended_ && unsent_.empty(); }

  client::Connection& connection_;
  std::string last_text_;
  std::string chunk_;
  Bytes unsent_;  // a part of chunk_
  int timeout_ms_ = -1;
  bool input_ended_ = false;
  bool saw_last_ = false;
  uint64_t replies_ = 0;
  uint64_t errors_ = 0;
};

Status PipeRun::run() {
  while (!saw_last_) LARDER_TRY(wait_and_move());
  return Status();
}

Status PipeRun::wait_and_move() {
  const short wants_write = unsent_.empty() ? 0 : POLLOUT;
  pollfd entries[2] = {{connection_.fd(), static_cast<short>(POLLIN | wants_write), 0}, {STDIN_FILENO, POLLIN, 0}};
  const bool wants_input = !input_ended_ && unsent_.empty();
  const int ready = poll(entries, wants_input ? 2 : 1, all_sent() ? timeout_ms_ : -1);
  if (ready < 0) return errno == EINTR ? Status() : Status(os_error(errno, "poll"));
  if (ready == 0) {
    return Status(ErrorCode::kTimeout, "No replies for " + std::to_string(timeout_ms_ / 1000) + " seconds: exiting.");
  }
  if (entries[0].revents & (POLLIN | POLLERR | POLLHUP)) LARDER_TRY(read_replies());
  if (wants_input && entries[1].revents != 0) read_input();
  return write_unsent();
}

void PipeRun::read_input() {
  const ssize_t count = read(STDIN_FILENO, chunk_.data(), kReadBytes);
  if (count < 0 && errno == EINTR) return;
  if (count > 0) {
    unsent_ = Bytes(chunk_).substr(0, static_cast<size_t>(count));
    return;
  }
  input_ended_ = true;
  // The line end is for an inline command at the end of the input that has none; an empty line is no command.
  chunk_ = "\r\n*2\r\n$4\r\nECHO\r\n$" + std::to_string(last_text_.size()) + "\r\n" + last_text_ + "\r\n";
  unsent_ = chunk_;
  std::puts("All data transferred. Waiting for the last reply...");
  std::fflush(stdout);
}

Status PipeRun::write_unsent() {
  if (unsent_.empty()) return Status();
  const ssize_t count = send(connection_.fd(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count >= 0) {
    unsent_.remove_prefix(static_cast<size_t>(count));
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    const Error failure = os_error(errno, "send");
    // What the server said before it closed is why it closed.
    LARDER_TRY(read_replies());
    return failure;
  }
  return Status();
}

Status PipeRun::read_replies() {
  while (!saw_last_) {
    LARDER_TRY_ASSIGN(const std::optional<Reply> reply, connection_.poll(-1));
    if (!reply) return Status();
    if (reply->kind == ReplyKind::kBulk && reply->text == last_text_) {
      saw_last_ = true;
      return Status();
    }
    ++replies_;
    if (reply->is_error()) {
      ++errors_;
      std::fprintf(stderr, "%s\n", reply->text.c_str());
    }
  }
  return Status();
}

}  // namespace

int run_pipe(Session& session) {
  if (const Status connected = session.connect(); !connected.ok()) {
    print_failure(session, connected.error());
    return 1;
  }
  PipeRun pipe(session);
  const Status done = pipe.run();
  if (done.ok()) {
    std::puts("Last reply received from server.");
  } else {
    print_failure(session, done.error());
  }
  std::printf("errors: %llu, replies: %llu\n", static_cast<unsigned long long>(pipe.errors()),
              static_cast<unsigned long long>(pipe.replies()));
  return done.ok() && pipe.errors() == 0 ? 0 : 1;
}

}  // namespace larder::cli
