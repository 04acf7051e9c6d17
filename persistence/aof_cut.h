#pragma once

// Mending the end of a file of the append-only log.

#include <string>

#include "base/file_system.h"
#include "base/result.h"
#include "persistence/aof_reader.h"

namespace larder {

// Cuts the file at `path` where its reader's end() says. The rest is in `path`.cut-<offset>, whose name is returned; both are
// synced. A base of ours is given an end again, so that it is taken as it is now.
// Requires: reader.next() has returned false.
Result<std::string> cut_aof_file(FileSystem& files, const std::string& path, const AofReader& reader);
// Gives a base that is kCutShort an end: what is left of it is taken as the whole.
Status end_aof_base(FileSystem& files, const std::string& path, const AofReader& reader);

}  // namespace larder
