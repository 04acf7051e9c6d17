#pragma once

// INFO: what the server tells of itself as text, the form that monitoring reads.
//
//     # Server\r\n
//     redis_version:7.2.4\r\n
//     ...
//     \r\n
//     # Clients\r\n
//
// Field names are those of Redis 7.2. What a feature would report that Larder does not have (yet) is what a Redis
// reports that does not use it, so that whoever parses a field finds one.

#include <span>
#include <string>

#include "base/bytes.h"
#include "server/core/services.h"

namespace larder {

// The text of the sections asked for, in a fixed order and each once. Names in any case; "default" stands for what INFO
// alone shows, "all" and "everything" for every section; other names are ignored. No name: "default".
// Cost: a walk over the clients and databases, and over the commands for their statistics.
std::string info_text(const Services& services, std::span<const Bytes> sections);

}  // namespace larder
