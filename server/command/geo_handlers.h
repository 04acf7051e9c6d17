#pragma once

// Handlers of the geo family. The rows that name them are in geo_commands.cc; each file holds one kind of command.

#include <optional>
#include <span>

#include "base/geohash.h"
#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"

namespace larder {

extern const std::span<const CommandDocs> kGeoDocs;  // geo_docs.cc

namespace geo_commands {

// geo_commands.cc: single places
void geoadd(CommandContext& ctx, ArgReader& args);
void geodist(CommandContext& ctx, ArgReader& args);
void geohash(CommandContext& ctx, ArgReader& args);
void geopos(CommandContext& ctx, ArgReader& args);

// geo_search_commands.cc
void geosearch(CommandContext& ctx, ArgReader& args);
void geosearchstore(CommandContext& ctx, ArgReader& args);
void georadius(CommandContext& ctx, ArgReader& args);
void georadius_ro(CommandContext& ctx, ArgReader& args);
void georadiusbymember(CommandContext& ctx, ArgReader& args);
void georadiusbymember_ro(CommandContext& ctx, ArgReader& args);

// ---- What both files need (geo_commands.cc)
// The next two arguments as a place; false when they are none, and answered.
bool take_point(CommandContext& ctx, ArgReader& args, GeoPoint* point);
// The next argument as a unit: meters in it. An unknown word latches the error.
double take_unit_m(ArgReader& args);
// A distance with four decimals.
void reply_distance(ReplyWriter& reply, double distance);
void reply_point(ReplyWriter& reply, GeoPoint point);

}  // namespace geo_commands
}  // namespace larder
