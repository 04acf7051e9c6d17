#pragma once

// Numbers of databases as arguments (COPY DB, MOVE).

#include <cstdint>

#include "protocol/arg_reader.h"
#include "server/core/context.h"

namespace larder {

// Takes the number of an existing database. Errors are latched in `args`: no integer, not within 32 bits, no such
// database.
inline int take_db_index(CommandContext& ctx, ArgReader& args) {
  const int64_t index = args.take_int(INT32_MIN, INT32_MAX, kNotInt32);
  if (!args.ok()) return 0;
  if (index < 0 || index >= ctx.services().store.database_count()) args.fail(kDbIndexOutOfRange);
  return static_cast<int>(index);
}

}  // namespace larder
