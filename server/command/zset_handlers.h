#pragma once

// Handlers of the sorted-set family. The rows that name them are in zset_commands.cc; each file holds one kind of command.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"

namespace larder {

extern const std::span<const CommandDocs> kZsetDocs;  // zset_docs.cc

namespace zset_commands {

// zset_commands.cc: single members
void zadd(CommandContext& ctx, ArgReader& args);
void zincrby(CommandContext& ctx, ArgReader& args);
void zscore(CommandContext& ctx, ArgReader& args);
void zmscore(CommandContext& ctx, ArgReader& args);
void zcard(CommandContext& ctx, ArgReader& args);
void zrank(CommandContext& ctx, ArgReader& args);
void zrevrank(CommandContext& ctx, ArgReader& args);
void zrem(CommandContext& ctx, ArgReader& args);

// zset_range_commands.cc: by index, score and bytes
void zrange(CommandContext& ctx, ArgReader& args);
void zrangestore(CommandContext& ctx, ArgReader& args);
void zrevrange(CommandContext& ctx, ArgReader& args);
void zrangebyscore(CommandContext& ctx, ArgReader& args);
void zrevrangebyscore(CommandContext& ctx, ArgReader& args);
void zrangebylex(CommandContext& ctx, ArgReader& args);
void zrevrangebylex(CommandContext& ctx, ArgReader& args);
void zcount(CommandContext& ctx, ArgReader& args);
void zlexcount(CommandContext& ctx, ArgReader& args);
void zremrangebyrank(CommandContext& ctx, ArgReader& args);
void zremrangebyscore(CommandContext& ctx, ArgReader& args);
void zremrangebylex(CommandContext& ctx, ArgReader& args);

// zset_pop_commands.cc: the ends, waiting or not
void zpopmin(CommandContext& ctx, ArgReader& args);
void zpopmax(CommandContext& ctx, ArgReader& args);
void zmpop(CommandContext& ctx, ArgReader& args);
void bzpopmin(CommandContext& ctx, ArgReader& args);
void bzpopmax(CommandContext& ctx, ArgReader& args);
void bzmpop(CommandContext& ctx, ArgReader& args);

// zset_walk_commands.cc: members in no order
void zscan(CommandContext& ctx, ArgReader& args);
void zrandmember(CommandContext& ctx, ArgReader& args);

// zset_algebra_commands.cc: several sets at once
void zunion(CommandContext& ctx, ArgReader& args);
void zunionstore(CommandContext& ctx, ArgReader& args);
void zinter(CommandContext& ctx, ArgReader& args);
void zinterstore(CommandContext& ctx, ArgReader& args);
void zdiff(CommandContext& ctx, ArgReader& args);
void zdiffstore(CommandContext& ctx, ArgReader& args);
void zintercard(CommandContext& ctx, ArgReader& args);

}  // namespace zset_commands
}  // namespace larder
