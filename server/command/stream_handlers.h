#pragma once

// Handlers of the stream family. The rows that name them are in stream_commands.cc; each file holds one kind of command.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"

namespace larder {

extern const std::span<const CommandDocs> kStreamDocs;  // stream_docs.cc

namespace stream_commands {

// stream_entry_commands.cc: the entries
void xadd(CommandContext& ctx, ArgReader& args);
void xlen(CommandContext& ctx, ArgReader& args);
void xrange(CommandContext& ctx, ArgReader& args);
void xrevrange(CommandContext& ctx, ArgReader& args);
void xdel(CommandContext& ctx, ArgReader& args);
void xtrim(CommandContext& ctx, ArgReader& args);
void xsetid(CommandContext& ctx, ArgReader& args);

// stream_read_commands.cc
void xread(CommandContext& ctx, ArgReader& args);
void xreadgroup(CommandContext& ctx, ArgReader& args);

// stream_group_commands.cc: groups, consumers and what is pending
void xgroup_create(CommandContext& ctx, ArgReader& args);
void xgroup_setid(CommandContext& ctx, ArgReader& args);
void xgroup_destroy(CommandContext& ctx, ArgReader& args);
void xgroup_createconsumer(CommandContext& ctx, ArgReader& args);
void xgroup_delconsumer(CommandContext& ctx, ArgReader& args);
void xack(CommandContext& ctx, ArgReader& args);
void xpending(CommandContext& ctx, ArgReader& args);

// stream_claim_commands.cc
void xclaim(CommandContext& ctx, ArgReader& args);
void xautoclaim(CommandContext& ctx, ArgReader& args);

// stream_info_commands.cc
void xinfo_stream(CommandContext& ctx, ArgReader& args);
void xinfo_groups(CommandContext& ctx, ArgReader& args);
void xinfo_consumers(CommandContext& ctx, ArgReader& args);

}  // namespace stream_commands
}  // namespace larder
