#pragma once

// A connected stream socket with timeouts. Blocking from the caller's point of view; the descriptor itself does not block.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "clients/cpp/endpoint.h"

namespace larder::client {

class Socket {
 public:
  // Connects over TCP (each resolved address is tried) or to the Unix socket.
  static Result<Socket> connect(const Endpoint& endpoint);

  Socket() = default;
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  Status write_all(Bytes bytes);
  // Reads what is there, at least one byte; waits for it up to `timeout_ms` (0: for ever, negative: not at all).
  // kTimeout when nothing came, kDisconnected at the end of the stream.
  Result<size_t> read_some(char* out, size_t size, int64_t timeout_ms);

 private:
  explicit Socket(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace larder::client
