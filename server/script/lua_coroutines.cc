// The functions of coroutines, with the checks of Lua 5.1. Each resumed coroutine runs on the C stack of the one that resumed it, and LuaJIT's own
// functions count none of that: a coroutine that resumes the next, and so on, would leave the stack.

#include "server/script/lua_libraries.h"
#include "server/script/lua_runtime.h"

namespace larder {
namespace {

// Why it cannot be resumed, or null.
const char* refusal_of(lua_State* state, lua_State* coroutine) {
  const char* const dead = "cannot resume dead coroutine";
  if (coroutine == state) return "cannot resume running coroutine";
  if (lua_status(coroutine) == LUA_YIELD) return nullptr;
  if (lua_status(coroutine) != 0) return dead;
  lua_Debug activation;
  if (lua_getstack(coroutine, 0, &activation)) return "cannot resume normal coroutine";
  return lua_gettop(coroutine) == 0 ? dead : nullptr;
}

// Resumes with the `count` arguments at the top. Pushes the results and returns how many, or pushes the error and returns -1.
int resume_coroutine(lua_State* state, lua_State* coroutine, int count) {
  const char* refusal = refusal_of(state, coroutine);
  LuaRuntime& runtime = LuaRuntime::of(state);
  if (refusal == nullptr && !runtime.may_enter()) refusal = LuaRuntime::kNestingText;
  if (refusal == nullptr && !lua_checkstack(coroutine, count)) refusal = "too many arguments to resume";
  if (refusal != nullptr) {
    lua_pushstring(state, refusal);
    return -1;
  }
  lua_xmove(state, coroutine, count);
  const int nesting = runtime.enter(state);
  const int status = lua_resume(coroutine, count);
  runtime.leave(nesting);
  if (status != 0 && status != LUA_YIELD) {
    lua_xmove(coroutine, state, 1);
    return -1;
  }
  const int results = lua_gettop(coroutine);
  if (!lua_checkstack(state, results + 1)) luaL_error(state, "too many results to resume");
  lua_xmove(coroutine, state, results);
  return results;
}

int coroutine_resume(lua_State* state) {
  lua_State* coroutine = lua_tothread(state, 1);
  luaL_argcheck(state, coroutine != nullptr, 1, "coroutine expected");
  const int results = resume_coroutine(state, coroutine, lua_gettop(state) - 1);
  lua_pushboolean(state, results >= 0);
  const int returned = results >= 0 ? results + 1 : 2;
  lua_insert(state, -returned);
  return returned;
}

// Upvalue: the coroutine.
int resume_wrapped(lua_State* state) {
  const int results = resume_coroutine(state, lua_tothread(state, lua_upvalueindex(1)), lua_gettop(state));
  if (results >= 0) return results;
  if (lua_type(state, -1) == LUA_TSTRING) {
    luaL_where(state, 1);
    lua_insert(state, -2);
    lua_concat(state, 2);
  }
  return lua_error(state);
}

int coroutine_create(lua_State* state) {
  luaL_argcheck(state, lua_isfunction(state, 1) && !lua_iscfunction(state, 1), 1, "Lua function expected");
  lua_State* coroutine = lua_newthread(state);
  lua_pushvalue(state, 1);
  lua_xmove(state, coroutine, 1);
  return 1;
}

int coroutine_wrap(lua_State* state) {
  coroutine_create(state);
  lua_pushcclosure(state, resume_wrapped, 1);
  return 1;
}

int coroutine_yield(lua_State* state) {
  if (lua_isyieldable(state)) return lua_yield(state, lua_gettop(state));
  lua_pushliteral(state, "attempt to yield across metamethod/C-call boundary");
  return lua_error(state);
}

}  // namespace

void add_coroutine_functions(lua_State* state) {
  constexpr luaL_Reg kFunctions[] = {
      {"create", coroutine_create}, {"resume", coroutine_resume}, {"wrap", coroutine_wrap}, {"yield", coroutine_yield}};
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(state, function.func);
    lua_setfield(state, -2, function.name);
  }
}

}  // namespace larder
