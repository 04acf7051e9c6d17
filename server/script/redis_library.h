#pragma once

// The library `redis` of scripts: how they reach the server.
//
// Functions that need the engine get it as an upvalue. In the state of functions the library has register_function as
// well, which works during FUNCTION LOAD; redis.call works during a call alone.

#include <lua.hpp>

namespace larder {

class ScriptEngine;

// Sets the globals `redis` and (its other name) `server`, and the libraries cjson, cmsgpack and struct. May raise.
void open_redis_library(lua_State* state, ScriptEngine& engine, bool for_functions);

}  // namespace larder
