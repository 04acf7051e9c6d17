#pragma once

// Replies to Lua values and back, by Redis's rules.
//
//   reply                         Lua                              Lua                       reply
//   integer                       number                           number                    integer, cut towards zero
//   bulk string                   string                           string                    bulk string
//   array                         table                            table                     array up to the first nil
//   status                        {ok=...}                         {ok=...}                  status
//   error                         {err=..., ignore_error_stats_update=true}
//                                                                  {err=...}                 error
//   null (RESP2)                  false                            true, false, nil          1, null, null
//   null, boolean (RESP3)         nil, boolean                     booleans after setresp(3) boolean
//   map, set (RESP3)              {map={}}, {set={}}               {map={}}, {set={}}        map, set
//   double, big number, verbatim  {double=}, {big_number=}, {verbatim_string={format=, string=}}, both ways
//
// All functions may raise errors of Lua (memory, stack): call them in protected mode, with nothing to destroy.

#include <lua.hpp>

#include <span>

#include "base/bytes.h"
#include "protocol/reply_writer.h"
#include "server/core/server_stats.h"
#include "server/script/lua_runtime.h"
#include "server/script/nested_sink.h"

namespace larder {

// Pushes the value of one complete reply, with the pieces that lie elsewhere. Can be interrupted. Requires: `reply` was
// written by the server itself.
void push_reply(lua_State* state, Bytes reply, std::span<const NestedPin> pins = {});

// Writes the value at the top, and pops it. Can be interrupted, and takes at most as many bytes as the script's memory has
// (a table can be in a value more than once, or contain itself); what was written before an error stays. `resp3_booleans`: the script called setresp(3). Errors in it are counted, but for
// those that were when they arose.
void write_lua_value(LuaRuntime& runtime, lua_State* state, ReplyWriter& reply, bool resp3_booleans,
                     ServerStats& stats);

// Pushes {err=text}.
void push_error_table(lua_State* state, Bytes text);
// The same for an error of a command that a script runs: it says that the statistics have it.
void push_counted_error(lua_State* state, Bytes text);
// Whether the error table at `index` says so.
bool is_counted_error(lua_State* state, int index);

// The text of a number as an argument of a command (%.17g); returns its length. `out` has room for kLuaNumberBytesMax.
inline constexpr size_t kLuaNumberBytesMax = 32;
size_t write_lua_number(char* out, double number);

}  // namespace larder
