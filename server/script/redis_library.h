#pragma once

// The library `redis` of scripts: how they reach the server.
//
// Functions that need the engine get it as an upvalue. During FUNCTION LOAD the library has register_function and no
// redis.call; see add_function_registration().

#include <lua.hpp>

namespace larder {

class ScriptEngine;

// Sets the globals `redis` and (its other name) `server`, and the libraries cjson, cmsgpack and struct. May raise.
void open_redis_library(lua_State* state, ScriptEngine& engine);

}  // namespace larder
