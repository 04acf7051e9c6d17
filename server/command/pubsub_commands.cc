// The pubsub family.

#include "server/command/families.h"

namespace larder {

const CommandFamily kPubsubFamily{"pubsub", {}, {}};

}  // namespace larder
