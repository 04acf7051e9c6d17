#pragma once

// Handlers of the list family. The rows that name them are in list_commands.cc; each file holds one kind of command.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"
#include "storage/list_value.h"

namespace larder {

extern const std::span<const CommandDocs> kListDocs;  // list_docs.cc

// The thresholds in force.
ListLimits list_limits(CommandContext& ctx);

// What is told of elements popped from that end.
Event pop_event(ListEnd end);

namespace list_commands {

// list_commands.cc: adding to and taking from the ends, reading
void lpush(CommandContext& ctx, ArgReader& args);
void rpush(CommandContext& ctx, ArgReader& args);
void lpushx(CommandContext& ctx, ArgReader& args);
void rpushx(CommandContext& ctx, ArgReader& args);
void lpop(CommandContext& ctx, ArgReader& args);
void rpop(CommandContext& ctx, ArgReader& args);
void llen(CommandContext& ctx, ArgReader& args);
void lindex(CommandContext& ctx, ArgReader& args);
void lrange(CommandContext& ctx, ArgReader& args);

// list_edit_commands.cc: inside a list
void linsert(CommandContext& ctx, ArgReader& args);
void lset(CommandContext& ctx, ArgReader& args);
void ltrim(CommandContext& ctx, ArgReader& args);
void lrem(CommandContext& ctx, ArgReader& args);
void lpos(CommandContext& ctx, ArgReader& args);

// list_move_commands.cc: from list to list, from the first of several lists, and all that waits
void lmove(CommandContext& ctx, ArgReader& args);
void rpoplpush(CommandContext& ctx, ArgReader& args);
void lmpop(CommandContext& ctx, ArgReader& args);
void blpop(CommandContext& ctx, ArgReader& args);
void brpop(CommandContext& ctx, ArgReader& args);
void blmove(CommandContext& ctx, ArgReader& args);
void brpoplpush(CommandContext& ctx, ArgReader& args);
void blmpop(CommandContext& ctx, ArgReader& args);

}  // namespace list_commands
}  // namespace larder
