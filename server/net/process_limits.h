#pragma once

// Limits of the process that the number of clients depends on.

#include <cstdint>

namespace larder {

// Descriptors that are not clients: listeners, log, data files, the loop's own.
inline constexpr int64_t kReservedDescriptors = 32;

// Raises the limit of open descriptors so that `maxclients` fit; returns how many clients do fit.
int64_t raise_descriptor_limit(int64_t maxclients);

// Writes to a closed socket, or beyond the size that files may have, report an error instead of ending the process.
void ignore_signals_of_writes();

}  // namespace larder
