// SLOWLOG: the commands that took longest lately.

#include <algorithm>

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/core/context.h"
#include "server/observe/slowlog.h"

namespace larder {
namespace {

constexpr ErrorText kSlowlogCount{"ERR count should be greater than or equal to -1"};

void write_entry(ReplyWriter& reply, const Slowlog::Entry& entry) {
  reply.array(6);
  reply.integer(static_cast<int64_t>(entry.id));
  reply.integer(entry.wall_s);
  reply.integer(entry.duration_us);
  reply.array(entry.arguments.size());
  for (const auto& argument : entry.arguments) reply.bulk(argument);
  reply.bulk(entry.peer);
  reply.bulk(entry.client_name);
}

void slowlog_get(CommandContext& ctx, ArgReader& args) {
  constexpr int64_t kDefaultCount = 10;
  if (args.remaining() > 1) return ctx.reply().error(Bytes(subcommand_syntax_error("slowlog", ctx.argv()[1])));
  int64_t count = args.at_end() ? kDefaultCount : args.take_int(-1, INT64_MAX, kSlowlogCount, kSlowlogCount);
  if (!args.done(ctx.reply())) return;
  const auto& entries = ctx.services().slowlog.entries();
  const size_t shown = count < 0 ? entries.size() : std::min(entries.size(), static_cast<size_t>(count));
  ctx.reply().array(shown);
  for (size_t i = 0; i < shown; ++i) write_entry(ctx.reply(), entries[i]);
}

void slowlog_len(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().integer(static_cast<int64_t>(ctx.services().slowlog.entries().size()));
}

void slowlog_reset(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.services().slowlog.reset();
  ctx.reply().ok();
}

constexpr CommandSpec kSlowlogSubRows[] = {
    {.name = "get",
     .arity = -2,
     .flags = kAdmin | kWhileLoading | kWhileStale,
     .run = slowlog_get,
     .tips = "request_policy:all_nodes,nondeterministic_output"},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = container_help},
    {.name = "len",
     .arity = 2,
     .flags = kAdmin | kWhileLoading | kWhileStale,
     .run = slowlog_len,
     .tips = "request_policy:all_nodes,response_policy:agg_sum,nondeterministic_output"},
    {.name = "reset",
     .arity = 2,
     .flags = kAdmin | kWhileLoading | kWhileStale,
     .run = slowlog_reset,
     .tips = "request_policy:all_nodes,response_policy:all_succeeded"},
};

constexpr CommandSpec kSlowlogRows[] = {
    {.name = "slowlog", .arity = -2, .subcommands = kSlowlogSubRows},
};

}  // namespace

const CommandFamily kSlowlogFamily{"server", kSlowlogRows, kSlowlogDocs};

}  // namespace larder
