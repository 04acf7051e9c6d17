// The list family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kListFamily{"list", {}, {}};

}  // namespace larder
