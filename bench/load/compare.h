#pragma once

// The same tests on several servers by turns, so that whatever else the machine does hits all of them alike.

#include <functional>
#include <vector>

#include "bench/load/load_options.h"
#include "bench/load/workload.h"

namespace larder::load {

// Prints a table for each test: every server's figures, and their ratio to the last server's. Returns the exit code.
// When `interrupted` says so, it ends with the table of what is done.
int compare_servers(const LoadOptions& options, const std::vector<Workload>& workloads,
                    const std::function<bool()>& interrupted);

}  // namespace larder::load
