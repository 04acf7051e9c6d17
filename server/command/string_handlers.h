#pragma once

// Handlers of the string family. The rows that name them are in string_commands.cc; each file holds one kind of command.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"

namespace larder {

extern const std::span<const CommandDocs> kStringDocs;  // string_docs.cc

namespace string_commands {

// string_commands.cc: reading, and editing part of a value
void get(CommandContext& ctx, ArgReader& args);
void mget(CommandContext& ctx, ArgReader& args);
void strlen(CommandContext& ctx, ArgReader& args);
void getrange(CommandContext& ctx, ArgReader& args);
void getdel(CommandContext& ctx, ArgReader& args);
void delifeq(CommandContext& ctx, ArgReader& args);
void append(CommandContext& ctx, ArgReader& args);
void setrange(CommandContext& ctx, ArgReader& args);

// string_set_commands.cc: whole values and their time to live
void set(CommandContext& ctx, ArgReader& args);
void setnx(CommandContext& ctx, ArgReader& args);
void setex(CommandContext& ctx, ArgReader& args);
void psetex(CommandContext& ctx, ArgReader& args);
void getset(CommandContext& ctx, ArgReader& args);
void getex(CommandContext& ctx, ArgReader& args);
void mset(CommandContext& ctx, ArgReader& args);
void msetnx(CommandContext& ctx, ArgReader& args);
void msetex(CommandContext& ctx, ArgReader& args);

// string_number_commands.cc
void incr(CommandContext& ctx, ArgReader& args);
void decr(CommandContext& ctx, ArgReader& args);
void incrby(CommandContext& ctx, ArgReader& args);
void decrby(CommandContext& ctx, ArgReader& args);
void incrbyfloat(CommandContext& ctx, ArgReader& args);

// string_increx_command.cc
void increx(CommandContext& ctx, ArgReader& args);

// string_lcs.cc
void lcs(CommandContext& ctx, ArgReader& args);

}  // namespace string_commands
}  // namespace larder
