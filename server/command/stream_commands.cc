// The stream family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kStreamFamily{"stream", {}, {}};

}  // namespace larder
