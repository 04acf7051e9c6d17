#pragma once

// A server in the test's process that keeps a log on a disk in memory.

#include <string>
#include <vector>

#include "tests/support/in_process_server.h"

namespace larder::testing {

inline InProcessOptions log_options(MemoryFileSystem& files, const std::string& rule,
                                    const std::vector<std::string>& more = {}) {
  InProcessOptions options;
  options.arguments = {"--dir", "/", "--save", "", "--appendonly", "yes", "--appendfsync", rule};
  options.arguments.insert(options.arguments.end(), more.begin(), more.end());
  options.files = &files;
  return options;
}

// A client of a server that has loaded what there is.
inline InProcessServer::Connection& started(InProcessServer& server) {
  server.run();
  return server.connect();
}

}  // namespace larder::testing
