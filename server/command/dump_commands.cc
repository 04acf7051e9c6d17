// The dump family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kDumpFamily{"generic", {}, {}};

}  // namespace larder
