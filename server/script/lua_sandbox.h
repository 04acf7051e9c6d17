#pragma once

// What a script finds in its state: the standard library without files, processes and bytecode, and tables that cannot be
// changed.
//
// Every script of a server runs in one state, so nothing that a script can reach may be altered for the next one. Lua 5.1
// has no read-only tables. A shared table is therefore an empty proxy whose metatable leads to the real one:
//
//     script sees   redis = {}  ── metatable { __index = real, __newindex = error, __metatable = proxy, [mark] = real }
//
// Reading costs one step more, assigning is an error, and the few functions that go past metatables (rawset, next, pairs,
// table.insert ...) are ours and know the mark. The globals are such a proxy too; reading one that does not exist is an
// error, as scripts expect. The JIT compiler is off: compiled code does not run hooks, and a loop in it could not be stopped.

#include <lua.hpp>

#include "base/bytes.h"

namespace larder {

// Fills a new state: libraries, proxies, globals. Afterwards the globals of `state` are protected; the table behind them is
// the registry's kGlobalsKey. Call it in protected mode.
void open_sandbox(lua_State* state);

// lua_loadx() of a text (no bytecode, which Lua does not check: it could read and write any memory), in pieces between which
// the script's listener is asked. The status of Lua; the function or the error is pushed.
int load_text(lua_State* state, Bytes text, const char* name);

// The table at the top becomes a protected one: the proxy replaces it.
void protect_table(lua_State* state);
// Whether the value at `index` is a protected table; then the real table is pushed.
bool push_protected(lua_State* state, int index);
// Pushes the real table behind the globals.
void push_globals(lua_State* state);
// Makes reading a field that the table at the top does not have the error of a global that does not exist.
void reject_missing_fields(lua_State* state);
// While the source of a library runs, it sees other globals than its functions will: those of the table at the top, which is
// popped, and nothing else. Once, in protected mode.
void set_library_globals(lua_State* state);
// From here on the library globals are seen, or all. Takes no memory and raises nothing. Requires: they were set.
void show_library_globals(lua_State* state, bool are_seen);
// Raises the error of a change to a protected table.
int raise_readonly(lua_State* state);

}  // namespace larder
