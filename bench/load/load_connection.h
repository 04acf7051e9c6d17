#pragma once

// Blocking connections to the server under load: connecting, logging in, and single calls.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "bench/load/load_options.h"
#include "protocol/reply_reader.h"

namespace larder::load {

// How much is read from a connection at a time.
inline constexpr size_t kLoadReadBytes = 64 * 1024;

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Connected, logged in, in the protocol and database that the options name.
Result<Descriptor> open_connection(const LoadOptions& options);
// As many descriptors as the connections need, if the system allows it.
void raise_descriptor_limit(int64_t connections);

Status write_all(int fd, Bytes bytes);
// Sends one command and waits for its reply, which is an error if the server says so.
Result<Reply> call(int fd, const std::vector<std::string>& arguments);

// The processor time of the server so far, as its INFO says; nothing if it does not.
std::optional<double> server_cpu_s(int fd);

}  // namespace larder::load
