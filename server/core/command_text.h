#pragma once

// Names of flags, categories and key flags, as COMMAND INFO and ACL print them.

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "server/core/command_spec.h"

namespace larder {

struct FlagName {
  uint32_t bit;
  Bytes name;
};

// In the order in which COMMAND INFO lists them.
std::span<const FlagName> command_flag_names();
std::span<const FlagName> acl_category_names();  // without the '@'
std::span<const FlagName> key_flag_names();

}  // namespace larder
