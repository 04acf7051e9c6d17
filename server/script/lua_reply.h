#pragma once

// Replies to Lua values and back, by Redis's rules.
//
//   reply                         Lua                              Lua                       reply
//   integer                       number                           number                    integer, cut towards zero
//   bulk string                   string                           string                    bulk string
//   array                         table                            table                     array up to the first nil
//   status, error                 {ok=...}, {err=...}              {ok=...}, {err=...}       status, error
//   null (RESP2)                  false                            true, false, nil          1, null, null
//   null, boolean (RESP3)         nil, boolean                     booleans after setresp(3) boolean
//   map, set (RESP3)              {map={}}, {set={}}               {map={}}, {set={}}        map, set
//   double, big number, verbatim  {double=}, {big_number=}, {verbatim_string={format=, string=}}, both ways
//
// All functions may raise errors of Lua (memory, stack): call them in protected mode, with nothing to destroy.

#include <lua.hpp>

#include "base/bytes.h"
#include "protocol/reply_writer.h"

namespace larder {

// Pushes the value of one complete reply. Requires: `reply` was written by the server itself.
void push_reply(lua_State* state, Bytes reply);

// Writes the value at the top, and pops it. `resp3_booleans`: the script called setresp(3).
void write_lua_value(lua_State* state, ReplyWriter& reply, bool resp3_booleans);

// Pushes {err=text}.
void push_error_table(lua_State* state, Bytes text);

// The text of a number as an argument of a command (%.17g); returns its length. `out` has room for kLuaNumberBytesMax.
inline constexpr size_t kLuaNumberBytesMax = 32;
size_t write_lua_number(char* out, double number);

}  // namespace larder
