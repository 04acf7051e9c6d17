// The rate limit family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kRateLimitFamily{"rate-limit", {}, {}};

}  // namespace larder
