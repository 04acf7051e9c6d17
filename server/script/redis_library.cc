#include "server/script/redis_library.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/log.h"
#include "base/sha1.h"
#include "server/core/compatibility.h"
#include "server/script/library_loader.h"
#include "server/script/lua_libraries.h"
#include "server/script/lua_reply.h"
#include "server/script/lua_sandbox.h"
#include "server/script/script_engine.h"

namespace larder {
namespace {

constexpr int kReplicateAof = 1;
constexpr int kReplicateReplicas = 2;

ScriptEngine& engine_of(lua_State* state) {
  return *static_cast<ScriptEngine*>(lua_touserdata(state, lua_upvalueindex(1)));
}

// Raises {err=text}.
int raise(lua_State* state, Bytes text) {
  push_error_table(state, text);
  return lua_error(state);
}

int redis_call(lua_State* state) { return engine_of(state).call_command(state, true); }
int redis_pcall(lua_State* state) { return engine_of(state).call_command(state, false); }

// One string argument, or the error value that these functions return instead of raising it.
bool single_string(lua_State* state) {
  if (lua_gettop(state) == 1 && lua_type(state, 1) == LUA_TSTRING) return true;
  push_error_table(state, "ERR wrong number or type of arguments");
  return false;
}

// The first of several words is the error's code; a single word gets the common one.
int redis_error_reply(lua_State* state) {
  if (!single_string(state)) return 1;
  size_t size = 0;
  const char* text = lua_tolstring(state, 1, &size);
  Bytes bytes(text, size);
  if (bytes.starts_with('-')) bytes.remove_prefix(1);
  if (bytes.find(' ') != Bytes::npos) {
    push_error_table(state, bytes);
    return 1;
  }
  lua_pushliteral(state, "ERR ");
  lua_pushlstring(state, bytes.data(), bytes.size());
  lua_concat(state, 2);
  lua_createtable(state, 0, 1);
  lua_insert(state, -2);
  lua_setfield(state, -2, "err");
  return 1;
}

int redis_status_reply(lua_State* state) {
  if (!single_string(state)) return 1;
  lua_createtable(state, 0, 1);
  lua_pushvalue(state, 1);
  lua_setfield(state, -2, "ok");
  return 1;
}

int redis_sha1hex(lua_State* state) {
  constexpr size_t kPieceBytes = 64 * 1024;  // between two looks whether the script is to end
  if (lua_gettop(state) != 1) return raise(state, "ERR wrong number of arguments");
  size_t size = 0;
  const char* text = lua_tolstring(state, 1, &size);
  Bytes rest(text, text != nullptr ? size : 0);
  Sha1 sum;
  for (; rest.size() > kPieceBytes; rest.remove_prefix(kPieceBytes)) {
    LuaRuntime::of(state).count_step(state);
    sum.add(rest.substr(0, kPieceBytes));
  }
  const auto digest = sum.finish(rest);
  char digits[40];
  for (size_t i = 0; i < digest.size(); ++i) {
    digits[2 * i] = kHexDigits[digest[i] >> 4];
    digits[2 * i + 1] = kHexDigits[digest[i] & 15];
  }
  lua_pushlstring(state, digits, sizeof(digits));
  return 1;
}

int redis_log(lua_State* state) {
  const int count = lua_gettop(state);
  if (count < 2) return raise(state, "ERR redis.log() requires two arguments or more.");
  if (!lua_isnumber(state, -count)) return raise(state, "ERR First argument must be a number (log level).");
  const auto level = static_cast<int>(lua_tonumber(state, 1));
  if (level < 0 || level > 3) return raise(state, "ERR Invalid debug level.");
  luaL_Buffer line;
  luaL_buffinit(state, &line);
  for (int i = 2; i <= count; ++i) {
    if (i > 2) luaL_addchar(&line, ' ');
    size_t part_size = 0;
    const char* part = lua_tolstring(state, i, &part_size);
    if (part != nullptr) luaL_addlstring(&line, part, part_size);
  }
  luaL_pushresult(&line);
  size_t size = 0;
  const char* text = lua_tolstring(state, -1, &size);
  engine_of(state).log(level, {text, size});
  return 0;
}

int redis_setresp(lua_State* state) {
  if (lua_gettop(state) != 1) return raise(state, "ERR redis.setresp() requires one argument.");
  const double version = std::trunc(lua_tonumber(state, 1));
  if (version != 2 && version != 3) return raise(state, "ERR RESP version must be 2 or 3.");
  engine_of(state).set_protocol(version == 3 ? 3 : 2);
  return 0;
}

int redis_set_repl(lua_State* state) {
  if (lua_gettop(state) != 1) return raise(state, "ERR redis.set_repl() requires two arguments.");
  const double flags = std::trunc(lua_tonumber(state, 1));
  if (!(flags >= 0 && flags <= (kReplicateAof | kReplicateReplicas))) {  // NaN is neither
    return raise(state, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  if (!engine_of(state).is_running()) {
    return raise(state, "ERR redis.set_repl() can only be called from a script that runs.");
  }
  engine_of(state).set_propagates((static_cast<int>(flags) & kReplicateAof) != 0);
  return 0;
}

int redis_acl_check_cmd(lua_State* state) { return engine_of(state).check_command(state); }

int redis_register_function(lua_State* state) { return register_function(state, engine_of(state).library_load()); }

int return_true(lua_State* state) {
  lua_pushboolean(state, 1);
  return 1;
}

int return_false(lua_State* state) {
  lua_pushboolean(state, 0);
  return 1;
}

int return_nothing(lua_State*) { return 0; }

struct Constant {
  const char* name;
  double value;
};

constexpr luaL_Reg kFunctions[] = {
    {"call", redis_call},
    {"pcall", redis_pcall},
    {"error_reply", redis_error_reply},
    {"status_reply", redis_status_reply},
    {"sha1hex", redis_sha1hex},
    {"log", redis_log},
    {"setresp", redis_setresp},
    {"set_repl", redis_set_repl},
    {"acl_check_cmd", redis_acl_check_cmd},
    {"replicate_commands", return_true},  // effects are what is always replicated
    {"breakpoint", return_false},         // no debugger is attached
    {"debug", return_nothing},
};

constexpr Constant kConstants[] = {
    {"REPL_NONE", 0},
    {"REPL_AOF", kReplicateAof},
    {"REPL_SLAVE", kReplicateReplicas},
    {"REPL_REPLICA", kReplicateReplicas},
    {"REPL_ALL", kReplicateAof | kReplicateReplicas},
};

// What a library has as well while it is loaded.
constexpr Constant kLoadingConstants[] = {
    {"LOG_DEBUG", 0},
    {"LOG_VERBOSE", 1},
    {"LOG_NOTICE", 2},
    {"LOG_WARNING", 3},
    {"REDIS_VERSION_NUM", kRedisVersionNumber},
};
constexpr luaL_Reg kLoadingFunctions[] = {{"register_function", redis_register_function}, {"log", redis_log}};

// These four add to the table at the top.
void add_functions(lua_State* state, ScriptEngine& engine, std::span<const luaL_Reg> functions) {
  for (const luaL_Reg& function : functions) {
    lua_pushlightuserdata(state, &engine);
    lua_pushcclosure(state, function.func, 1);
    lua_setfield(state, -2, function.name);
  }
}

void add_constants(lua_State* state, std::span<const Constant> constants) {
  for (const Constant& constant : constants) {
    lua_pushnumber(state, constant.value);
    lua_setfield(state, -2, constant.name);
  }
}

void add_loading_constants(lua_State* state) {
  add_constants(state, kLoadingConstants);
  lua_pushlstring(state, kRedisVersion.data(), kRedisVersion.size());
  lua_setfield(state, -2, "REDIS_VERSION");
}

void add_other_libraries(lua_State* state) {
  constexpr struct {
    const char* name;
    void (*push)(lua_State*);
  } kLibraries[] = {{"cjson", push_cjson}, {"cmsgpack", push_cmsgpack}, {"struct", push_struct}};
  for (const auto& library : kLibraries) {
    library.push(state);
    protect_table(state);
    lua_setfield(state, -2, library.name);
  }
}

void open_loading_library(lua_State* state, ScriptEngine& engine) {
  lua_newtable(state);
  lua_newtable(state);
  add_functions(state, engine, kLoadingFunctions);
  add_loading_constants(state);
  reject_missing_fields(state);
  protect_table(state);
  lua_setfield(state, -2, "redis");
  set_library_globals(state);
}

}  // namespace

void open_redis_library(lua_State* state, ScriptEngine& engine, bool for_functions) {
  push_globals(state);
  lua_newtable(state);
  add_functions(state, engine, kFunctions);
  add_constants(state, kConstants);
  add_loading_constants(state);
  protect_table(state);
  lua_pushvalue(state, -1);
  lua_setfield(state, -3, "redis");
  lua_setfield(state, -2, "server");
  add_other_libraries(state);
  lua_pop(state, 1);
  if (for_functions) open_loading_library(state, engine);
}

}  // namespace larder
