#pragma once

// Replies as text for people and for other programs, in the formats of redis-cli.

#include <string>

#include "clients/cli/cli_options.h"
#include "protocol/reply_reader.h"

namespace larder::cli {

// One reply in `format` (kAuto counts as kStandard). Standard text ends with a line end; the others do not, the
// delimiter is the caller's. Raw elements of an aggregate are separated by `delimiter`.
std::string format_reply(const Reply& reply, OutputFormat format, const std::string& delimiter = "\n");

// The bytes in double quotes, with escapes as the inline syntax reads them back.
std::string quote(Bytes bytes);

}  // namespace larder::cli
