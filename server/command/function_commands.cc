// FUNCTION and FCALL. The rows are in script_commands.cc.
//
// Libraries belong to the whole server and to no database. What changes them is repeated as it was requested, and snapshots
// carry the sources.

#include <string>
#include <vector>

#include "base/glob.h"
#include "persistence/dump_payload.h"
#include "persistence/rdb_functions.h"
#include "persistence/rdb_loader.h"
#include "server/command/help_reply.h"
#include "server/command/script_handlers.h"
#include "server/config/settings.h"

namespace larder::script_commands {
namespace {

constexpr ErrorText kBadKeyCount{"ERR Bad number of keys provided"};
constexpr ErrorText kFunctionNotFound{"ERR Function not found"};
constexpr ErrorText kLibraryNotFound{"ERR Library not found"};
constexpr ErrorText kBadFlushOption{"ERR FUNCTION FLUSH only supports SYNC|ASYNC option"};
constexpr ErrorText kBadPolicy{"ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."};
constexpr ErrorText kNoLibraryName{"ERR library name argument was not given"};

void run(CommandContext& ctx, ArgReader& args, bool read_only) {
  ScriptEngine& engine = ScriptEngine::of(ctx);
  const auto name = args.take<Bytes>();
  LibraryFunction* function = engine.functions().find(name);
  if (function == nullptr) return ctx.reply().error(kFunctionNotFound);
  if (const auto call = take_call(ctx, args, read_only, kBadKeyCount)) engine.fcall(ctx, *function, *call);
}

void reply_function(ReplyWriter& reply, const LibraryFunction& function) {
  reply.map(3);
  reply.bulk("name");
  reply.bulk(function.name);
  reply.bulk("description");
  function.has_description ? reply.bulk(function.description) : reply.null();
  reply.bulk("flags");
  const ReplyWriter::Mark mark = reply.begin_deferred();
  size_t count = 0;
  for (size_t i = 0; i < std::size(kScriptFlagWords); ++i) {
    if (!(function.flags & (1u << i))) continue;
    reply.simple(kScriptFlagWords[i]);
    ++count;
  }
  reply.end_deferred_set(mark, count);
}

void reply_library(ReplyWriter& reply, const FunctionLibrary& library, bool with_code) {
  reply.map(with_code ? 4 : 3);
  reply.bulk("library_name");
  reply.bulk(library.name);
  reply.bulk("engine");
  reply.bulk("LUA");
  reply.bulk("functions");
  reply.array(library.functions.size());
  for (const auto& function : library.functions) reply_function(reply, *function);
  if (!with_code) return;
  reply.bulk("library_code");
  reply.bulk(library.source);
}

// Libraries are no keys: nobody watches them, and only the log and the replicas are told.
void changed(CommandContext& ctx) {
  if (ctx.propagates()) ctx.propagate_as(ctx.argv());
}

}  // namespace

void fcall(CommandContext& ctx, ArgReader& args) { run(ctx, args, false); }
void fcall_ro(CommandContext& ctx, ArgReader& args) { run(ctx, args, true); }

void function_load(CommandContext& ctx, ArgReader& args) {
  bool replaces = false;
  while (args.remaining() > 1) {
    const auto option = args.take<Bytes>();
    if (!equals_ignore_case(option, "REPLACE")) {
      return ctx.reply().error("ERR Unknown option given: " + std::string(option));
    }
    replaces = true;
  }
  const auto source = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  const Result<std::string> name = ScriptEngine::of(ctx).load_functions(source, replaces);
  if (!name) return ctx.reply().error(name.error().message);
  changed(ctx);
  ctx.reply().bulk(*name);
}

void function_delete(CommandContext& ctx, ArgReader& args) {
  const auto name = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  if (!ScriptEngine::of(ctx).remove_functions(name)) return ctx.reply().error(kLibraryNotFound);
  changed(ctx);
  ctx.reply().ok();
}

void function_flush(CommandContext& ctx, ArgReader& args) {
  if (args.remaining() > 1) return ctx.reply().error(subcommand_syntax_error("function", ctx.argv()[1]));
  if (!args.at_end() && !args.take_word("SYNC") && !args.take_word("ASYNC")) return ctx.reply().error(kBadFlushOption);
  ScriptEngine::of(ctx).remove_all_libraries();
  changed(ctx);
  ctx.reply().ok();
}

void function_list(CommandContext& ctx, ArgReader& args) {
  bool with_code = false;
  bool has_pattern = false;
  Bytes pattern;
  while (!args.at_end()) {
    const auto word = args.take<Bytes>();
    if (!with_code && equals_ignore_case(word, "WITHCODE")) {
      with_code = true;
    } else if (!has_pattern && equals_ignore_case(word, "LIBRARYNAME")) {
      if (args.at_end()) return ctx.reply().error(kNoLibraryName);
      has_pattern = true;
      pattern = args.take<Bytes>();
    } else {
      return ctx.reply().error("ERR Unknown argument " + std::string(word));
    }
  }
  ReplyWriter& reply = ctx.reply();
  const ReplyWriter::Mark mark = reply.begin_deferred();
  size_t count = 0;
  for (const auto& [name, library] : ScriptEngine::of(ctx).functions().libraries()) {
    if (has_pattern && !glob_match(pattern, name, true)) continue;
    reply_library(reply, *library, with_code);
    ++count;
  }
  reply.end_deferred_array(mark, count);
}

void function_stats(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const ScriptEngine& engine = ScriptEngine::of(ctx);
  ReplyWriter& reply = ctx.reply();
  if (engine.is_running() && !engine.running().is_function) return reply.error(kBusyScript);
  reply.map(2);
  reply.bulk("running_script");
  if (engine.is_running()) {
    const ScriptEngine::Running running = engine.running();
    reply.map(3);
    reply.bulk("name");
    reply.bulk(running.name);
    reply.bulk("command");
    reply.array(running.request.size());
    for (const Bytes argument : running.request) reply.bulk(argument);
    reply.bulk("duration_ms");
    reply.integer(running.elapsed_ms);
  } else {
    reply.null();
  }
  reply.bulk("engines");
  reply.map(1);
  reply.bulk("LUA");
  reply.map(2);
  reply.bulk("libraries_count");
  reply.integer(static_cast<int64_t>(engine.functions().libraries().size()));
  reply.bulk("functions_count");
  reply.integer(static_cast<int64_t>(engine.functions().function_count()));
}

void function_dump(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const std::vector<std::string> sources = ScriptEngine::of(ctx).library_sources();
  ctx.reply().bulk(dump_functions(sources, ctx.services().settings.rdb_compression));
}

void function_restore(CommandContext& ctx, ArgReader& args) {
  if (args.remaining() > 2) return ctx.reply().error(subcommand_syntax_error("function", ctx.argv()[1]));
  const auto payload = args.take<Bytes>();
  RestorePolicy policy = RestorePolicy::kAppend;
  if (args.take_word("FLUSH")) {
    policy = RestorePolicy::kFlush;
  } else if (args.take_word("REPLACE")) {
    policy = RestorePolicy::kReplace;
  } else if (!args.at_end() && !args.take_word("APPEND")) {
    return ctx.reply().error(kBadPolicy);
  }
  if (!args.done(ctx.reply())) return;
  if (!check_dump_payload(payload)) return ctx.reply().error(kBadDump);
  const auto sources = read_function_payload(payload);
  if (!sources) return ctx.reply().error("ERR " + sources.error().message);
  const Status restored = ScriptEngine::of(ctx).restore_functions(*sources, policy);
  if (!restored.ok()) return ctx.reply().error(restored.message());
  changed(ctx);
  ctx.reply().ok();
}

void function_kill(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const ErrorText refused = ScriptEngine::of(ctx).kill(true);
  refused ? ctx.reply().error(refused) : ctx.reply().ok();
}

}  // namespace larder::script_commands
