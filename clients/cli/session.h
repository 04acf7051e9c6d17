#pragma once

// The tool's connection: opened when it is first needed, opened again when it was lost, in the state that the user had
// built up (database, login, protocol).

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "clients/cli/cli_options.h"
#include "clients/cpp/connection.h"

namespace larder::cli {

class Session {
 public:
  explicit Session(const CliOptions& options);

  // Connects if there is no connection.
  Status connect();
  bool connected() const { return connection_.has_value(); }
  // Requires: connected().
  client::Connection& connection() { return *connection_; }
  void disconnect() { connection_.reset(); }

  // Runs one command, after connecting if need be. A connection lost before the command is opened again; one lost
  // during the command is an error, because nobody knows whether the command was executed.
  Result<Reply> call(const std::vector<std::string>& argv);
  // The two halves of a call, for commands that are answered more than once.
  Status send(const std::vector<std::string>& argv);
  Result<Reply> read();

  // Whether the last failure was that of opening the connection, and not one of an open connection.
  bool failed_to_connect() const { return failed_to_connect_; }
  // Pushes are what was asked for (SUBSCRIBE in RESP3): they are shown whatever the options say.
  void always_show_pushes() { options_.show_pushes = true; }
  // The server that commands go to from now on.
  void set_address(const std::string& host, uint16_t port);
  // Waiting for a reply ends with kCancelled, and the connection is given up, soon after `*cancel` becomes true.
  // It outlives the session.
  void set_cancel(const std::atomic<bool>* cancel) { cancel_ = cancel; }

  // "127.0.0.1:6379[2]" or "not connected", for the prompt.
  std::string place() const;
  std::string address() const { return endpoint_.to_string(); }
  const CliOptions& options() const { return options_; }

 private:
  Status set_up();
  // Remembers SELECT, AUTH and HELLO, so that a new connection is in the same state.
  void follow(const std::vector<std::string>& argv, const Reply& reply);

  CliOptions options_;
  client::Endpoint endpoint_;  // with what was followed
  std::optional<client::Connection> connection_;
  bool failed_to_connect_ = false;
  const std::atomic<bool>* cancel_ = nullptr;
};

}  // namespace larder::cli
