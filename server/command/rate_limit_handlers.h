#pragma once

// Handlers of the rate-limit family. The rows that name them are in rate_limit_commands.cc. What the commands promise, and
// how their state is kept, is in docs/design/rate_limits.md.

#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"

namespace larder {

extern const std::span<const CommandDocs> kRateLimitDocs;  // rate_limit_docs.cc

namespace rate_limit_commands {

// rate_throttle_command.cc
void cl_throttle(CommandContext& ctx, ArgReader& args);

// rate_limit_commands.cc: several limits at once
void rl_take(CommandContext& ctx, ArgReader& args);
void rl_peek(CommandContext& ctx, ArgReader& args);
void rl_refund(CommandContext& ctx, ArgReader& args);
void rl_reset(CommandContext& ctx, ArgReader& args);

// rate_lease_commands.cc: how many at the same time
void rl_acquire(CommandContext& ctx, ArgReader& args);
void rl_renew(CommandContext& ctx, ArgReader& args);
void rl_release(CommandContext& ctx, ArgReader& args);
void rl_leases(CommandContext& ctx, ArgReader& args);

}  // namespace rate_limit_commands
}  // namespace larder
