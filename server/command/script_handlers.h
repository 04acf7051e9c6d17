#pragma once

// What the commands that run scripts and functions have in common.

#include <optional>
#include <span>

#include "server/core/command_docs.h"
#include "server/core/context.h"
#include "server/script/script_engine.h"

namespace larder::script_commands {

// Reads "numkeys key ... argument ..."; nothing when the error is written.
std::optional<ScriptCall> take_call(CommandContext& ctx, ArgReader& args, bool read_only,
                                    ErrorText bad_key_count = kNotInteger);

// function_commands.cc; the rows are in script_commands.cc.
void fcall(CommandContext& ctx, ArgReader& args);
void fcall_ro(CommandContext& ctx, ArgReader& args);
void function_load(CommandContext& ctx, ArgReader& args);
void function_delete(CommandContext& ctx, ArgReader& args);
void function_flush(CommandContext& ctx, ArgReader& args);
void function_list(CommandContext& ctx, ArgReader& args);
void function_stats(CommandContext& ctx, ArgReader& args);
void function_dump(CommandContext& ctx, ArgReader& args);
void function_restore(CommandContext& ctx, ArgReader& args);
void function_kill(CommandContext& ctx, ArgReader& args);

}  // namespace larder::script_commands
