// WAIT and WAITAOF: the client waits until what was written so far is safe, on this machine's disk or with replicas.
//
// This version of Larder has no replicas, so that whoever waits for one waits until its time is over. For the disk the log
// is synced at once, whatever appendfsync says, and once for all who wait: a request can be made durable under everysec
// without the wait of a second that Redis has.

#include "protocol/arg_reader.h"
#include "server/command/block_timeout.h"
#include "server/command/generic_handlers.h"
#include "server/core/append_log.h"
#include "server/core/blocking_table.h"

namespace larder {
namespace {

constexpr ErrorText kNotZeroOrOne{"ERR value is out of range, value must between 0 and 1"};
constexpr ErrorText kNoLogToWaitFor{"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."};

constexpr int64_t kReplicas = 0;

bool may_wait_on(const CommandContext& ctx, const Client& client) {
  return ctx.may_block() && !(client.blocked && client.blocked->is_over);
}

}  // namespace

namespace generic_commands {

void wait(CommandContext& ctx, ArgReader& args) {
  const auto wanted = args.take<int64_t>();
  const int64_t deadline_ms = take_block_timeout_ms(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  if (wanted > kReplicas && may_wait_on(ctx, ctx.client())) {
    BlockRequest request;
    request.deadline_ms = deadline_ms;
    request.answers_timeout = true;
    return ctx.block(request);
  }
  ctx.reply().integer(kReplicas);
}

void waitaof(CommandContext& ctx, ArgReader& args) {
  const int64_t wants_local = args.take_int(0, 1, kNotZeroOrOne);
  const int64_t wanted_replicas = args.take_int(0, INT64_MAX, kNotPositive);
  const int64_t deadline_ms = take_block_timeout_ms(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  AppendLog& log = ctx.services().append_log;
  if (wants_local > 0 && !log.keeps_log()) return ctx.reply().error(kNoLogToWaitFor);

  const Client& client = ctx.client();
  const uint64_t group = client.blocked ? client.blocked->note : log.current_group();
  const bool is_durable = log.on() && log.durable_group() >= group;
  const bool has_enough = kReplicas >= wanted_replicas && (is_durable || wants_local == 0);
  if (!has_enough && may_wait_on(ctx, client)) {
    log.hasten(group);
    BlockRequest request;
    request.deadline_ms = deadline_ms;
    request.wakes_on_removal = true;
    request.sharing = WaitSharing::kEveryone;
    request.awaits_log = true;
    request.answers_timeout = true;
    request.note = group;
    return ctx.block(request);
  }
  ctx.reply().array(2);
  ctx.reply().integer(is_durable ? 1 : 0);
  ctx.reply().integer(kReplicas);
}

}  // namespace generic_commands
}  // namespace larder
