#pragma once

// The interactive mode: a prompt with history, completion by TAB and hints at the right edge of the line.

#include "clients/cli/session.h"

namespace larder::cli {

// Talks to the person at the terminal, or runs the lines of standard input when that is no terminal. Returns the exit
// code of the process.
int run_interactive(Session& session);

}  // namespace larder::cli
