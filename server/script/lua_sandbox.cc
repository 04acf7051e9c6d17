#include "server/script/lua_sandbox.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "server/script/lua_libraries.h"
#include "server/script/lua_output.h"
#include "server/script/lua_runtime.h"
#include "server/script/lua_source.h"

namespace larder {
namespace {

constexpr char kReadonlyText[] = "Attempt to modify a readonly table";

// Addresses as keys that no script can name.
char protection_mark;
char globals_key;
char library_globals_key;
char index_name_key;

struct Whitelist {
  const char* library;
  const char* const* names;
  size_t count;
};

constexpr const char* kBase[] = {
    "error",  "gcinfo",       "getmetatable", "ipairs",   "next", "pairs",  "pcall",  "rawequal", "rawget",
    "rawset", "select", "setmetatable", "tonumber",     "tostring", "type", "unpack", "xpcall", "_VERSION"};
constexpr const char* kString[] = {"byte", "char",  "dump",  "find", "format",  "gmatch", "gsub",
                                   "len",  "lower", "match", "rep",  "reverse", "sub",    "upper"};
constexpr const char* kTable[] = {"concat", "foreach", "foreachi", "getn", "maxn", "sort"};
constexpr const char* kMath[] = {"abs",   "acos", "asin",  "atan", "atan2", "ceil", "cos",   "cosh", "deg", "exp",
                                 "floor", "fmod", "frexp", "huge", "ldexp", "log",  "log10", "max",  "min", "modf",
                                 "pi",    "pow",  "rad",   "sin",  "sinh",  "sqrt", "tan",   "tanh"};
constexpr const char* kCoroutine[] = {"create", "resume", "running", "status", "wrap", "yield"};
constexpr const char* kBit[] = {"arshift", "band", "bnot", "bor",    "bswap", "bxor",
                                "lshift",  "rol",  "ror",  "rshift", "tobit", "tohex"};
constexpr const char* kOs[] = {"clock"};

constexpr Whitelist kLibraries[] = {
    {"string", kString, std::size(kString)},
    {"table", kTable, std::size(kTable)},
    {"math", kMath, std::size(kMath)},
    {"bit", kBit, std::size(kBit)},
    {"coroutine", kCoroutine, std::size(kCoroutine)},
    {"os", kOs, std::size(kOs)},
};

int reject_change(lua_State* state) { return luaL_error(state, kReadonlyText); }

int reject_missing_global(lua_State* state) {
  return luaL_error(state, "Script attempted to access nonexistent global variable '%s'", lua_tostring(state, 2));
}

// Iterates over the real table, which the script never gets into its hands.
int protected_next(lua_State* state) {
  lua_settop(state, 2);
  if (lua_next(state, lua_upvalueindex(1))) return 2;
  lua_pushnil(state);
  return 1;
}

int base_next(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  lua_settop(state, 2);
  if (push_protected(state, 1)) lua_replace(state, 1);
  if (lua_next(state, 1)) return 2;
  lua_pushnil(state);
  return 1;
}

// Returns Lua's own `next` for an ordinary table, because the interpreter has a short way for that one.
int base_pairs(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  if (push_protected(state, 1)) {
    lua_pushcclosure(state, protected_next, 1);
  } else {
    lua_pushvalue(state, lua_upvalueindex(1));
  }
  lua_pushvalue(state, 1);
  lua_pushnil(state);
  return 3;
}

// Lua's own function, the upvalue, with the first argument alone.
int call_own(lua_State* state) {
  lua_settop(state, 1);
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, 1, 1);
  return 1;
}

// On redis-server libraries have no metatable, and the globals have one. Upvalue: Lua's own function.
int base_getmetatable(lua_State* state) {
  luaL_checkany(state, 1);
  lua_settop(state, 1);
  if (lua_istable(state, 1) && push_protected(state, 1)) {
    push_globals(state);
    if (!lua_rawequal(state, -1, -2)) {
      lua_pushnil(state);
      return 1;
    }
  }
  return call_own(state);
}

// Upvalue: the iterator of Lua's own, which takes a missing argument for a wrong one.
int base_ipairs(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_pushvalue(state, 1);
  lua_pushinteger(state, 0);
  return 3;
}

int base_rawset(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  luaL_checkany(state, 2);
  luaL_checkany(state, 3);
  lua_settop(state, 3);
  if (push_protected(state, 1)) return raise_readonly(state);
  lua_rawset(state, 1);
  return 1;
}

int base_rawget(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  luaL_checkany(state, 2);
  lua_settop(state, 2);
  if (push_protected(state, 1)) lua_replace(state, 1);
  lua_rawget(state, 1);
  return 1;
}

// LuaJIT's own raises any value, and nil.
int base_assert(lua_State* state) {
  luaL_checkany(state, 1);
  if (!lua_toboolean(state, 1)) return luaL_error(state, "%s", luaL_optstring(state, 2, "assertion failed!"));
  return lua_gettop(state);
}

int base_setmetatable(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  const int type = lua_type(state, 2);
  luaL_argcheck(state, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
  lua_settop(state, 2);
  if (push_protected(state, 1)) return raise_readonly(state);
  if (luaL_getmetafield(state, 1, "__metatable")) return luaL_error(state, "cannot change a protected metatable");
  lua_setmetatable(state, 1);
  return 1;
}

// An error that is a table with a text comes back as the text: what scripts written for older servers compare with.
int base_pcall(lua_State* state) {
  if (lua_gettop(state) == 0) {  // so does Redis: it calls the result that it has put there
    lua_pushboolean(state, 0);
    lua_pushliteral(state, "attempt to call a boolean value");
    return 2;
  }
  LuaRuntime& runtime = LuaRuntime::of(state);
  const int nesting = runtime.enter(state);
  const int failed = lua_pcall(state, lua_gettop(state) - 1, LUA_MULTRET, 0);
  runtime.leave(nesting);
  if (failed && lua_istable(state, -1)) {
    lua_pushliteral(state, "err");
    lua_rawget(state, -2);
    if (lua_isstring(state, -1)) {
      lua_replace(state, -2);
    } else {
      lua_pop(state, 1);
    }
  }
  lua_pushboolean(state, failed == 0);
  lua_insert(state, 1);
  return lua_gettop(state);
}

// As printf() writes it, and with it Lua 5.1: LuaJIT rounds halves up, and forgets the sign of what is no number.
void push_number_text(lua_State* state, double number) {
  constexpr double kShortMax = 1e14;  // whole numbers below it have all of their digits, which LuaJIT writes faster
  constexpr size_t kTextBytesMax = 32;
  if (std::abs(number) < kShortMax && number == std::trunc(number)) {
    lua_pushnumber(state, number);
    lua_tolstring(state, -1, nullptr);
    return;
  }
  char text[kTextBytesMax];
  const int size = std::snprintf(text, sizeof(text), "%.14g", number);
  lua_pushlstring(state, text, static_cast<size_t>(size));
}

// LuaJIT's own calls __tostring without an instruction of Lua between: with tostring itself there, for ever and unasked.
int base_tostring(lua_State* state) {
  luaL_checkany(state, 1);
  const int type = lua_type(state, 1);
  if (type == LUA_TSTRING || type == LUA_TNUMBER) {
    lua_settop(state, 1);
    if (type == LUA_TNUMBER) push_number_text(state, lua_tonumber(state, 1));
    return 1;
  }
  if (type == LUA_TLIGHTUSERDATA && lua_touserdata(state, 1) == nullptr) {  // cjson.null, as printf() writes it
    lua_pushliteral(state, "userdata: (nil)");
    return 1;
  }
  LuaRuntime& runtime = LuaRuntime::of(state);
  runtime.count_step(state);
  const int nesting = runtime.enter(state);
  const bool has_own = luaL_callmeta(state, 1, "__tostring") != 0;
  runtime.leave(nesting);
  return has_own ? 1 : call_own(state);
}

// The handler of a script, which is its upvalue. One that never returned could not be interrupted: hooks are off while an
// error that one of them raised is handled.
int guarded_handler(lua_State* state) {
  lua_settop(state, 1);
  if (LuaRuntime::of(state).is_ending()) return 1;
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, 1, 1);
  return 1;
}

int base_xpcall(lua_State* state) {
  luaL_checkany(state, 2);
  lua_settop(state, 2);
  lua_pushcclosure(state, guarded_handler, 1);
  lua_insert(state, 1);
  LuaRuntime& runtime = LuaRuntime::of(state);
  const int nesting = runtime.enter(state);
  const int failed = lua_pcall(state, 0, LUA_MULTRET, 1);
  runtime.leave(nesting);
  lua_pushboolean(state, failed == 0);
  lua_replace(state, 1);
  return lua_gettop(state);
}

// A source in pieces, so that its compilation can be interrupted between them.
const char* read_piece(lua_State* state, void* source, size_t* size) {
  constexpr size_t kPieceBytes = 64 * 1024;
  LuaRuntime::of(state).count_step(state);
  const Bytes piece = static_cast<LuaSource*>(source)->next_piece(kPieceBytes);
  *size = piece.size();
  return piece.data();
}

// What the functions of Lua return: the chunk, or nil and the error.
int load_or_nil(lua_State* state, Bytes text, const char* name) {
  if (load_text(state, text, name) == 0) return 1;
  lua_pushnil(state);
  lua_insert(state, -2);
  return 2;
}

int base_loadstring(lua_State* state) {
  size_t size = 0;
  const char* text = luaL_checklstring(state, 1, &size);
  return load_or_nil(state, {text, size}, luaL_optstring(state, 2, text));
}

int base_load(lua_State* state) {
  const char* name = luaL_optstring(state, 2, "=(load)");
  luaL_checktype(state, 1, LUA_TFUNCTION);
  LuaRuntime& runtime = LuaRuntime::of(state);
  const int nesting = runtime.enter(state);
  lua_settop(state, 2);
  lua_pushnil(state);
  LuaOutput all(state, 3);
  size_t size = 0;
  while (true) {
    runtime.count_step(state);
    lua_pushvalue(state, 1);
    lua_call(state, 0, 1);
    if (lua_isnil(state, -1)) break;
    if (!lua_isstring(state, -1)) return luaL_error(state, "reader function must return a string");
    const char* piece = lua_tolstring(state, -1, &size);
    if (size == 0) break;
    all.add({piece, size});
    lua_pop(state, 1);
  }
  runtime.leave(nesting);
  return load_or_nil(state, {all.data, all.size}, name);
}

// Scripts may look and clean up; the collector's pace is the server's.
int base_collectgarbage(lua_State* state) {
  static const char* const kOptions[] = {"stop", "restart",  "collect",    "count",
                                         "step", "setpause", "setstepmul", nullptr};
  luaL_optstring(state, 1, nullptr);  // luaL_checkoption() takes other types for nothing
  const int option = luaL_checkoption(state, 1, "collect", kOptions);
  luaL_optinteger(state, 2, 0);
  if (std::strcmp(kOptions[option], "count") == 0) {
    lua_pushnumber(state, lua_gc(state, LUA_GCCOUNT, 0) + lua_gc(state, LUA_GCCOUNTB, 0) / 1024.0);
    return 1;
  }
  if (std::strcmp(kOptions[option], "collect") == 0) LuaRuntime::of(state).collect(state);
  lua_pushinteger(state, 0);
  return 1;
}

constexpr luaL_Reg kBaseFunctions[] = {
    {"assert", base_assert},
    {"rawset", base_rawset}, {"rawget", base_rawget},         {"setmetatable", base_setmetatable},
    {"next", base_next},     {"pcall", base_pcall},           {"xpcall", base_xpcall},
    {"load", base_load},     {"loadstring", base_loadstring}, {"collectgarbage", base_collectgarbage},
};

// The real library, reduced to the listed names, is pushed.
void push_reduced(lua_State* state, int source, const Whitelist& list) {
  lua_newtable(state);
  for (size_t i = 0; i < list.count; ++i) {
    lua_getfield(state, source, list.names[i]);
    lua_setfield(state, -2, list.names[i]);
  }
}

void open_standard_libraries(lua_State* state) {
  constexpr luaL_Reg kOpeners[] = {{"", luaopen_base},
                                   {LUA_TABLIBNAME, luaopen_table},
                                   {LUA_STRLIBNAME, luaopen_string},
                                   {LUA_MATHLIBNAME, luaopen_math},
                                   {LUA_BITLIBNAME, luaopen_bit},
                                   {LUA_OSLIBNAME, luaopen_os}};
  for (const luaL_Reg& opener : kOpeners) {
    lua_pushcfunction(state, opener.func);
    lua_pushstring(state, opener.name);
    lua_call(state, 1, 0);
  }
  luaJIT_setmode(state, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
}

// The methods of strings lead to the real library; getmetatable("") shows a protected copy.
void set_string_metatable(lua_State* state, int real_string, int shown_string) {
  lua_pushliteral(state, "");
  lua_newtable(state);
  lua_pushvalue(state, real_string);
  lua_setfield(state, -2, "__index");
  lua_newtable(state);
  lua_pushvalue(state, shown_string);
  lua_setfield(state, -2, "__index");
  protect_table(state);
  lua_setfield(state, -2, "__metatable");
  lua_setmetatable(state, -2);
  lua_pop(state, 1);
}

void add_libraries(lua_State* state, int standard, int globals) {
  for (const Whitelist& list : kLibraries) {
    lua_getfield(state, standard, list.library);
    push_reduced(state, lua_gettop(state), list);
    lua_remove(state, -2);
    const bool is_string = std::strcmp(list.library, "string") == 0;
    if (std::strcmp(list.library, "table") == 0) add_table_functions(state);
    if (std::strcmp(list.library, "math") == 0) add_math_functions(state);
    if (std::strcmp(list.library, "bit") == 0) add_bit_functions(state);
    if (is_string) add_string_functions(state);
    if (std::strcmp(list.library, "coroutine") == 0) add_coroutine_functions(state);
    lua_pushvalue(state, -1);
    protect_table(state);
    if (is_string) set_string_metatable(state, lua_gettop(state) - 1, lua_gettop(state));
    lua_setfield(state, globals, list.library);
    lua_pop(state, 1);
  }
}

}  // namespace

int load_text(lua_State* state, Bytes text, const char* name) {
  LuaSource source(text);
  const int status = lua_loadx(state, read_piece, &source, name, "t");
  if (status != LUA_ERRSYNTAX) return status;
  size_t size = 0;
  const char* message = lua_tolstring(state, -1, &size);
  const LuaSource::Message mended = source.mended_error({message, size});
  for (const Bytes part : {mended.place, mended.middle, mended.rest}) lua_pushlstring(state, part.data(), part.size());
  lua_concat(state, 3);
  lua_replace(state, -2);
  return status;
}

int raise_readonly(lua_State* state) {
  lua_pushstring(state, kReadonlyText);
  return lua_error(state);
}

void protect_table(lua_State* state) {
  lua_newtable(state);  // the proxy
  lua_newtable(state);  // its metatable
  lua_pushlightuserdata(state, &protection_mark);
  lua_pushvalue(state, -4);
  lua_rawset(state, -3);
  lua_pushvalue(state, -3);
  lua_setfield(state, -2, "__index");
  lua_pushcfunction(state, reject_change);
  lua_setfield(state, -2, "__newindex");
  lua_pushvalue(state, -2);
  lua_setfield(state, -2, "__metatable");  // what getmetatable() shows: the proxy itself, as protected as all
  lua_setmetatable(state, -2);
  lua_replace(state, -2);
}

bool push_protected(lua_State* state, int index) {
  if (!lua_getmetatable(state, index)) return false;
  lua_pushlightuserdata(state, &protection_mark);
  lua_rawget(state, -2);
  lua_remove(state, -2);
  if (!lua_isnil(state, -1)) return true;
  lua_pop(state, 1);
  return false;
}

void push_globals(lua_State* state) {
  lua_pushlightuserdata(state, &globals_key);
  lua_rawget(state, LUA_REGISTRYINDEX);
}

void reject_missing_fields(lua_State* state) {
  lua_newtable(state);
  lua_pushcfunction(state, reject_missing_global);
  lua_setfield(state, -2, "__index");
  lua_setmetatable(state, -2);
}

void set_library_globals(lua_State* state) {
  reject_missing_fields(state);
  lua_pushlightuserdata(state, &library_globals_key);
  lua_insert(state, -2);
  lua_rawset(state, LUA_REGISTRYINDEX);
  lua_pushlightuserdata(state, &index_name_key);
  lua_pushliteral(state, "__index");
  lua_rawset(state, LUA_REGISTRYINDEX);
}

// The globals are a proxy in either case: it leads to another table. (A text that is pushed may take memory: this one is kept.)
void show_library_globals(lua_State* state, bool are_seen) {
  lua_getmetatable(state, LUA_GLOBALSINDEX);
  lua_pushlightuserdata(state, &index_name_key);
  lua_rawget(state, LUA_REGISTRYINDEX);
  lua_pushlightuserdata(state, are_seen ? &library_globals_key : &globals_key);
  lua_rawget(state, LUA_REGISTRYINDEX);
  lua_rawset(state, -3);
  lua_pop(state, 1);
}

void open_sandbox(lua_State* state) {
  open_standard_libraries(state);
  lua_pushvalue(state, LUA_GLOBALSINDEX);
  const int standard = lua_gettop(state);
  push_reduced(state, standard, {"_G", kBase, std::size(kBase)});
  const int globals = lua_gettop(state);
  for (const luaL_Reg& function : kBaseFunctions) {
    lua_pushcfunction(state, function.func);
    lua_setfield(state, globals, function.name);
  }
  lua_getfield(state, standard, "next");
  lua_pushcclosure(state, base_pairs, 1);
  lua_setfield(state, globals, "pairs");
  lua_getfield(state, standard, "ipairs");
  lua_newtable(state);
  lua_call(state, 1, 1);
  lua_pushcclosure(state, base_ipairs, 1);
  lua_setfield(state, globals, "ipairs");
  lua_getfield(state, standard, "getmetatable");
  lua_pushcclosure(state, base_getmetatable, 1);
  lua_setfield(state, globals, "getmetatable");
  lua_getfield(state, standard, "tostring");
  lua_pushcclosure(state, base_tostring, 1);
  lua_setfield(state, globals, "tostring");
  add_libraries(state, standard, globals);

  lua_pushvalue(state, globals);
  reject_missing_fields(state);
  lua_pushlightuserdata(state, &globals_key);
  lua_pushvalue(state, globals);
  lua_rawset(state, LUA_REGISTRYINDEX);
  protect_table(state);
  lua_pushvalue(state, -1);
  lua_pushliteral(state, "_G");
  lua_insert(state, -2);
  lua_rawset(state, globals);
  lua_replace(state, LUA_GLOBALSINDEX);
  // What the standard libraries registered of themselves, full and unprotected.
  lua_pushnil(state);
  lua_setfield(state, LUA_REGISTRYINDEX, "_LOADED");
  lua_settop(state, standard - 1);
}

}  // namespace larder
