#pragma once

// What the tool does besides talking to a person: one command, a stream of commands, and the views that repeat.
// Each returns the exit code of the process: 0, or 1 when the connection failed or, with -e, a reply was an error.

#include <string>
#include <vector>

#include "clients/cli/session.h"

namespace larder::cli {

// -r and -i apply. `standard_input` is what -x or -X put into the command.
int run_command(Session& session, const std::string& standard_input);
// Sends standard input as it is while it reads replies, then waits for the last one.
int run_pipe(Session& session);
int run_scan(Session& session);
int run_stat(Session& session);
// --latency and --latency-history.
int run_latency(Session& session);
int run_intrinsic_latency(double seconds);
// --bigkeys, --memkeys and --hotkeys.
int run_key_survey(Session& session);
int run_rdb(Session& session);

// Runs one command and prints its reply; a command that the server keeps answering (SUBSCRIBE, MONITOR) is followed
// until the connection ends or is cancelled. True when it was carried out without an error reply.
Result<bool> run_and_print(Session& session, const std::vector<std::string>& command);
// Prints a reply in the session's format; what `command` answers as text for people (INFO) comes as it is.
// True when it is an error.
bool print_reply(const Reply& reply, const CliOptions& options, const std::vector<std::string>& command = {});
// Says on standard error why there is no connection.
void print_failure(const Session& session, const Error& error);

}  // namespace larder::cli
