#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace larder {

// What a reader of settings answers to text that means nothing; `reason` is shown to whoever wrote it.
inline Status invalid(std::string reason) { return {ErrorCode::kInvalidArgument, std::move(reason)}; }

}  // namespace larder
