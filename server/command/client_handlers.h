#pragma once

// Handlers of CLIENT's subcommands that live in files of their own; the rows are in client_commands.cc.

namespace larder {

class ArgReader;
class CommandContext;

void client_tracking(CommandContext& ctx, ArgReader& args);
void client_caching(CommandContext& ctx, ArgReader& args);
void client_trackinginfo(CommandContext& ctx, ArgReader& args);
void client_getredir(CommandContext& ctx, ArgReader& args);

}  // namespace larder
