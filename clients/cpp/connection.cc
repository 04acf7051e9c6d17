#include "clients/cpp/connection.h"

#include "base/number_text.h"

namespace larder::client {

void append_command(Buffer& out, std::span<const Bytes> argv) {
  char number[kInt64TextBytesMax];
  const auto header = [&](char type, size_t count) {
    out.append(type);
    out.append({number, write_int64(number, static_cast<int64_t>(count))});
    out.append("\r\n");
  };
  header('*', argv.size());
  for (const Bytes argument : argv) {
    header('$', argument.size());
    out.append(argument);
    out.append("\r\n");
  }
}

Result<Connection> Connection::open(const Endpoint& endpoint) {
  LARDER_TRY_ASSIGN(Socket socket, Socket::connect(endpoint));
  Connection connection(endpoint, std::move(socket));
  LARDER_TRY(connection.set_up());
  return connection;
}

Status Connection::set_up() {
  const Bytes username = endpoint_.username.empty() ? Bytes("default") : Bytes(endpoint_.username);
  if (endpoint_.protocol_version == 3) {
    if (endpoint_.password.empty()) {
      LARDER_TRY(expect_ok({"HELLO", "3"}));
    } else {
      LARDER_TRY(expect_ok({"HELLO", "3", "AUTH", username, endpoint_.password}));
    }
  } else if (!endpoint_.password.empty()) {
    // The short form is what servers without users know.
    if (endpoint_.username.empty()) {
      LARDER_TRY(expect_ok({"AUTH", endpoint_.password}));
    } else {
      LARDER_TRY(expect_ok({"AUTH", username, endpoint_.password}));
    }
  }
  if (!endpoint_.client_name.empty()) LARDER_TRY(expect_ok({"CLIENT", "SETNAME", endpoint_.client_name}));
  if (endpoint_.database != 0) LARDER_TRY(expect_ok({"SELECT", std::to_string(endpoint_.database)}));
  return Status();
}

Status Connection::expect_ok(std::initializer_list<Bytes> argv) {
  LARDER_TRY_ASSIGN(const Reply reply, call(argv));
  if (reply.is_error()) return Status(ErrorCode::kPermission, reply.text);
  return Status();
}

Result<Reply> Connection::call(std::span<const Bytes> argv) {
  LARDER_TRY(send(argv));
  return read();
}

Status Connection::send(std::span<const Bytes> argv) {
  append_command(unsent_, argv);
  if (argv.size() >= 2 && equals_ignore_case(argv[0], "HELLO")) protocol_version_ = argv[1] == "3" ? 3 : 2;
  return unsent_.size() >= kUnsentBytesMax ? flush() : Status();
}

Status Connection::send_raw(Bytes bytes) {
  unsent_.append(bytes);
  return unsent_.size() >= kUnsentBytesMax ? flush() : Status();
}

Status Connection::flush() {
  if (unsent_.empty()) return Status();
  const Status sent = socket_.write_all(unsent_.bytes());
  unsent_.clear();
  return sent;
}

Result<Reply> Connection::read() {
  while (true) {
    LARDER_TRY_ASSIGN(std::optional<Reply> reply,
                      poll(endpoint_.reply_timeout_ms == 0 ? 0 : endpoint_.reply_timeout_ms));
    if (reply) return std::move(*reply);
    if (endpoint_.reply_timeout_ms != 0) return Error{ErrorCode::kTimeout, "no reply in time"};
  }
}

Result<std::optional<Reply>> Connection::poll(int64_t timeout_ms) {
  LARDER_TRY(flush());
  while (true) {
    Reply reply;
    switch (reader_.next(&reply)) {
      case ReplyOutcome::kReply:
        if (reply.kind == ReplyKind::kPush && push_handler_) {
          push_handler_(reply);
          continue;
        }
        return std::optional<Reply>(std::move(reply));
      case ReplyOutcome::kError:
        return Error{ErrorCode::kCorruption, "Protocol error: " + std::string(reader_.error())};
      case ReplyOutcome::kIncomplete:
        break;
    }
    Result<size_t> count = socket_.read_some(reader_.input().reserve(kReadBytes), kReadBytes, timeout_ms);
    if (!count) {
      if (count.error().code == ErrorCode::kTimeout) return std::optional<Reply>();
      return count.error();
    }
    reader_.input().commit(*count);
  }
}

}  // namespace larder::client
