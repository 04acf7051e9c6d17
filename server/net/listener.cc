#include "server/net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace larder {
namespace {

std::string address_text(const sockaddr_storage& address) {
  char host[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
    return std::string(host) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(in6.sin6_port));
  }
  return "?:0";
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
  }
  if (address.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) return in6.sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
  }
  return false;
}

void set_option(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof(value)); }

// Probes after `interval_s` of silence, three times at a third of it.
void set_keepalive(int fd, int64_t interval_s) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(interval_s));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(std::max<int64_t>(interval_s / 3, 1)));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool choose_congestion_control([[maybe_unused]] int fd, [[maybe_unused]] Bytes name) {
#ifdef TCP_CONGESTION
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size())) == 0;
#else
  return false;
#endif
}

// Some systems have an algorithm as their default that paces what is sent with timers (bbr). Within one machine there is no path to be
// congested, and the timers take half of the time of a reply of 100 KB. A connection that has begun paced stays paced
// whatever is chosen for it later; so the listener's algorithm is chosen, and connections from elsewhere get the default back.
// Returns that default; empty: it paces nothing.
std::string replace_paced_default(int listening_fd) {
#ifdef TCP_CONGESTION
  char name[64] = {};
  socklen_t size = sizeof(name) - 1;
  if (getsockopt(listening_fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0 || Bytes(name).substr(0, 3) != "bbr")
    return {};
  if (choose_congestion_control(listening_fd, "reno")) return name;
#endif
  return {};
}

Error socket_error(const std::string& what) { return os_error(errno, what); }

// A bound, listening, non-blocking socket for one resolved address.
Result<int> bind_one(const addrinfo& info, const std::string& shown, int64_t backlog) {
  const int fd = socket(info.ai_family, info.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info.ai_protocol);
  if (fd < 0) return socket_error("socket for " + shown);
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (info.ai_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind(fd, info.ai_addr, info.ai_addrlen) != 0 || listen(fd, static_cast<int>(backlog)) != 0) {
    const Error error = socket_error("listen on " + shown);
    close(fd);
    return error;
  }
  return fd;
}

}  // namespace

Listener::Listener(uv_loop_t* loop, ListenOptions options, AcceptCallback callback, std::string unix_path)
    : loop_(loop),
      options_(options),
      callback_(std::move(callback)),
      unix_path_(std::move(unix_path)),
      accept_again_(loop, [this] {
        if (!closed()) watch(loop_, fd(), true, false);
      }) {}

void Listener::pause_accepting() {
  watch(loop_, fd(), false, false);
  accept_again_.start(kAcceptPauseMs, 0);
}

Result<Listener*> Listener::listen_tcp(uv_loop_t* loop, const std::string& address, int64_t port,
                                       const ListenOptions& options, AcceptCallback callback) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  const char* host = address.c_str();
  if (address == "*") {
    hints.ai_family = AF_INET;
    host = nullptr;
  } else if (address == "::*") {
    hints.ai_family = AF_INET6;
    host = nullptr;
  }
  const std::string shown = address + " port " + std::to_string(port);
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host, std::to_string(port).c_str(), &hints, &found); code != 0) {
    return Error{ErrorCode::kInvalidArgument, "resolve " + shown + ": " + gai_strerror(code)};
  }
  Result<int> fd = bind_one(*found, shown, options.backlog);
  freeaddrinfo(found);
  if (!fd) return fd.error();
  auto* listener = new Listener(loop, options, std::move(callback), "");
  listener->paced_default_ = replace_paced_default(*fd);
  LARDER_ASSERT(listener->watch(loop, *fd, true, false));
  return listener;
}

Result<Listener*> Listener::listen_unix(uv_loop_t* loop, const std::string& path, int64_t permissions,
                                        const ListenOptions& options, AcceptCallback callback) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kInvalidArgument, "unix socket path is too long: " + path};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  struct stat existing {};
  if (stat(path.c_str(), &existing) == 0 && S_ISSOCK(existing.st_mode)) unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return socket_error("socket for " + path);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      (permissions != 0 && chmod(path.c_str(), static_cast<mode_t>(permissions)) != 0) ||
      listen(fd, static_cast<int>(options.backlog)) != 0) {
    const Error error = socket_error("listen on " + path);
    close(fd);
    return error;
  }
  auto* listener = new Listener(loop, options, std::move(callback), path);
  LARDER_ASSERT(listener->watch(loop, fd, true, false));
  return listener;
}

ClientOrigin Listener::origin_of(int fd) const {
  ClientOrigin origin;
  origin.fd = fd;
  if (!unix_path_.empty()) {
    origin.is_unix_socket = true;
    origin.peer = origin.local = unix_path_ + ":0";
    return origin;
  }
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    origin.peer = address_text(address);
    origin.is_loopback = is_loopback(address);
  }
  size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) origin.local = address_text(address);
  return origin;
}

void Listener::on_ready(bool, bool) {
  for (size_t i = 0; i < kAcceptsPerTurn; ++i) {
    const int accepted = accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      // Out of descriptors or memory: the kernel keeps the connection in the backlog.
      if (errno != EAGAIN && errno != EWOULDBLOCK) pause_accepting();
      return;
    }
    const ClientOrigin origin = origin_of(accepted);
    if (!origin.is_unix_socket) {
      set_option(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
      if (options_.keepalive_s > 0) set_keepalive(accepted, options_.keepalive_s);
      if (!origin.is_loopback && !paced_default_.empty()) choose_congestion_control(accepted, paced_default_);
    }
    callback_(accepted, origin);
  }
}

}  // namespace larder
