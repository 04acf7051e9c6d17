// larder-check-rdb: reads a whole RDB file as a server would and says what is in it, or where it is damaged; and makes a whole
// file of what can be read of a damaged one.
#pragma once

#include <string>

#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// The report: aux fields, and at the end the counts. An error names the offset of the damage; *report then says what was
// intact before it. With `fix` such a file is replaced by one of the parts in front of the damage, and kept as
// `<path>.damaged`; the error is only one of that then.
Status check_rdb_file(FileSystem& files, const std::string& path, bool fix, int64_t now_ms, std::string* report);

}  // namespace larder
