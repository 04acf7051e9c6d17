#pragma once

// Handlers of the hash family. The rows that name them are in hash_commands.cc; each file holds one kind of command.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"
#include "storage/hash_value.h"

namespace larder {

extern const std::span<const CommandDocs> kHashDocs;  // hash_docs.cc

namespace hash_commands {

// The thresholds in force.
HashLimits limits(CommandContext& ctx);
// The field's value, or null.
void reply_field(ReplyWriter& reply, const HashValue& hash, Bytes field);

// hash_commands.cc: fields by name
void hset(CommandContext& ctx, ArgReader& args);
void hmset(CommandContext& ctx, ArgReader& args);
void hsetnx(CommandContext& ctx, ArgReader& args);
void hget(CommandContext& ctx, ArgReader& args);
void hmget(CommandContext& ctx, ArgReader& args);
void hdel(CommandContext& ctx, ArgReader& args);
void hexists(CommandContext& ctx, ArgReader& args);
void hstrlen(CommandContext& ctx, ArgReader& args);
void hlen(CommandContext& ctx, ArgReader& args);

// hash_number_commands.cc: fields that read as numbers
void hincrby(CommandContext& ctx, ArgReader& args);
void hincrbyfloat(CommandContext& ctx, ArgReader& args);

// hash_walk_commands.cc: all fields, some, random ones
void hgetall(CommandContext& ctx, ArgReader& args);
void hkeys(CommandContext& ctx, ArgReader& args);
void hvals(CommandContext& ctx, ArgReader& args);
void hscan(CommandContext& ctx, ArgReader& args);
void hrandfield(CommandContext& ctx, ArgReader& args);

// hash_expire_commands.cc: times to live of fields
void hexpire(CommandContext& ctx, ArgReader& args);
void hpexpire(CommandContext& ctx, ArgReader& args);
void hexpireat(CommandContext& ctx, ArgReader& args);
void hpexpireat(CommandContext& ctx, ArgReader& args);
void httl(CommandContext& ctx, ArgReader& args);
void hpttl(CommandContext& ctx, ArgReader& args);
void hexpiretime(CommandContext& ctx, ArgReader& args);
void hpexpiretime(CommandContext& ctx, ArgReader& args);
void hpersist(CommandContext& ctx, ArgReader& args);

// hash_value_expire_commands.cc: values together with times to live
void hgetex(CommandContext& ctx, ArgReader& args);
void hsetex(CommandContext& ctx, ArgReader& args);
void hgetdel(CommandContext& ctx, ArgReader& args);

}  // namespace hash_commands
}  // namespace larder
