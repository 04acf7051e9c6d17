// The persistence family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kPersistenceFamily{"server", {}, {}};

}  // namespace larder
