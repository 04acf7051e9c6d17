// The bitmap family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kBitmapFamily{"bitmap", {}, {}};

}  // namespace larder
