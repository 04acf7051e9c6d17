// A server program as a child process, spoken to over TCP on a port of the loopback interface that was free a moment ago.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "tests/spec/backend.h"

namespace larder::spec {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStartTimeMax{10000};
constexpr milliseconds kStopTimeMax{5000};
constexpr int kReplyPatienceMs = 60'000;
constexpr size_t kReceiveBytes = 64 * 1024;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

int find_free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  const bool found = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  close(fd);
  return found ? ntohs(address.sin_port) : 0;
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

class TcpConnection final : public SpecConnection {
 public:
  explicit TcpConnection(int fd) : fd_(fd) {}
  ~TcpConnection() override { close(fd_); }

  // Replies are received while a large request is sent, so that neither side waits for the other.
  void send(Bytes bytes) override {
    const auto deadline = steady_clock::now() + milliseconds(kReplyPatienceMs);
    while (!bytes.empty() && !closed_ && steady_clock::now() < deadline) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) {
        bytes.remove_prefix(static_cast<size_t>(count));
        continue;
      }
      if (count < 0 && errno != EAGAIN && errno != EINTR) return;  // the next read tells
      pollfd watched{fd_, POLLIN | POLLOUT, 0};
      poll(&watched, 1, kReplyPatienceMs);
      if (watched.revents & POLLIN) receive();
    }
  }

  ReadOutcome read(Reply* reply, int patience_ms) override {
    const auto deadline = steady_clock::now() + milliseconds(patience_ms);
    while (true) {
      const ReplyOutcome outcome = reader_.next(reply);
      if (outcome == ReplyOutcome::kReply) return ReadOutcome::kReply;
      if (outcome == ReplyOutcome::kError) return ReadOutcome::kBroken;
      if (closed_) return ReadOutcome::kClosed;
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
      pollfd watched{fd_, POLLIN, 0};
      if (poll(&watched, 1, static_cast<int>(std::max<int64_t>(left, 0))) == 0) return ReadOutcome::kNothing;
      receive();
    }
  }

  std::string error() const override { return std::string(reader_.error()); }

 private:
  void receive() {
    const ssize_t count = recv(fd_, reader_.input().reserve(kReceiveBytes), kReceiveBytes, 0);
    if (count > 0) {
      reader_.input().commit(static_cast<size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      closed_ = true;
    }
  }

  int fd_;
  bool closed_ = false;
  ReplyReader reader_;
};

class ProcessBackend final : public SpecBackend {
 public:
  ProcessBackend(std::string server, bool is_reference) : server_(std::move(server)), is_reference_(is_reference) {}
  ~ProcessBackend() override { stop(); }

  std::string prepare(const std::vector<std::string>& arguments, bool untouched) override {
    if (process_ != 0 && untouched && arguments.empty() && arguments_.empty() && flush()) return "";
    stop();
    arguments_ = arguments;
    return start();
  }

  std::unique_ptr<SpecConnection> connect() override {
    const int fd = connect_to(port_);
    return fd < 0 ? nullptr : std::make_unique<TcpConnection>(fd);
  }

  void advance_ms(int64_t duration_ms) override { std::this_thread::sleep_for(milliseconds(duration_ms)); }
  bool has_simulated_clock() const override { return false; }

  std::string reference_version() override {
    if (!is_reference_) return "";
    if (version_.empty()) {
      const std::string problem = prepare({}, true);
      Reply reply;
      if (problem.empty() && ask({"INFO", "server"}, &reply)) {
        const size_t at = reply.text.find("redis_version:");
        if (at != std::string::npos) version_ = reply.text.substr(at + 14, reply.text.find('\r', at) - at - 14);
      }
      if (version_.empty()) version_ = "0";
    }
    return version_;
  }

 private:
  bool ask(const std::vector<std::string>& arguments, Reply* reply) {
    const auto connection = connect();
    if (!connection) return false;
    connection->send(encode_request(arguments));
    return connection->read(reply, kReplyPatienceMs) == ReadOutcome::kReply && !reply->is_error();
  }

  bool flush() {
    Reply reply;
    return ask({"FLUSHALL", "SYNC"}, &reply);
  }

  std::string start() {
    char directory[] = "/tmp/larder-spec-XXXXXX";
    if (mkdtemp(directory) == nullptr) return "no temporary directory";
    directory_ = directory;
    port_ = find_free_port();
    std::vector<std::string> words = {server_,
                                      "--port",
                                      std::to_string(port_),
                                      "--bind",
                                      "127.0.0.1",
                                      "--dir",
                                      directory_,
                                      "--save",
                                      "",
                                      "--enable-debug-command",
                                      "yes",
                                      "--enable-protected-configs",
                                      "yes",
                                      "--logfile",
                                      directory_ + "/log"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // no server outlives its runner
      const int null = open("/dev/null", O_RDWR);
      for (const int fd : {0, 1, 2}) dup2(null, fd);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    const auto deadline = steady_clock::now() + kStartTimeMax;
    while (steady_clock::now() < deadline) {
      const int fd = connect_to(port_);
      if (fd >= 0) {
        close(fd);
        return "";
      }
      if (waitpid(process_, nullptr, WNOHANG) == process_) {
        process_ = 0;
        return server_ + " did not start";
      }
      std::this_thread::sleep_for(milliseconds(2));
    }
    return server_ + " does not listen";
  }

  void stop() {
    if (process_ != 0) {
      kill(process_, SIGTERM);
      const auto deadline = steady_clock::now() + kStopTimeMax;
      while (waitpid(process_, nullptr, WNOHANG) == 0) {
        if (steady_clock::now() > deadline) kill(process_, SIGKILL);
        std::this_thread::sleep_for(milliseconds(1));
      }
      process_ = 0;
    }
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
    directory_.clear();
  }

  std::string server_;
  bool is_reference_;
  std::string version_;
  std::vector<std::string> arguments_;
  std::string directory_;
  int port_ = 0;
  pid_t process_ = 0;
};

}  // namespace

std::unique_ptr<SpecBackend> make_process_backend(const std::string& server, bool is_reference) {
  return std::make_unique<ProcessBackend>(server, is_reference);
}

std::string encode_request(const std::vector<std::string>& arguments) {
  std::string out = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    out += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  return out;
}

}  // namespace larder::spec
