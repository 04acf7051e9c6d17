#pragma once

// The server that scenarios run against: in this process with a simulated clock, or a child process over TCP.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "protocol/reply_reader.h"

namespace larder::spec {

enum class ReadOutcome : uint8_t { kReply, kNothing, kClosed, kBroken };

class SpecConnection {
 public:
  virtual ~SpecConnection() = default;
  virtual void send(Bytes bytes) = 0;
  // The next reply. kNothing after `patience_ms` of waiting (a simulated server has always done all it will do).
  virtual ReadOutcome read(Reply* reply, int patience_ms) = 0;
  // Why the last read was kBroken.
  virtual std::string error() const = 0;
};

class SpecBackend {
 public:
  virtual ~SpecBackend() = default;
  // An empty server started with these arguments. Returns what went wrong, or an empty text. `untouched` promises that
  // the cases since the last call changed data and connections only, no settings.
  virtual std::string prepare(const std::vector<std::string>& arguments, bool untouched) = 0;
  // Null when the server does not take the connection.
  virtual std::unique_ptr<SpecConnection> connect() = 0;
  virtual void advance_ms(int64_t duration_ms) = 0;
  virtual bool has_simulated_clock() const = 0;
  // The version of the reference server, or empty when it is Larder.
  virtual std::string reference_version() = 0;
};

std::unique_ptr<SpecBackend> make_in_process_backend();
// `server` is the program to start; `is_reference` when it is not Larder.
std::unique_ptr<SpecBackend> make_process_backend(const std::string& server, bool is_reference);

// A request as clients send it.
std::string encode_request(const std::vector<std::string>& arguments);

}  // namespace larder::spec
