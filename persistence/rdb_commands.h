// An RDB file said again as commands: the base of an append-only log with `aof-use-rdb-preamble no`, which servers and
// tools read that know nothing of RDB.
#pragma once

#include <cstdint>
#include <functional>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// Calls `write` with a file's pieces of about a quarter of a megabyte: groups of commands with checksums, seeded with
// `salt`, as in the files that follow (aof_format.h). Keys past their deadline are written too: the log that follows says
// when they went. An error is that of the file or of `write`. One key at a time is in memory, and one piece.
Status write_rdb_as_commands(File& rdb, uint64_t rdb_bytes, uint64_t salt, const std::function<Status(Bytes)>& write);

}  // namespace larder
