// The script family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kScriptFamily{"scripting", {}, {}};

}  // namespace larder
