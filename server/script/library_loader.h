#pragma once

// redis.register_function(), and the library that is being put together while its source runs.

#include <lua.hpp>

#include <cstdint>

#include "server/script/function_store.h"

namespace larder {

// A library whose source is running.
struct LibraryLoad {
  static constexpr int64_t kTimeMsMax = 500;

  FunctionLibrary* library;
  int64_t started_ms;  // monotonic
};

// redis.register_function(name, callback), or with one table of named arguments. `load` is null when no library is being
// loaded. Raises what is wrong.
int register_function(lua_State* state, LibraryLoad* load);

}  // namespace larder
