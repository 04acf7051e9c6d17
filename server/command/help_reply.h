#pragma once

// Replies that containers of subcommands have in common.

#include <string>

#include "server/core/context.h"

namespace larder {

// <CONTAINER> HELP: what every subcommand does, from the documentation rows. A handler: it fits the row of any HELP.
void container_help(CommandContext& ctx, ArgReader& args);

// Checks a value that CLIENT LIST shows (a name, a library): printable, no spaces.
bool is_listable(Bytes value);

// "ERR unknown subcommand or wrong number of arguments for 'x'. Try DEBUG HELP."
std::string subcommand_syntax_error(Bytes container, Bytes subcommand);

}  // namespace larder
