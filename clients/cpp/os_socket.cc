#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "clients/cpp/socket.h"

namespace larder::client {
namespace {

// True when the descriptor became ready for `events` in time. `timeout_ms` negative: wait for ever.
bool wait_for(int fd, short events, int64_t timeout_ms) {
  pollfd entry{fd, events, 0};
  while (true) {
    const int ready = poll(&entry, 1, static_cast<int>(timeout_ms));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

// A connected socket, or the error number.
Result<int> connect_address(const sockaddr* address, socklen_t size, const Endpoint& endpoint) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return os_error(errno, "socket");
  int error = 0;
  if (::connect(fd, address, size) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      socklen_t length = sizeof(error);
      if (!wait_for(fd, POLLOUT, endpoint.connect_timeout_ms)) {
        error = ETIMEDOUT;
      } else {
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
      }
    }
  }
  if (error == 0) return fd;
  close(fd);
  return os_error(error, "connect to " + endpoint.to_string());
}

Result<int> connect_tcp(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (code != 0) {
    return Error{ErrorCode::kNotFound, "resolve " + endpoint.host + ": " + gai_strerror(code)};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  Error last{ErrorCode::kNotFound, "no address for " + endpoint.host};
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Result<int> fd = connect_address(info->ai_addr, info->ai_addrlen, endpoint);
    if (fd) {
      const int on = 1;
      setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return fd;
    }
    last = fd.error();
  }
  return last;
}

Result<int> connect_unix(const Endpoint& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.unix_socket.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kInvalidArgument, "unix socket path is too long: " + endpoint.unix_socket};
  }
  std::memcpy(address.sun_path, endpoint.unix_socket.c_str(), endpoint.unix_socket.size() + 1);
  return connect_address(reinterpret_cast<const sockaddr*>(&address), sizeof(address), endpoint);
}

}  // namespace

Result<Socket> Socket::connect(const Endpoint& endpoint) {
  LARDER_TRY_ASSIGN(const int fd, endpoint.unix_socket.empty() ? connect_tcp(endpoint) : connect_unix(endpoint));
  return Socket(fd);
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Status Socket::write_all(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (count < 0 && would_block()) {
      if (!wait_for(fd_, POLLOUT, -1)) return os_error(errno, "wait to send");
    } else if (count < 0 && errno != EINTR) {
      return Status(ErrorCode::kDisconnected, os_error(errno, "send").message);
    }
  }
  return Status();
}

Result<size_t> Socket::read_some(char* out, size_t size, int64_t timeout_ms) {
  while (true) {
    const ssize_t count = recv(fd_, out, size, 0);
    if (count > 0) return static_cast<size_t>(count);
    if (count == 0) return Error{ErrorCode::kDisconnected, "Server closed the connection"};
    if (errno == EINTR) continue;
    if (!would_block()) return Error{ErrorCode::kDisconnected, os_error(errno, "receive").message};
    if (timeout_ms < 0 || !wait_for(fd_, POLLIN, timeout_ms == 0 ? -1 : timeout_ms)) {
      return Error{ErrorCode::kTimeout, "no reply in time"};
    }
  }
}

}  // namespace larder::client
