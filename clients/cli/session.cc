#include "clients/cli/session.h"

#include <cstdio>

#include "base/number_text.h"
#include "clients/cli/reply_format.h"

namespace larder::cli {
namespace {

// How often a wait looks whether it was cancelled.
constexpr int64_t kCancelCheckMs = 100;
constexpr int kRedirectionsMax = 16;

struct Redirection {
  std::string host;  // empty: the one that was asked
  uint16_t port = 0;
  bool asks = false;  // for this one command
};

// "MOVED 3999 127.0.0.1:6381", or ASK.
std::optional<Redirection> redirection_of(const Reply& reply) {
  if (!reply.is_error()) return {};
  const bool asks = reply.error_code() == "ASK";
  if (!asks && reply.error_code() != "MOVED") return {};
  const size_t place = reply.text.rfind(' ');
  const size_t colon = reply.text.rfind(':');
  if (colon == std::string::npos || colon < place) return {};
  const auto port = parse_uint64(Bytes(reply.text).substr(colon + 1));
  if (!port || *port > UINT16_MAX) return {};
  return Redirection{reply.text.substr(place + 1, colon - place - 1), static_cast<uint16_t>(*port), asks};
}

}  // namespace

Session::Session(const CliOptions& options) : options_(options), endpoint_(options.endpoint) {}

Status Session::connect() {
  if (connection_) return Status();
  client::Endpoint bare = endpoint_;
  bare.password.clear();
  bare.database = 0;
  bare.client_name.clear();
  bare.protocol_version = 2;
  Result<client::Connection> opened = client::Connection::open(bare);
  failed_to_connect_ = !opened.ok();
  if (!opened) return opened.error();
  connection_.emplace(std::move(*opened));
  Status ready = set_up();
  if (!ready.ok()) disconnect();
  return ready;
}

// A refused login is a warning, as an operator may still want to AUTH by hand; only a lost connection is an error.
Status Session::set_up() {
  const auto run = [this](std::vector<Bytes> argv, const std::string& what) -> Status {
    LARDER_TRY_ASSIGN(const Reply reply, connection_->call(argv));
    if (reply.is_error()) std::fprintf(stderr, "%s failed: %s\n", what.c_str(), reply.text.c_str());
    return Status();
  };
  if (!endpoint_.password.empty()) {
    if (endpoint_.username.empty()) {
      LARDER_TRY(run({"AUTH", endpoint_.password}, "AUTH"));
    } else {
      LARDER_TRY(run({"AUTH", endpoint_.username, endpoint_.password}, "AUTH"));
    }
  }
  if (endpoint_.protocol_version == 3) LARDER_TRY(run({"HELLO", "3"}, "HELLO 3"));
  if (!endpoint_.client_name.empty()) LARDER_TRY(run({"CLIENT", "SETNAME", endpoint_.client_name}, "CLIENT SETNAME"));
  if (endpoint_.database != 0) {
    const std::string database = std::to_string(endpoint_.database);
    LARDER_TRY(run({"SELECT", database}, "SELECT " + database));
  }
  connection_->on_push([this](const Reply& push) {
    if (!options_.show_pushes.value_or(true)) return;
    const bool raw = options_.format == OutputFormat::kRaw;
    std::string text = format_reply(push, options_.format, options_.delimiter);
    if (text.empty() || text.back() != '\n') text += raw ? options_.reply_delimiter : "\n";
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  });
  return Status();
}

Status Session::send(const std::vector<std::string>& argv) {
  if (connection_ && !connection_->poll(-1)) disconnect();  // the server closed it while nobody was looking
  LARDER_TRY(connect());
  const std::vector<Bytes> views(argv.begin(), argv.end());
  Status sent = connection_->send(views);
  if (sent.ok()) sent = connection_->flush();
  if (!sent.ok()) disconnect();
  return sent;
}

Result<Reply> Session::read() {
  while (connection_) {
    Result<std::optional<Reply>> reply = connection_->poll(cancel_ != nullptr ? kCancelCheckMs : 0);
    if (!reply) {
      disconnect();
      return reply.error();
    }
    if (*reply) return std::move(**reply);
    if (cancel_ != nullptr && *cancel_) {
      disconnect();
      return Error{ErrorCode::kCancelled, "interrupted"};
    }
  }
  return Error{ErrorCode::kDisconnected, "not connected"};
}

Result<Reply> Session::call(const std::vector<std::string>& argv) {
  LARDER_TRY(send(argv));
  Result<Reply> reply = read();
  for (int redirections = 0; redirections < kRedirectionsMax && reply && options_.follows_redirections;
       ++redirections) {
    const std::optional<Redirection> redirection = redirection_of(*reply);
    if (!redirection) break;
    set_address(redirection->host.empty() ? endpoint_.host : redirection->host, redirection->port);
    if (redirection->asks) {
      LARDER_TRY(send({"ASKING"}));
      LARDER_TRY(read());
    }
    LARDER_TRY(send(argv));
    reply = read();
  }
  if (reply) follow(argv, *reply);
  return reply;
}

void Session::set_address(const std::string& host, uint16_t port) {
  disconnect();
  endpoint_.unix_socket.clear();
  endpoint_.host = host;
  endpoint_.port = port;
}

void Session::follow(const std::vector<std::string>& argv, const Reply& reply) {
  if (reply.is_error() || argv.empty()) return;
  if (equals_ignore_case(argv[0], "SELECT") && argv.size() == 2) {
    if (const auto database = parse_int64(argv[1])) endpoint_.database = static_cast<int32_t>(*database);
  } else if (equals_ignore_case(argv[0], "AUTH") && argv.size() >= 2) {
    endpoint_.username = argv.size() == 3 ? argv[1] : "";
    endpoint_.password = argv.back();
  } else if (equals_ignore_case(argv[0], "HELLO") && argv.size() >= 2) {
    endpoint_.protocol_version = argv[1] == "3" ? 3 : 2;
  } else if (equals_ignore_case(argv[0], "RESET")) {
    endpoint_.database = 0;
    endpoint_.protocol_version = 2;
  }
}

std::string Session::place() const {
  if (!connected()) return "not connected";
  std::string text = endpoint_.to_string();
  if (endpoint_.database != 0) text += "[" + std::to_string(endpoint_.database) + "]";
  return text;
}

}  // namespace larder::cli
