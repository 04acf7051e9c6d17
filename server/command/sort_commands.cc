// The sort family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kSortFamily{"generic", {}, {}};

}  // namespace larder
