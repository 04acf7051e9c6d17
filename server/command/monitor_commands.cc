// MONITOR. What it shows is core/monitors.h's.

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/core/context.h"
#include "server/core/monitors.h"

namespace larder {
namespace {

constexpr ErrorText kMonitorInTransaction{"ERR MONITOR isn't allowed for DENY BLOCKING client"};

// A second MONITOR has no answer, as in Redis.
void monitor(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  if (ctx.client().flags & kClientDenyBlocking) return ctx.reply().error(kMonitorInTransaction);
  if (ctx.client().gate & kGateMonitor) return;
  ctx.services().monitors.add(ctx.client());
  ctx.reply().ok();
}

constexpr CommandSpec kMonitorRows[] = {
    {.name = "monitor", .arity = 1, .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale, .run = monitor},
};

}  // namespace

const CommandFamily kMonitorFamily{"server", kMonitorRows, kMonitorDocs};

}  // namespace larder
