#pragma once

// Bytes that a library function puts together, in a block that Lua owns: an error on the way leaves nothing behind. The
// block is at a fixed place of the stack, so values may come and go above it (luaL_Buffer does not allow that).

#include <lua.hpp>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "server/script/lua_runtime.h"

namespace larder {

struct LuaOutput {
  // `slot` is a place on the stack, of a nil to begin with, that nobody else touches.
  LuaOutput(lua_State* lua_state, int stack_slot) : state(lua_state), slot(stack_slot) {}

  // Room for `bytes` more; raise `size` by what was written.
  char* room(size_t bytes) {
    if (capacity - size >= bytes) return data + size;
    const size_t wanted = std::max(capacity * 2, size + bytes + 256);
    LuaRuntime::of(state).reserve(state, wanted);
    auto* grown = static_cast<char*>(lua_newuserdata(state, wanted));
    if (size > 0) std::memcpy(grown, data, size);
    lua_replace(state, slot);
    data = grown;
    capacity = wanted;
    return data + size;
  }
  void add(Bytes bytes) {
    char* out = room(bytes.size());
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    size += bytes.size();
  }
  void add(char c) {
    *room(1) = c;
    ++size;
  }
  void push() { push_text(state, {data, size}); }

  lua_State* state;
  int slot;
  char* data = nullptr;
  size_t size = 0;
  size_t capacity = 0;
};

}  // namespace larder
