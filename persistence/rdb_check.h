// larder-check-rdb: reads a whole RDB file as a server would and says what is in it, or where it is damaged.
#pragma once

#include <string>

#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// The report: aux fields, and at the end the counts. An error names the offset of the damage; *report then says what was
// intact before it.
Status check_rdb_file(FileSystem& files, const std::string& path, int64_t now_ms, std::string* report);

}  // namespace larder
