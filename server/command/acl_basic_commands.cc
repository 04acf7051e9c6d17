// The part of ACL that does not need users other than "default".

#include <string>

#include "base/random.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/core/authentication.h"
#include "server/core/command_text.h"
#include "server/core/context.h"

namespace larder {
namespace {

void acl_whoami(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().bulk(ctx.client().user);
}

void acl_users(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().array(1);
  ctx.reply().bulk(kDefaultUser);
}

void list_categories(ReplyWriter& reply) {
  const auto names = acl_category_names();
  reply.array(names.size());
  for (const FlagName& category : names) reply.bulk(category.name);
}

void list_category(CommandContext& ctx, Acl category) {
  const auto mark = ctx.reply().begin_deferred();
  size_t count = 0;
  for (const auto& command : ctx.services().registry.all()) {
    if (!has_category(acl_categories(*command->spec), category)) continue;
    ctx.reply().bulk(command->full_name);
    ++count;
  }
  ctx.reply().end_deferred_array(mark, count);
}

void acl_cat(CommandContext& ctx, ArgReader& args) {
  if (args.at_end()) return list_categories(ctx.reply());
  if (args.remaining() > 1) return ctx.reply().error(Bytes(subcommand_syntax_error("acl", ctx.argv()[1])));
  const Bytes wanted = args.take<Bytes>();
  for (const FlagName& category : acl_category_names()) {
    if (equals_ignore_case(category.name, wanted)) return list_category(ctx, static_cast<Acl>(category.bit));
  }
  ctx.reply().error(Bytes("ERR Unknown category '" + std::string(wanted) + "'"));
}

constexpr ErrorText kGenpassBits{
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"};

void acl_genpass(CommandContext& ctx, ArgReader& args) {
  constexpr int64_t kDefaultBits = 256;
  const int64_t bits = args.at_end() ? kDefaultBits : args.take_int(1, 4096, kGenpassBits);
  if (args.ok() && !args.at_end()) {
    return ctx.reply().error(Bytes(subcommand_syntax_error("acl", ctx.argv()[1])));
  }
  if (!args.done(ctx.reply())) return;
  const auto digits = static_cast<size_t>((bits + 3) / 4);
  ctx.reply().bulk(os_entropy_hex((digits + 1) / 2).substr(0, digits));
}

constexpr CommandSpec kAclSubRows[] = {
    {.name = "cat", .arity = -2, .flags = kNotInScripts | kWhileLoading | kWhileStale | kSentinel, .run = acl_cat},
    {.name = "genpass",
     .arity = -2,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .run = acl_genpass},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale | kSentinel, .run = container_help},
    {.name = "users",
     .arity = 2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .run = acl_users},
    {.name = "whoami", .arity = 2, .flags = kNotInScripts | kWhileLoading | kWhileStale | kSentinel, .run = acl_whoami},
};

constexpr CommandSpec kAclRows[] = {
    {.name = "acl", .arity = -2, .flags = kSentinel, .subcommands = kAclSubRows},
};

}  // namespace

const CommandFamily kAclFamily{"server", kAclRows, kAclDocs};

}  // namespace larder
