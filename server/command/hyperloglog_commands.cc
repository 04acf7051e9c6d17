// The hyperloglog family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kHyperLogLogFamily{"hyperloglog", {}, {}};

}  // namespace larder
