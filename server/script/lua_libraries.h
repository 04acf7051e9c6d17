#pragma once

// The libraries of our own that scripts find. Each function adds to the table at the top, or pushes a new table.

#include <lua.hpp>

namespace larder {

void add_table_functions(lua_State* state);      // those that go past metatables: they respect protected tables
void add_math_functions(lua_State* state);       // those that differ from Lua 5.1
void add_bit_functions(lua_State* state);        // tohex
void add_string_functions(lua_State* state);     // those that take long: they can be interrupted
void add_coroutine_functions(lua_State* state);  // those that nest on the C stack or differ from Lua 5.1

int string_format(lua_State* state);  // add_string_functions() brings it

void push_cjson(lua_State* state);
// Pushes the configuration of that library, a userdata; reset_cjson() sets it back to what a script expects at its beginning.
void push_cjson_settings(lua_State* state);
void reset_cjson(void* settings);
void push_cmsgpack(lua_State* state);
void push_struct(lua_State* state);

}  // namespace larder
