#pragma once

// Cutting the end off a file of the append-only log. What is cut is saved beside the file first.

#include <cstdint>
#include <string>

#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// Afterwards the file has `offset` bytes, and the rest is in `path`.cut-<offset>, whose name is returned; both are synced.
Result<std::string> cut_aof_file(FileSystem& files, const std::string& path, uint64_t offset);

}  // namespace larder
