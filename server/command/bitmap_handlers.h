#pragma once

// Handlers of the bitmap family, and what its commands share. The rows that name them are in bitmap_commands.cc.

#include <cstdint>
#include <span>

#include "protocol/arg_reader.h"
#include "server/core/command_docs.h"
#include "server/core/context.h"

namespace larder {

extern const std::span<const CommandDocs> kBitmapDocs;  // bitmap_docs.cc

// The offset of a bit from its text: not negative, and inside the longest string there may be. Latches kBitOffset.
uint64_t parse_bit_offset(CommandContext& ctx, ArgReader& args, Bytes text, int64_t unit = 1);

namespace bitmap_commands {

// bitmap_commands.cc: single bits, and ranges
void setbit(CommandContext& ctx, ArgReader& args);
void getbit(CommandContext& ctx, ArgReader& args);
void bitcount(CommandContext& ctx, ArgReader& args);
void bitpos(CommandContext& ctx, ArgReader& args);

// bitmap_combine_commands.cc
void bitop(CommandContext& ctx, ArgReader& args);

// bitmap_field_commands.cc
void bitfield(CommandContext& ctx, ArgReader& args);
void bitfield_ro(CommandContext& ctx, ArgReader& args);

}  // namespace bitmap_commands
}  // namespace larder
