#pragma once

// Everything that a server holds, as text that can be compared: the same for two servers that give a client the same
// answers, whatever encodings they use.

#include <map>
#include <string>

#include "tests/support/in_process_server.h"

namespace larder::testing {

// "<database>:<key>" -> type, deadline and contents. What has no order (sets, hashes) is sorted.
using Dataset = std::map<std::string, std::string>;

Dataset dataset_of(InProcessServer& server);

// The first differences as text, empty when there are none.
std::string difference_between(const Dataset& a, const Dataset& b);

}  // namespace larder::testing
