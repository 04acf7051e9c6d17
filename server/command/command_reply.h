#pragma once

// A command's row and documentation as COMMAND INFO and COMMAND DOCS show them.

#include "protocol/reply_writer.h"
#include "server/core/registry.h"

namespace larder {

// The ten fields of COMMAND INFO, subcommands nested.
void write_command_facts(ReplyWriter& reply, const Command& command);

// The map of COMMAND DOCS, subcommands nested.
void write_command_docs(ReplyWriter& reply, const Registry& registry, const Command& command);

// The names of the flags in `bits` as a set of status replies.
void write_key_flags(ReplyWriter& reply, uint16_t bits);

}  // namespace larder
