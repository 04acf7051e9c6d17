#pragma once

// The library `redis` of scripts: how they reach the server.
//
// Functions that need the engine get it as an upvalue. The source of a library, while it is loaded, has a smaller one: it can
// register functions, which these themselves cannot, and log; commands are for calls.

#include <lua.hpp>

namespace larder {

class ScriptEngine;

// Sets the globals `redis` and (its other name) `server`, and the libraries cjson, cmsgpack and struct. May raise.
void open_redis_library(lua_State* state, ScriptEngine& engine, bool for_functions);

}  // namespace larder
