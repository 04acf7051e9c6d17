#pragma once

// What the commands that run scripts and functions have in common.

#include <optional>

#include "server/core/context.h"
#include "server/script/script_engine.h"

namespace larder::script_commands {

// Reads "numkeys key ... argument ..."; nothing when the error is written.
std::optional<ScriptCall> take_call(CommandContext& ctx, ArgReader& args, bool read_only);

}  // namespace larder::script_commands
