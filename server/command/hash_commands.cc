// The hash family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kHashFamily{"hash", {}, {}};

}  // namespace larder
