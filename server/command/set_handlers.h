#pragma once

// Handlers of the set family. The rows that name them are in set_commands.cc; each file holds one kind of command.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"
#include "storage/set_value.h"

namespace larder {

extern const std::span<const CommandDocs> kSetDocs;  // set_docs.cc

namespace set_commands {

// The thresholds in force.
SetLimits limits(CommandContext& ctx);
// Writes all members of a set that exists into the reply, behind their header; those of a large one while the reply is sent.
void write_members(CommandContext& ctx, const SetValue& set);

// set_commands.cc: one set
void sadd(CommandContext& ctx, ArgReader& args);
void srem(CommandContext& ctx, ArgReader& args);
void smove(CommandContext& ctx, ArgReader& args);
void sismember(CommandContext& ctx, ArgReader& args);
void smismember(CommandContext& ctx, ArgReader& args);
void scard(CommandContext& ctx, ArgReader& args);
void smembers(CommandContext& ctx, ArgReader& args);
void sscan(CommandContext& ctx, ArgReader& args);

// set_random_commands.cc
void spop(CommandContext& ctx, ArgReader& args);
void srandmember(CommandContext& ctx, ArgReader& args);

// set_algebra_commands.cc: several sets
void sinter(CommandContext& ctx, ArgReader& args);
void sintercard(CommandContext& ctx, ArgReader& args);
void sinterstore(CommandContext& ctx, ArgReader& args);
void sunion(CommandContext& ctx, ArgReader& args);
void sunionstore(CommandContext& ctx, ArgReader& args);
void sdiff(CommandContext& ctx, ArgReader& args);
void sdiffstore(CommandContext& ctx, ArgReader& args);

}  // namespace set_commands
}  // namespace larder
