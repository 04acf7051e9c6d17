#pragma once

// larder-check-aof: reads a log, or one of its files, as a server would, says what is whole and where it ends, and cuts it
// there when asked.

#include <cstdint>
#include <string>

#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// `path` is a manifest (its name ends so) or one file. The report has a line for each file. With `fix` the last file is cut
// behind what is whole; what is cut is saved beside it. An error: something is torn or damaged, and was not mended.
Status check_aof(FileSystem& files, const std::string& path, bool fix, int64_t now_ms, std::string* report);

}  // namespace larder
