#pragma once

// A server in the test's process that keeps a log on a disk in memory.

#include <string>
#include <vector>

#include "tests/support/in_process_server.h"
#include "tests/support/info_field.h"

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

// A field of INFO persistence.
inline std::string persistence_field(InProcessServer::Connection& client, const std::string& name) {
  return info_field(client.call("INFO", "persistence"), name).value_or("(none)");
}

}  // namespace larder::testing
