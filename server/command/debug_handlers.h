#pragma once

// What DEBUG does with data. The table of subcommands is in debug_commands.cc.

#include "protocol/arg_reader.h"
#include "server/core/context.h"

namespace larder::debug_commands {

void digest(CommandContext& ctx, ArgReader& args);
void digest_value(CommandContext& ctx, ArgReader& args);
void populate(CommandContext& ctx, ArgReader& args);
void log(CommandContext& ctx, ArgReader& args);

}  // namespace larder::debug_commands
