// The payload of FUNCTION DUMP: the sources of function libraries as a file has them, then version and checksum as in DUMP.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace larder {

std::string dump_functions(std::span<const std::string> sources, bool compress);
// The sources in a payload that passed check_dump_payload() (dump_payload.h).
Result<std::vector<std::string>> read_function_payload(Bytes payload);

}  // namespace larder
