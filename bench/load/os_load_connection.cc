#include "bench/load/load_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/buffer.h"
#include "base/number_text.h"
#include "bench/load/workload.h"

namespace larder::load {
namespace {

constexpr time_t kSilenceS = 30;

// A server that takes a connection and says nothing does not hold the caller for ever.
Result<Descriptor> open_socket(int family) {
  Descriptor fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return os_error(errno, "socket");
  const timeval timeout{kSilenceS, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  return fd;
}

Result<Descriptor> connect_to(const LoadOptions& options) {
  if (!options.unix_socket.empty()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (options.unix_socket.size() >= sizeof(address.sun_path)) {
      return Error{ErrorCode::kInvalidArgument, "unix socket path is too long"};
    }
    std::memcpy(address.sun_path, options.unix_socket.c_str(), options.unix_socket.size() + 1);
    LARDER_TRY_ASSIGN(Descriptor fd, open_socket(AF_UNIX));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return os_error(errno, "connect to " + options.unix_socket);
    }
    return fd;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (code != 0) return Error{ErrorCode::kNotFound, "resolve " + options.host + ": " + gai_strerror(code)};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  int error = 0;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    LARDER_TRY_ASSIGN(Descriptor fd, open_socket(info->ai_family));
    if (connect(fd.get(), info->ai_addr, info->ai_addrlen) == 0) {
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return fd;
    }
    error = errno;
  }
  return os_error(error, "connect to " + options.host + ":" + std::to_string(options.port));
}

Status told(int fd, const std::vector<std::string>& arguments) {
  const Result<Reply> reply = call(fd, arguments);
  return reply ? Status() : Status(reply.error().code, reply.error().message);
}

Status log_in(int fd, const LoadOptions& options) {
  const std::string user = options.username.empty() ? "default" : options.username;
  if (options.protocol_version == 3) {
    std::vector<std::string> hello = {"HELLO", "3"};
    if (!options.password.empty()) hello.insert(hello.end(), {"AUTH", user, options.password});
    LARDER_TRY(told(fd, hello));
  } else if (!options.password.empty()) {
    LARDER_TRY(told(fd, options.username.empty() ? std::vector<std::string>{"AUTH", options.password}
                                                 : std::vector<std::string>{"AUTH", user, options.password}));
  }
  if (options.tracking) LARDER_TRY(told(fd, {"CLIENT", "TRACKING", "ON"}));
  if (options.database != 0) LARDER_TRY(told(fd, {"SELECT", std::to_string(options.database)}));
  return Status();
}

std::optional<double> field_of(Bytes info, Bytes name) {
  const size_t at = info.find(name);
  if (at == Bytes::npos) return std::nullopt;
  const Bytes rest = info.substr(at + name.size());
  return parse_double(rest.substr(0, rest.find('\r')));
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Status write_all(int fd, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) return Status(ErrorCode::kTimeout, "the server took nothing for 30 seconds");
    if (count < 0 && errno != EINTR) return os_error(errno, "send");
    if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
  }
  return Status();
}

Result<Reply> call(int fd, const std::vector<std::string>& arguments) {
  Buffer request;
  Random unused(1);
  KeySource no_keys({}, 0);
  RequestTemplate(arguments, 1).append_to(request, no_keys, unused);
  LARDER_TRY(write_all(fd, request.bytes()));
  ReplyReader reader;
  Reply reply;
  while (reader.next(&reply) == ReplyOutcome::kIncomplete) {
    const ssize_t count = recv(fd, reader.input().reserve(kLoadReadBytes), kLoadReadBytes, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return Error{ErrorCode::kTimeout, "no reply for 30 seconds"};
    if (count <= 0) return Error{ErrorCode::kDisconnected, "the server closed the connection"};
    reader.input().commit(static_cast<size_t>(count));
  }
  if (reply.is_error()) return Error{ErrorCode::kPermission, reply.text};
  return reply;
}

Result<Descriptor> open_connection(const LoadOptions& options) {
  LARDER_TRY_ASSIGN(Descriptor fd, connect_to(options));
  LARDER_TRY(log_in(fd.get(), options));
  return fd;
}

std::optional<double> server_cpu_s(int fd) {
  const Result<Reply> reply = call(fd, {"INFO", "cpu"});
  if (!reply) return std::nullopt;
  const auto system = field_of(reply->text, "used_cpu_sys:");
  const auto user = field_of(reply->text, "used_cpu_user:");
  if (!system || !user) return std::nullopt;
  return *system + *user;
}

void raise_descriptor_limit(int64_t clients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = static_cast<rlim_t>(clients + 64);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace larder::load
