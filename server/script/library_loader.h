#pragma once

// redis.register_function(), and the library that is being put together while its source runs.

#include <lua.hpp>

#include <cstdint>

#include "server/script/function_store.h"

namespace larder {

// A library whose source is running.
struct LibraryLoad {
  // Who may how long: FUNCTION LOAD; the same library again, after the memory of all has run out. What a file holds was
  // loaded once: it has all the time it needs.
  static constexpr int64_t kTimeMsMax = 500;
  static constexpr int64_t kAgainTimeMsMax = 5'000;

  FunctionLibrary* library;
  int64_t end_ms;  // monotonic
};

// redis.register_function(name, callback), or with one table of named arguments. `load` is null when no library is being
// loaded. Raises what is wrong.
int register_function(lua_State* state, LibraryLoad* load);

}  // namespace larder
