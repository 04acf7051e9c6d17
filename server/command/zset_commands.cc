// The zset family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kZsetFamily{"sorted-set", {}, {}};

}  // namespace larder
