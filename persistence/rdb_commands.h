// An RDB file said again as commands: the base of an append-only log with `aof-use-rdb-preamble no`, which servers and
// tools read that know nothing of RDB.
#pragma once

#include <cstdint>
#include <functional>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"

namespace larder {

// Calls `write` with commands, in pieces of about a quarter of a megabyte. Keys past their deadline are written too: the
// log that follows says when they went. An error is that of the file or of `write`. One key at a time is in memory.
Status write_rdb_as_commands(File& rdb, uint64_t rdb_bytes, const std::function<Status(Bytes)>& write);

}  // namespace larder
