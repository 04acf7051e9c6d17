#pragma once

// The tool's connection: opened when it is first needed, opened again when it was lost, in the state that the user had
// built up (database, login, protocol).

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

  // Runs one command, after connecting if need be. A connection lost before the command is opened again once; one lost
  // during the command is an error, because nobody knows whether the command was executed.
  Result<Reply> call(const std::vector<std::string>& argv);

  // "127.0.0.1:6379[2]" or "not connected", for the prompt.
  std::string place() const;
  const CliOptions& options() const { return options_; }

 private:
  // Remembers SELECT, AUTH and HELLO, so that a new connection is in the same state.
  void follow(const std::vector<std::string>& argv, const Reply& reply);

  CliOptions options_;
  client::Endpoint endpoint_;  // with what was followed
  std::optional<client::Connection> connection_;
};

}  // namespace larder::cli
