#include "clients/cli/session.h"

#include <cstdio>

#include "base/number_text.h"
#include "clients/cli/reply_format.h"

namespace larder::cli {

Session::Session(const CliOptions& options) : options_(options), endpoint_(options.endpoint) {}

Status Session::connect() {
  if (connection_) return Status();
  // Login errors are warnings, as an operator may still want to AUTH by hand; only a missing connection is fatal.
  client::Endpoint bare = endpoint_;
  bare.password.clear();
  bare.database = 0;
  bare.client_name.clear();
  bare.protocol_version = 2;
  LARDER_TRY_ASSIGN(client::Connection opened, client::Connection::open(bare));
  connection_.emplace(std::move(opened));
  const auto run = [this](std::vector<Bytes> argv, const char* what) -> Status {
    LARDER_TRY_ASSIGN(const Reply reply, connection_->call(argv));
    if (reply.is_error()) std::fprintf(stderr, "%s failed: %s\n", what, reply.text.c_str());
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
  if (endpoint_.database != 0) LARDER_TRY(run({"SELECT", std::to_string(endpoint_.database)}, "SELECT"));
  if (options_.show_pushes && options_.format != OutputFormat::kJson && options_.format != OutputFormat::kQuotedJson) {
    connection_->on_push([](const Reply& push) {
      std::fputs(format_reply(push, OutputFormat::kStandard).c_str(), stdout);
      std::fflush(stdout);
    });
  } else {
    connection_->on_push([](const Reply&) {});
  }
  return Status();
}

Result<Reply> Session::call(const std::vector<std::string>& argv) {
  const bool was_connected = connected();
  LARDER_TRY(connect());
  const std::vector<Bytes> views(argv.begin(), argv.end());
  Result<Reply> reply = connection_->call(views);
  if (!reply && was_connected && reply.error().code == ErrorCode::kDisconnected) {
    // The server closed an idle connection: the command never reached it.
    disconnect();
    LARDER_TRY(connect());
    reply = connection_->call(views);
  }
  if (!reply) {
    disconnect();
    return reply;
  }
  follow(argv, *reply);
  return reply;
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
