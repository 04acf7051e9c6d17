#pragma once

// A connection to a Larder (or any RESP) server, for programs that want answers and not callbacks.
//
//     Result<Connection> connection = Connection::open(endpoint);
//     Result<Reply> reply = connection->call({"SET", "key", "value"});
//     if (!reply) ...            // the connection failed
//     if (reply->is_error()) ... // the server refused the command
//
// Many commands in flight go through send() and read(), or Pipeline (pipeline.h). Replies come in the order of the
// commands. RESP3 pushes (messages, invalidations) are not replies: they go to the push handler.
//
// Not thread-safe; one connection belongs to one thread. After an error of the connection (not an error reply) it stays
// failed; open a new one.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "clients/cpp/endpoint.h"
#include "clients/cpp/socket.h"
#include "protocol/reply_reader.h"

namespace larder::client {

class Connection {
 public:
  using PushHandler = std::function<void(const Reply&)>;

  // Connects, logs in (AUTH or HELLO), selects the database and sets the name, as the endpoint says. An error reply to one of these is
  // an error here, with the server's text.
  static Result<Connection> open(const Endpoint& endpoint);

  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&&) noexcept = default;

  // Sends one command and waits for its reply.
  Result<Reply> call(std::span<const Bytes> argv);
  Result<Reply> call(std::initializer_list<Bytes> argv) { return call(std::span(argv.begin(), argv.size())); }

  // Queues one command; it is sent by the next flush(), read() or call(), or when kUnsentBytesMax are queued.
  Status send(std::span<const Bytes> argv);
  Status send(std::initializer_list<Bytes> argv) { return send(std::span(argv.begin(), argv.size())); }
  // Queues bytes that are complete commands already.
  Status send_raw(Bytes bytes);
  Status flush();
  // Waits for the next reply. kTimeout after the endpoint's reply timeout.
  Result<Reply> read();
  // The next reply if one is here already or arrives within `timeout_ms`; an empty result after that.
  Result<std::optional<Reply>> poll(int64_t timeout_ms);

  void on_push(PushHandler handler) { push_handler_ = std::move(handler); }
  const Endpoint& endpoint() const { return endpoint_; }
  int protocol_version() const { return protocol_version_; }
  int fd() const { return socket_.fd(); }

 private:
  static constexpr size_t kUnsentBytesMax = 64 * 1024;
  static constexpr size_t kReadBytes = 64 * 1024;

  Connection(Endpoint endpoint, Socket socket) : endpoint_(std::move(endpoint)), socket_(std::move(socket)) {}
  Status set_up();
  Status expect_ok(std::initializer_list<Bytes> argv);

  Endpoint endpoint_;
  Socket socket_;
  ReplyReader reader_;
  Buffer unsent_;
  PushHandler push_handler_;
  int protocol_version_ = 2;
};

// Appends one command in RESP to `out`.
void append_command(Buffer& out, std::span<const Bytes> argv);

}  // namespace larder::client
