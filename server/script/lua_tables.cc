// table.insert and its kin, which go past metatables and so have to know protected tables; math.random; bit.tohex.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/bytes.h"
#include "server/script/lua_libraries.h"
#include "server/script/lua_output.h"
#include "server/script/lua_runtime.h"
#include "server/script/lua_sandbox.h"

namespace larder {
namespace {

// Lua's own rule of a table's length. A protected one is an empty proxy: nothing can be taken out of it or sorted in it.
int length_of(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  return static_cast<int>(lua_objlen(state, 1));
}

int table_insert(lua_State* state) {
  const int end = length_of(state) + 1;
  const int count = lua_gettop(state);
  if (count != 2 && count != 3) return luaL_error(state, "wrong number of arguments to 'insert'");
  const int position = count == 2 ? end : luaL_checkint(state, 2);
  if (push_protected(state, 1)) return raise_readonly(state);
  LuaRuntime& runtime = LuaRuntime::of(state);
  for (int i = std::max(end, position); i > position; --i) {
    runtime.count_step(state);
    lua_rawgeti(state, 1, i - 1);
    lua_rawseti(state, 1, i);
  }
  lua_rawseti(state, 1, position);
  return 0;
}

int table_remove(lua_State* state) {
  const int end = length_of(state);
  int position = luaL_optint(state, 2, end);
  if (position < 1 || position > end) return 0;
  lua_rawgeti(state, 1, position);
  LuaRuntime& runtime = LuaRuntime::of(state);
  for (; position < end; ++position) {
    runtime.count_step(state);
    lua_rawgeti(state, 1, position + 1);
    lua_rawseti(state, 1, position);
  }
  lua_pushnil(state);
  lua_rawseti(state, 1, end);
  return 1;
}

// Lua's own loops over tables ask nobody whether they may go on: they get no more elements than this.
constexpr int kUninterruptedMax = 10000;

int less_than(lua_State* state) {
  LuaRuntime::of(state).count_step(state);
  lua_pushboolean(state, lua_lessthan(state, 1, 2));
  return 1;
}

// The upvalue is a function of C, whose calls nobody would count.
int counted_comparison(lua_State* state) {
  LuaRuntime::of(state).count_step(state);
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, lua_gettop(state) - 1, 1);
  return 1;
}

// Whether Lua may compare the elements by itself: few, and no long texts among them.
bool compares_fast(lua_State* state, int length) {
  constexpr size_t kTextBytesMax = 1024;
  if (length > kUninterruptedMax) return false;
  for (int i = 1; i <= length; ++i) {
    lua_rawgeti(state, 1, i);
    const bool is_long = lua_type(state, -1) == LUA_TSTRING && lua_objlen(state, -1) > kTextBytesMax;
    lua_pop(state, 1);
    if (is_long) return false;
  }
  return true;
}

// Lua's own sort, behind the checks; many or large values are compared by our function.
int table_sort(lua_State* state) {
  const int length = length_of(state);
  if (lua_isnoneornil(state, 2)) {
    if (!compares_fast(state, length)) {
      lua_settop(state, 1);
      lua_pushcfunction(state, less_than);
    }
  } else if (luaL_checktype(state, 2, LUA_TFUNCTION); lua_iscfunction(state, 2)) {
    lua_settop(state, 2);
    lua_pushcclosure(state, counted_comparison, 1);
  }
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  LuaRuntime& runtime = LuaRuntime::of(state);
  const int nesting = runtime.enter(state);
  lua_call(state, lua_gettop(state) - 1, 0);
  runtime.leave(nesting);
  return 0;
}

// Lua's own function, the upvalue, with the arguments on the stack, which stay. It calls nothing, but names no line in its
// errors, because none of Lua called it: theirs is put before them. (To look at the elements first took a tenth of it.) False:
// it may not make so large a text.
bool concat_fast(lua_State* state) {
  const int count = std::min(lua_gettop(state), 4);
  lua_pushvalue(state, lua_upvalueindex(1));
  for (int i = 1; i <= count; ++i) lua_pushvalue(state, i);
  const int status = lua_pcall(state, count, 1, 0);
  if (status == 0) return true;
  if (status == LUA_ERRMEM) {
    LuaRuntime& runtime = LuaRuntime::of(state);
    if (runtime.heap().exhausted()) runtime.run_out_of_memory(state);
    return false;
  }
  luaL_where(state, 1);
  lua_insert(state, -2);
  lua_concat(state, 2);
  return lua_error(state) == 0;
}

// Lua's own for few elements.
int table_concat(lua_State* state) {
  size_t size = 0;
  const char* text = luaL_optlstring(state, 2, "", &size);
  luaL_checktype(state, 1, LUA_TTABLE);
  const lua_Integer first = luaL_optinteger(state, 3, 1);
  const lua_Integer last = luaL_optinteger(state, 4, static_cast<lua_Integer>(lua_objlen(state, 1)));
  const bool is_odd = first < 0 || last > INT32_MAX;
  const bool are_few = is_odd || last < first || last - first < kUninterruptedMax;
  if (are_few && concat_fast(state)) return 1;
  const Bytes separator(text, size);
  lua_settop(state, 2);
  lua_pushnil(state);
  LuaOutput out(state, 3);
  LuaRuntime& runtime = LuaRuntime::of(state);
  for (lua_Integer i = first; i <= last; ++i) {
    runtime.count_step(state);
    lua_rawgeti(state, 1, static_cast<int>(i));
    const char* element = lua_tolstring(state, -1, &size);
    if (element == nullptr) {
      return luaL_error(state, "invalid value (%s) at index %d in table for 'concat'", luaL_typename(state, -1),
                        static_cast<int>(i));
    }
    out.add(Bytes(element, size));
    if (i < last) out.add(separator);
    lua_pop(state, 1);
  }
  out.push();
  return 1;
}

// LuaJIT's own foreach or foreachi, the upvalue, which is written in Lua: it takes a missing argument for nil.
int table_foreach(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  luaL_checktype(state, 2, LUA_TFUNCTION);
  lua_settop(state, 2);
  if (push_protected(state, 1)) lua_replace(state, 1);
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  LuaRuntime& runtime = LuaRuntime::of(state);
  const int nesting = runtime.enter(state);
  lua_call(state, 2, 1);
  runtime.leave(nesting);
  return 1;
}

int table_getn(lua_State* state) {
  lua_pushinteger(state, length_of(state));
  return 1;
}

int table_setn(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  return luaL_error(state, "'setn' is obsolete");
}

// The 48-bit linear congruential generator of POSIX's lrand48(): the sequence behind a seed is the one scripts know.
constexpr uint64_t kRandomFactor = 0x5deece66d;
constexpr uint64_t kRandomAddend = 0xb;
constexpr uint64_t kRandomMask = (uint64_t{1} << 48) - 1;
constexpr double kRandomMax = 2147483647;

int math_random(lua_State* state) {
  uint64_t& random = LuaRuntime::of(state).random_state();
  random = (random * kRandomFactor + kRandomAddend) & kRandomMask;
  const double fraction = std::fmod(static_cast<double>(random >> 17), kRandomMax) / kRandomMax;
  switch (lua_gettop(state)) {
    case 0:
      lua_pushnumber(state, fraction);
      return 1;
    case 1: {
      const int high = luaL_checkint(state, 1);
      luaL_argcheck(state, 1 <= high, 1, "interval is empty");
      lua_pushnumber(state, std::floor(fraction * high) + 1);
      return 1;
    }
    case 2: {
      const int low = luaL_checkint(state, 1);
      const int high = luaL_checkint(state, 2);
      luaL_argcheck(state, low <= high, 2, "interval is empty");
      lua_pushnumber(state, std::floor(fraction * (static_cast<double>(high) - low + 1)) + low);
      return 1;
    }
    default:
      return luaL_error(state, "wrong number of arguments");
  }
}

int math_randomseed(lua_State* state) {
  const auto seed = static_cast<uint32_t>(luaL_checkint(state, 1));
  LuaRuntime::of(state).random_state() = (uint64_t{seed} << 16) + 0x330e;
  return 0;
}

// LuaJIT's own fills up to 254 digits, and takes the low byte of a larger number of them. Upvalues: that one, and bit.tobit.
int bit_tohex(lua_State* state) {
  constexpr lua_Integer kDigitsMax = 8;
  luaL_checknumber(state, 1);
  lua_settop(state, std::min(lua_gettop(state), 2));
  if (lua_gettop(state) == 2) {
    luaL_checknumber(state, 2);
    lua_pushvalue(state, lua_upvalueindex(2));
    lua_insert(state, 2);
    lua_call(state, 1, 1);
    lua_pushinteger(state, std::clamp<lua_Integer>(lua_tointeger(state, 2), -kDigitsMax, kDigitsMax));
    lua_replace(state, 2);
  }
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, lua_gettop(state) - 1, 1);
  return 1;
}

// Lua 5.1 knows no other base.
int math_log(lua_State* state) {
  lua_pushnumber(state, std::log(luaL_checknumber(state, 1)));
  return 1;
}

// LuaJIT's own look at the first of two arguments first, Lua 5.1 at the last.
template <double (*function)(double, double)>
int math_of_two(lua_State* state) {
  const double second = luaL_checknumber(state, 2);
  lua_pushnumber(state, function(luaL_checknumber(state, 1), second));
  return 1;
}

int math_ldexp(lua_State* state) {
  const auto exponent = static_cast<int32_t>(luaL_checkinteger(state, 2));  // its low 32 bits
  lua_pushnumber(state, std::ldexp(luaL_checknumber(state, 1), exponent));
  return 1;
}

// LuaJIT's own two are written in Lua: their errors name its source and no argument.
constexpr double kRadiansPerDegree = M_PI / 180;
int math_deg(lua_State* state) {
  lua_pushnumber(state, luaL_checknumber(state, 1) / kRadiansPerDegree);
  return 1;
}
int math_rad(lua_State* state) {
  lua_pushnumber(state, luaL_checknumber(state, 1) * kRadiansPerDegree);
  return 1;
}

}  // namespace

void add_table_functions(lua_State* state) {
  constexpr luaL_Reg kGuarded[] = {
      {"sort", table_sort}, {"concat", table_concat}, {"foreach", table_foreach}, {"foreachi", table_foreach}};
  for (const luaL_Reg& function : kGuarded) {
    lua_getfield(state, -1, function.name);
    lua_pushcclosure(state, function.func, 1);
    lua_setfield(state, -2, function.name);
  }
  constexpr luaL_Reg kFunctions[] = {
      {"insert", table_insert}, {"remove", table_remove}, {"getn", table_getn}, {"setn", table_setn}};
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(state, function.func);
    lua_setfield(state, -2, function.name);
  }
}

void add_bit_functions(lua_State* state) {
  lua_getfield(state, -1, "tohex");
  lua_getfield(state, -2, "tobit");
  lua_pushcclosure(state, bit_tohex, 2);
  lua_setfield(state, -2, "tohex");
}

void add_math_functions(lua_State* state) {
  constexpr luaL_Reg kFunctions[] = {{"log", math_log},
                                     {"deg", math_deg},
                                     {"rad", math_rad},
                                     {"atan2", math_of_two<std::atan2>},
                                     {"fmod", math_of_two<std::fmod>},
                                     {"mod", math_of_two<std::fmod>},
                                     {"pow", math_of_two<std::pow>},
                                     {"ldexp", math_ldexp},
                                     {"random", math_random},
                                     {"randomseed", math_randomseed}};
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(state, function.func);
    lua_setfield(state, -2, function.name);
  }
}

}  // namespace larder
