#pragma once

// Many commands in one round trip.
//
//     Pipeline pipeline(connection);
//     pipeline.add({"INCR", "a"});
//     pipeline.add({"INCR", "b"});
//     Result<std::vector<Reply>> replies = pipeline.run();   // two replies, in order
//
// Commands are sent in windows of at most kWindow, so that a pipeline of any length neither fills the server's output
// buffers nor deadlocks against them.

#include <initializer_list>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "clients/cpp/connection.h"
#include "protocol/reply_reader.h"

namespace larder::client {

class Pipeline {
 public:
  static constexpr size_t kWindow = 1024;

  // `connection` outlives the pipeline.
  explicit Pipeline(Connection& connection) : connection_(connection) {}

  void add(std::span<const Bytes> argv);
  void add(std::initializer_list<Bytes> argv) { add(std::span(argv.begin(), argv.size())); }
  size_t size() const { return ends_.size(); }

  // Sends everything and returns one reply per command, error replies included. Empty afterwards, whatever the outcome.
  Result<std::vector<Reply>> run();

 private:
  Connection& connection_;
  Buffer commands_;
  std::vector<size_t> ends_;  // where each command ends in commands_
};

}  // namespace larder::client
