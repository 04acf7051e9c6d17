// The geo family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kGeoFamily{"geo", {}, {}};

}  // namespace larder
