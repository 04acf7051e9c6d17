// CONFIG: the options of the running server. What an option is and may be is known to server/config.

#include <string>
#include <vector>

#include "base/log.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/config/conf_rewriter.h"
#include "server/config/option_table.h"
#include "server/core/context.h"
#include "server/core/dispatcher.h"
#include "server/core/loading.h"
#include "server/core/server_stats.h"

namespace larder {
namespace {

constexpr ErrorText kNoConfigFile{"ERR The server is running without a config file"};

// CONFIG GET pattern [pattern ...]: names and values.
void config_get(CommandContext& ctx, ArgReader& args) {
  const auto found = ctx.services().options.find(args.rest());
  ctx.reply().map(found.size());
  for (const auto& [name, text] : found) {
    ctx.reply().bulk(name);
    ctx.reply().bulk(text);
  }
}

// Options that name files may be changed by those whom enable-protected-configs trusts.
OptionTable::ProtectedConfigs protected_configs(CommandContext& ctx) {
  const ProtectedCommandUse use = ctx.services().settings.enable_protected_configs;
  const bool is_local = (ctx.client().flags & (kClientLoopback | kClientUnixSocket)) != 0;
  const bool allowed = use == ProtectedCommandUse::kYes || (use == ProtectedCommandUse::kLocal && is_local);
  return allowed ? OptionTable::ProtectedConfigs::kAllow : OptionTable::ProtectedConfigs::kRefuse;
}

// CONFIG SET option value [option value ...]: all of them or none.
void config_set(CommandContext& ctx, ArgReader& args) {
  const auto pairs = args.rest();
  if (pairs.size() % 2 != 0) return ctx.reply().error(kSyntax);
  std::vector<OptionTable::Assignment> assignments;
  bool refused_by_loading = false;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const OptionRow* row = find_option(pairs[i]);
    if (row != nullptr && row->has(kSensitive)) ctx.dispatcher().redact(pairs[i + 1]);
    refused_by_loading |= row != nullptr && row->has(kNotWhileLoading) && ctx.services().loading.active();
    assignments.push_back({pairs[i], pairs[i + 1]});
  }
  if (refused_by_loading) return ctx.reply().error(kLoading);
  const Status set = ctx.services().options.set(assignments, protected_configs(ctx));
  if (!set.ok()) return ctx.reply().error(set.message());
  ctx.reply().ok();
}

void config_resetstat(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.services().stats.reset();
  ctx.services().registry.reset_stats();
  ctx.reply().ok();
}

void config_rewrite(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  Services& services = ctx.services();
  if (services.identity.config_file.empty()) return ctx.reply().error(kNoConfigFile);
  const Status written = rewrite_conf_file(services.files, services.identity.config_file, services.settings);
  if (!written.ok()) {
    services.log.warning("CONFIG REWRITE failed: {}", written.to_string());
    return ctx.reply().error("ERR Rewriting config file: " + std::string(written.message()));
  }
  services.log.notice("CONFIG REWRITE executed with success.");
  ctx.reply().ok();
}

constexpr uint32_t kConfigFlags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale;
constexpr Bytes kEverywhere = "request_policy:all_nodes,response_policy:all_succeeded";

constexpr CommandSpec kConfigSubRows[] = {
    {.name = "get", .arity = -3, .flags = kConfigFlags, .run = config_get},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = container_help},
    {.name = "resetstat", .arity = 2, .flags = kConfigFlags, .run = config_resetstat, .tips = kEverywhere},
    {.name = "rewrite", .arity = 2, .flags = kConfigFlags, .run = config_rewrite, .tips = kEverywhere},
    {.name = "set", .arity = -4, .flags = kConfigFlags, .run = config_set, .tips = kEverywhere},
};

constexpr CommandSpec kConfigRows[] = {
    {.name = "config", .arity = -2, .subcommands = kConfigSubRows},
};

}  // namespace

const CommandFamily kConfigFamily{"server", kConfigRows, kConfigDocs};

}  // namespace larder
