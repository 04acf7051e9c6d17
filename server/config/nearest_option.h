#pragma once

// "Did you mean ...?" for a misspelled option.

#include "base/bytes.h"

namespace larder {

// The option (or directive of a configuration file) whose name is nearest to `name`, or the empty text when none is
// near: at most one edit in three letters, and never more than three. An edit is a letter inserted, removed or
// replaced, or two neighbours swapped.
Bytes nearest_option(Bytes name);

}  // namespace larder
