#pragma once

// Handlers of the generic family: commands that work on keys of any type. The rows that name them are in
// generic_commands.cc; each file holds one kind of command.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"

namespace larder {

extern const std::span<const CommandDocs> kGenericDocs;  // generic_docs.cc

namespace generic_commands {

// generic_commands.cc: existence, names, databases
void del(CommandContext& ctx, ArgReader& args);
void exists(CommandContext& ctx, ArgReader& args);
void touch(CommandContext& ctx, ArgReader& args);
void type(CommandContext& ctx, ArgReader& args);
void rename(CommandContext& ctx, ArgReader& args);
void renamenx(CommandContext& ctx, ArgReader& args);
void copy(CommandContext& ctx, ArgReader& args);
void move(CommandContext& ctx, ArgReader& args);

// generic_expire_commands.cc
void expire(CommandContext& ctx, ArgReader& args);
void pexpire(CommandContext& ctx, ArgReader& args);
void expireat(CommandContext& ctx, ArgReader& args);
void pexpireat(CommandContext& ctx, ArgReader& args);
void ttl(CommandContext& ctx, ArgReader& args);
void pttl(CommandContext& ctx, ArgReader& args);
void expiretime(CommandContext& ctx, ArgReader& args);
void pexpiretime(CommandContext& ctx, ArgReader& args);
void persist(CommandContext& ctx, ArgReader& args);

// generic_scan_commands.cc: walking the keyspace
void keys(CommandContext& ctx, ArgReader& args);
void scan(CommandContext& ctx, ArgReader& args);
void randomkey(CommandContext& ctx, ArgReader& args);

// wait_commands.cc: until others have what was written
void wait(CommandContext& ctx, ArgReader& args);
void waitaof(CommandContext& ctx, ArgReader& args);

// object_commands.cc
void object_encoding(CommandContext& ctx, ArgReader& args);
void object_freq(CommandContext& ctx, ArgReader& args);
void object_idletime(CommandContext& ctx, ArgReader& args);
void object_refcount(CommandContext& ctx, ArgReader& args);

}  // namespace generic_commands
}  // namespace larder
