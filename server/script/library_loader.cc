#include "server/script/library_loader.h"

#include "server/script/lua_reply.h"
#include "server/script/script_flags.h"

namespace larder {
namespace {

// Where the arguments lie in the stack, whichever way they were given.
enum Slot : int { kName = 3, kCallback = 4, kDescription = 5, kFlags = 6 };

int raise(lua_State* state, Bytes text) {
  push_error_table(state, text);
  return lua_error(state);
}

Bytes text_at(lua_State* state, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(state, index, &size);
  return {text, size};
}

// The slot and the type of a named argument's value.
struct NamedArgument {
  Bytes name;
  Slot slot;
  int type;
  Bytes wrong_type;
};

constexpr NamedArgument kArguments[] = {
    {"function_name", kName, LUA_TSTRING,
     "ERR function_name argument given to redis.register_function must be a string"},
    {"description", kDescription, LUA_TSTRING,
     "ERR description argument given to redis.register_function must be a string"},
    {"callback", kCallback, LUA_TFUNCTION, "ERR callback argument given to redis.register_function must be a function"},
    {"flags", kFlags, LUA_TTABLE,
     "ERR flags argument to redis.register_function must be a table representing function flags"},
};

// The name and value of an argument are at the top; the value is taken.
void take_named(lua_State* state) {
  if (!lua_isstring(state, -2)) {
    raise(state, "ERR named argument key given to redis.register_function is not a string");
  }
  // A number is a name that nobody knows; to make a text of it where it lies would confuse lua_next().
  const Bytes name = lua_type(state, -2) == LUA_TSTRING ? text_at(state, -2) : Bytes();
  for (const NamedArgument& argument : kArguments) {
    if (!equals_ignore_case(name, argument.name)) continue;
    const bool fits = argument.type == LUA_TSTRING ? lua_isstring(state, -1) : lua_type(state, -1) == argument.type;
    if (!fits) raise(state, argument.wrong_type);
    lua_replace(state, argument.slot);
    return;
  }
  raise(state, "ERR unknown argument given to redis.register_function");
}

void take_table(lua_State* state) {
  if (!lua_istable(state, 1)) {
    raise(state,
          "ERR calling redis.register_function with a single argument is only applicable to Lua table (representing "
          "named arguments).");
  }
  lua_pushnil(state);
  while (lua_next(state, 1)) take_named(state);
  if (lua_isnil(state, kName)) raise(state, "ERR redis.register_function must get a function name argument");
  if (lua_isnil(state, kCallback)) raise(state, "ERR redis.register_function must get a callback argument");
}

void take_pair(lua_State* state) {
  if (!lua_isstring(state, 1)) raise(state, "ERR first argument to redis.register_function must be a string");
  if (!lua_isfunction(state, 2)) raise(state, "ERR second argument to redis.register_function must be a function");
  lua_pushvalue(state, 1);
  lua_replace(state, kName);
  lua_pushvalue(state, 2);
  lua_replace(state, kCallback);
}

uint32_t take_flags(lua_State* state) {
  uint32_t flags = 0;
  if (lua_isnil(state, kFlags)) return flags;
  for (int i = 1;; ++i) {
    lua_rawgeti(state, kFlags, i);
    if (lua_isnil(state, -1)) break;
    const uint32_t flag = lua_type(state, -1) == LUA_TSTRING ? script_flag_of(text_at(state, -1)) : 0;
    if (flag == 0) raise(state, "ERR unknown flag given");
    flags |= flag;
    lua_pop(state, 1);
  }
  lua_pop(state, 1);
  return flags;
}

// Nothing here calls Lua: objects may live.
void add_function(LibraryLoad& load, Bytes name, Bytes description, bool has_description, uint32_t flags,
                  int reference) {
  auto function = std::make_unique<LibraryFunction>();
  function->name = name;
  function->description = description;
  function->has_description = has_description;
  function->flags = flags;
  function->reference = reference;
  load.library->functions.push_back(std::move(function));
}

}  // namespace

int register_function(lua_State* state, LibraryLoad* load) {
  if (load == nullptr) {
    return raise(state, "ERR redis.register_function can only be called on FUNCTION LOAD command");
  }
  const int count = lua_gettop(state);
  if (count < 1 || count > 2) return raise(state, "ERR wrong number of arguments to redis.register_function");
  luaL_checkstack(state, 16, "the script's stack is full");
  lua_settop(state, kFlags);
  count == 1 ? take_table(state) : take_pair(state);
  const Bytes name = text_at(state, kName);
  if (!is_function_name(name)) {
    return raise(state,
                 "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one "
                 "character long");
  }
  if (load->library->find(name) != nullptr) return raise(state, "ERR Function already exists in the library");
  const uint32_t flags = take_flags(state);
  lua_pushvalue(state, kCallback);
  const int reference = luaL_ref(state, LUA_REGISTRYINDEX);
  const bool has_description = !lua_isnil(state, kDescription);
  add_function(*load, name, has_description ? text_at(state, kDescription) : Bytes(), has_description, flags,
               reference);
  return 0;
}

}  // namespace larder
