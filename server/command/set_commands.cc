// The set family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kSetFamily{"set", {}, {}};

}  // namespace larder
