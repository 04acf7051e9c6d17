#pragma once

// The timeout argument of blocking commands: how long to wait, read as the moment when waiting ends.

#include <cstdint>

#include "protocol/arg_reader.h"
#include "protocol/error_text.h"

namespace larder {

// Seconds with a fraction ("0.001"), rounded up to whole milliseconds: the wall clock's time in milliseconds when waiting
// ends, 0 for a timeout of 0 (wait for ever). Returns the error or an empty text.
ErrorText parse_block_timeout(Bytes seconds, int64_t now_ms, int64_t* deadline_ms);
// The same of whole milliseconds (XREAD BLOCK).
ErrorText parse_block_timeout_ms(Bytes milliseconds, int64_t now_ms, int64_t* deadline_ms);

// The same for the next argument; an error is latched.
int64_t take_block_timeout(ArgReader& args, int64_t now_ms);
int64_t take_block_timeout_ms(ArgReader& args, int64_t now_ms);
// The same for a timeout that was in front of all other arguments, when those are read and good.
int64_t late_block_timeout(ArgReader& args, Bytes seconds, int64_t now_ms);

}  // namespace larder
