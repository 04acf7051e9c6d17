#pragma once

// Options that are of no common type: lists of addresses, of save points, limits per class of clients. For the rows of
// option_rows.cc.

#include "server/config/option_rows.h"

namespace larder {

extern const SpecialOption kBindOption;
extern const SpecialOption kHzOption;
extern const SpecialOption kSaveOption;
extern const SpecialOption kOutputLimitOption;
extern const SpecialOption kOomScoreValuesOption;
extern const SpecialOption kReplicaofOption;
extern const SpecialOption kPercentilesOption;
extern const SpecialOption kNotifyOption;

}  // namespace larder
