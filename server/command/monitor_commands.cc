// The monitor family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kMonitorFamily{"server", {}, {}};

}  // namespace larder
