// Commands about the server as a whole that need no family of their own: TIME, ROLE, SHUTDOWN, LOLWUT, MODULE.

#include <algorithm>
#include <string>

#include "base/clock.h"
#include "base/number_text.h"
#include "base/version.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/core/compatibility.h"
#include "server/core/context.h"
#include "server/core/dispatcher.h"
#include "server/core/save_control.h"
#include "server/core/scripting.h"

namespace larder {
namespace {

void time(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const bool in_script = ctx.client().flags & kClientScript;
  const int64_t now_us = in_script ? ctx.services().scripting->started_us() : ctx.services().clock.wall_us();
  ctx.reply().array(2);
  ctx.reply().bulk_integer(now_us / 1000000);
  ctx.reply().bulk_integer(now_us % 1000000);
}

void role(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().array(3);
  ctx.reply().bulk("master");
  ctx.reply().integer(0);
  ctx.reply().empty_array();
}

struct ShutdownWords {
  bool save = false;
  bool nosave = false;
  bool now = false;
  bool force = false;
  bool abort = false;
};

ShutdownWords read_shutdown(ArgReader& args) {
  ShutdownWords words;
  while (args.ok() && !args.at_end()) {
    if (args.take_word("SAVE")) {
      words.save = true;
    } else if (args.take_word("NOSAVE")) {
      words.nosave = true;
    } else if (args.take_word("NOW")) {
      words.now = true;
    } else if (args.take_word("FORCE")) {
      words.force = true;
    } else if (args.take_word("ABORT")) {
      words.abort = true;
    } else {
      args.fail(kSyntax);
    }
  }
  const bool others = words.save || words.nosave || words.now || words.force;
  if ((words.save && words.nosave) || (words.abort && others)) args.fail(kSyntax);
  return words;
}

// A shutdown that goes ahead has no answer: the connection ends.
void shutdown(CommandContext& ctx, ArgReader& args) {
  const ShutdownWords words = read_shutdown(args);
  if (!args.ok()) return ctx.reply().error(args.error());
  if (words.abort) return ctx.reply().error(kShutdownNotInProgress);
  // Half of a script's effects is not to be saved.
  if (!words.nosave && ctx.dispatcher().has_gate(kServerBusy)) return ctx.reply().error(ctx.dispatcher().busy_text());
  const Status saved =
      ctx.services().saves.save_at_shutdown({.always = words.save, .never = words.nosave, .forced = words.force});
  if (!saved.ok() && !words.force) return ctx.reply().error(kShutdownFailed);
  ctx.dispatcher().set_gate(kServerEnding, true);
  ctx.client().close_after_reply();
  ctx.services().process.request_shutdown();
}

// A shelf and what is on it: the jars are drawn from the server's random numbers.
std::string larder_shelf(Random& random, int64_t columns, int64_t rows) {
  constexpr Bytes kJars[] = {"[=]", "(_)", "{#}", "|o|", "   "};
  std::string text;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) text += kJars[random.uniform(std::size(kJars))];
    text += '\n';
    text.append(static_cast<size_t>(columns) * 3, '=');
    text += '\n';
  }
  return text;
}

void lolwut(CommandContext& ctx, ArgReader& args) {
  constexpr int64_t kColumnsMax = 40;
  constexpr int64_t kRowsMax = 20;
  if (args.take_word("VERSION")) args.take<int64_t>();
  int64_t columns = 12;
  int64_t rows = 3;
  if (args.ok() && !args.at_end()) columns = args.take<int64_t>();
  if (args.ok() && !args.at_end()) rows = args.take<int64_t>();
  while (args.ok() && !args.at_end()) args.take<int64_t>();
  if (!args.done(ctx.reply())) return;
  std::string text = larder_shelf(ctx.services().random, std::clamp<int64_t>(columns, 1, kColumnsMax),
                                  std::clamp<int64_t>(rows, 1, kRowsMax));
  text += "\nWhat the cook finds without looking. Larder ver. " + std::string(kVersion) + " (talks like Redis ver. " +
          std::string(kRedisVersion) + ")\n";
  ctx.reply().verbatim("txt", text);
}

// There are no modules: the list is empty, and nothing can be loaded.
void module_list(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().empty_array();
}

void module_load(CommandContext& ctx, ArgReader&) {
  ctx.reply().error(Bytes("ERR Error loading the extension. Please check the server logs."));
}

void module_unload(CommandContext& ctx, ArgReader&) {
  ctx.reply().error(Bytes("ERR Error unloading module: no such module with that name"));
}

constexpr CommandSpec kModuleRows[] = {
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = container_help},
    {.name = "list",
     .arity = 2,
     .flags = kAdmin | kNotInScripts,
     .run = module_list,
     .tips = "nondeterministic_output_order"},
    {.name = "load", .arity = -3, .flags = kNoAsyncLoading | kAdmin | kNotInScripts | kProtected, .run = module_load},
    {.name = "loadex", .arity = -3, .flags = kNoAsyncLoading | kAdmin | kNotInScripts | kProtected, .run = module_load},
    {.name = "unload",
     .arity = 3,
     .flags = kNoAsyncLoading | kAdmin | kNotInScripts | kProtected,
     .run = module_unload},
};

constexpr CommandSpec kServerRows[] = {
    {.name = "time",
     .arity = 1,
     .flags = kWhileLoading | kWhileStale | kFast,
     .run = time,
     .tips = "nondeterministic_output"},
    {.name = "role",
     .arity = 1,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kSentinel,
     .acl = Acl::kAdmin | Acl::kDangerous,
     .run = role},
    {.name = "shutdown",
     .arity = -1,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kNoMulti | kSentinel | kAllowBusy,
     .run = shutdown},
    {.name = "lolwut", .arity = -1, .flags = kReadonly | kFast, .run = lolwut},
    {.name = "module", .arity = -2, .subcommands = kModuleRows},
};

}  // namespace

const CommandFamily kServerFamily{"server", kServerRows, kServerDocs};

}  // namespace larder
