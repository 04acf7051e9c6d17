#pragma once

// One field of what INFO answers, with or without the header of the bulk string around it.

#include <optional>
#include <string>

namespace larder::testing {

inline std::optional<std::string> info_field(const std::string& info, const std::string& name) {
  const size_t at = info.find("\n" + name + ":");
  if (at == std::string::npos) return std::nullopt;
  const size_t begin = at + name.size() + 2;
  return info.substr(begin, info.find('\r', begin) - begin);
}

}  // namespace larder::testing
