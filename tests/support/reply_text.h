#pragma once

// A reply as text, in the form that scenario files write expectations in (docs/design/spec_format.md).

#include <string>

#include "base/bytes.h"
#include "protocol/reply_reader.h"

namespace larder::testing {

// One line; longer aggregates are broken over several lines, one element each, indented by two spaces a level.
std::string reply_text(const Reply& reply);

}  // namespace larder::testing
