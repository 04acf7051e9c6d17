// EVAL and its relatives, and SCRIPT.

#include <string>

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/command/script_handlers.h"
#include "server/script/script_engine.h"

namespace larder {
namespace script_commands {

std::optional<ScriptCall> take_call(CommandContext& ctx, ArgReader& args, bool read_only, ErrorText bad_key_count) {
  const int64_t key_count = args.take_int(INT64_MIN, INT64_MAX, bad_key_count, bad_key_count);
  if (!args.ok()) return ctx.reply().error(args.error()), std::nullopt;
  if (key_count > static_cast<int64_t>(args.remaining())) return ctx.reply().error(kNumKeysTooMany), std::nullopt;
  if (key_count < 0) return ctx.reply().error(kNumKeysNegative), std::nullopt;
  ScriptCall call;
  call.keys = args.take_many(static_cast<size_t>(key_count));
  call.arguments = args.rest();
  call.read_only = read_only;
  return call;
}

}  // namespace script_commands

namespace {

using script_commands::take_call;

constexpr size_t kScriptNameBytes = 40;  // the digits of a SHA-1

template <bool kReadOnly>
void eval(CommandContext& ctx, ArgReader& args) {
  const auto source = args.take<Bytes>();
  if (const auto call = take_call(ctx, args, kReadOnly)) ScriptEngine::of(ctx).eval(ctx, source, *call);
}

template <bool kReadOnly>
void evalsha(CommandContext& ctx, ArgReader& args) {
  const auto sha = args.take<Bytes>();
  if (sha.size() != kScriptNameBytes) return ctx.reply().error(kNoScript);
  if (const auto call = take_call(ctx, args, kReadOnly)) ScriptEngine::of(ctx).evalsha(ctx, sha, *call);
}

void script_load(CommandContext& ctx, ArgReader& args) {
  const auto source = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  const Result<std::string> sha = ScriptEngine::of(ctx).load_script(source);
  if (!sha) return ctx.reply().error(sha.error().message);
  ctx.reply().bulk(*sha);
}

void script_exists(CommandContext& ctx, ArgReader& args) {
  const auto names = args.rest();
  ctx.reply().array(names.size());
  for (const Bytes name : names) ctx.reply().integer(ScriptEngine::of(ctx).has_script(name) ? 1 : 0);
}

void script_flush(CommandContext& ctx, ArgReader& args) {
  const bool asynchronous = args.take_word("ASYNC");
  if (!asynchronous) args.take_word("SYNC");
  if (!args.at_end()) return ctx.reply().error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  ScriptEngine::of(ctx).flush_scripts();
  ctx.reply().ok();
}

void script_kill(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const ErrorText refused = ScriptEngine::of(ctx).kill(false);
  refused ? ctx.reply().error(refused) : ctx.reply().ok();
}

void script_show(CommandContext& ctx, ArgReader& args) {
  const auto sha = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  ScriptEngine& engine = ScriptEngine::of(ctx);
  if (!engine.has_script(sha)) return ctx.reply().error(kNoScript);
  ctx.reply().bulk(engine.script_source(sha));
}

void script_debug(CommandContext& ctx, ArgReader& args) {
  const auto mode = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  if (equals_ignore_case(mode, "NO")) return ctx.reply().ok();
  if (!equals_ignore_case(mode, "YES") && !equals_ignore_case(mode, "SYNC")) {
    return ctx.reply().error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
  }
  ctx.reply().error("ERR Larder has no script debugger: SCRIPT DEBUG takes only NO");
}

constexpr uint32_t kEvalFlags = kNotInScripts | kSkipMonitor | kNoMandatoryKeys | kWhileStale;

constexpr CommandSpec kScriptSubRows[] = {
    {.name = "debug", .arity = -3, .flags = kNotInScripts, .acl = Acl::kScripting, .run = script_debug},
    {.name = "exists",
     .arity = -3,
     .flags = kNotInScripts | kWhileStale,
     .acl = Acl::kScripting,
     .run = script_exists,
     .tips = "request_policy:all_shards,response_policy:agg_logical_and"},
    {.name = "flush",
     .arity = -2,
     .flags = kNotInScripts | kWhileStale,
     .acl = Acl::kScripting,
     .run = script_flush,
     .tips = "request_policy:all_nodes,response_policy:all_succeeded"},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .acl = Acl::kScripting, .run = container_help},
    {.name = "kill",
     .arity = 2,
     .flags = kNotInScripts | kAllowBusy,
     .acl = Acl::kScripting,
     .run = script_kill,
     .tips = "request_policy:all_shards,response_policy:one_succeeded"},
    {.name = "load",
     .arity = 3,
     .flags = kNotInScripts | kWhileStale,
     .acl = Acl::kScripting,
     .run = script_load,
     .tips = "request_policy:all_nodes,response_policy:all_succeeded"},
    {.name = "show", .arity = 3, .flags = kNotInScripts | kWhileStale, .acl = Acl::kScripting, .run = script_show},
};

namespace sc = script_commands;

constexpr char kAllShards[] = "request_policy:all_shards,response_policy:all_succeeded";

constexpr CommandSpec kFunctionRows[] = {
    {.name = "delete",
     .arity = 3,
     .flags = kNotInScripts | kWrite,
     .acl = Acl::kScripting,
     .run = sc::function_delete,
     .tips = kAllShards},
    {.name = "dump", .arity = 2, .flags = kNotInScripts, .acl = Acl::kScripting, .run = sc::function_dump},
    {.name = "flush",
     .arity = -2,
     .flags = kNotInScripts | kWrite,
     .acl = Acl::kScripting,
     .run = sc::function_flush,
     .tips = kAllShards},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .acl = Acl::kScripting, .run = container_help},
    {.name = "kill",
     .arity = 2,
     .flags = kNotInScripts | kAllowBusy,
     .acl = Acl::kScripting,
     .run = sc::function_kill,
     .tips = "request_policy:all_shards,response_policy:one_succeeded"},
    {.name = "list",
     .arity = -2,
     .flags = kNotInScripts,
     .acl = Acl::kScripting,
     .run = sc::function_list,
     .tips = "nondeterministic_output_order"},
    {.name = "load",
     .arity = -3,
     .flags = kNotInScripts | kWrite | kDenyOom,
     .acl = Acl::kScripting,
     .run = sc::function_load,
     .tips = kAllShards},
    {.name = "restore",
     .arity = -3,
     .flags = kNotInScripts | kWrite | kDenyOom,
     .acl = Acl::kScripting,
     .run = sc::function_restore,
     .tips = kAllShards},
    {.name = "stats",
     .arity = 2,
     .flags = kNotInScripts | kAllowBusy,
     .acl = Acl::kScripting,
     .run = sc::function_stats,
     .tips = "nondeterministic_output,request_policy:all_shards,response_policy:special"},
};

constexpr CommandSpec kScriptRows[] = {
    {"eval", -3, kEvalFlags | kMayReplicate, Acl::kScripting, key_specs("RW+ACCESS+UPDATE@i2:keynum(0,1,1)"),
     eval<false>},
    {"evalsha", -3, kEvalFlags | kMayReplicate, Acl::kScripting, key_specs("RW+ACCESS+UPDATE@i2:keynum(0,1,1)"),
     evalsha<false>},
    {"eval_ro", -3, kEvalFlags | kReadonly, Acl::kScripting, key_specs("RO+ACCESS@i2:keynum(0,1,1)"), eval<true>},
    {"evalsha_ro", -3, kEvalFlags | kReadonly, Acl::kScripting, key_specs("RO+ACCESS@i2:keynum(0,1,1)"), evalsha<true>},
    {"fcall", -3, kEvalFlags | kMayReplicate, Acl::kScripting, key_specs("RW+ACCESS+UPDATE@i2:keynum(0,1,1)"),
     sc::fcall},
    {"fcall_ro", -3, kEvalFlags | kReadonly, Acl::kScripting, key_specs("RO+ACCESS@i2:keynum(0,1,1)"), sc::fcall_ro},
    {.name = "function", .arity = -2, .subcommands = kFunctionRows},
    {.name = "script", .arity = -2, .subcommands = kScriptSubRows},
};

}  // namespace

const CommandFamily kScriptFamily{"scripting", kScriptRows, kScriptDocs};

}  // namespace larder
