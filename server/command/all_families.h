#pragma once

#include <span>

#include "server/core/registry.h"

namespace larder {

// Every family of commands, in the order of COMMAND LIST. Listed by hand: what is not here does not exist.
std::span<const CommandFamily> all_families();

}  // namespace larder
