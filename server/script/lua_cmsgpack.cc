// The library cmsgpack: MessagePack in strings. pack(value, ...), unpack(text), unpack_one(text [, offset]),
// unpack_limit(text, count [, offset]).
//
// Numbers without a fraction are packed as the shortest integer, others as a float when that loses nothing. A table whose
// keys are exactly 1..n is an array, any other a map. Tables nested deeper than kPackNestingMax are packed as nil. Binary and
// extension types are unknown, as they are to the library of that name.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"
#include "server/script/lua_libraries.h"
#include "server/script/lua_output.h"
#include "server/script/lua_runtime.h"
#include "server/script/lua_sandbox.h"

namespace larder {
namespace {

constexpr int kPackNestingMax = 16;
constexpr int kUnpackNestingMax = 512;

// ---- Packing

struct Packer {
  LuaOutput out;
  lua_State* state;
  LuaRuntime& runtime;
};

template <class Number>
void add_big_endian(Packer& packer, uint8_t tag, Number number) {
  char bytes[1 + sizeof(Number)];
  bytes[0] = static_cast<char>(tag);
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof(number));
  for (size_t i = 0; i < sizeof(Number); ++i) bytes[1 + i] = static_cast<char>(bits >> (8 * (sizeof(Number) - 1 - i)));
  packer.out.add({bytes, sizeof(bytes)});
}

void add_byte(Packer& packer, uint64_t byte) { packer.out.add(static_cast<char>(byte)); }

void pack_integer(Packer& packer, int64_t number) {
  if (number >= 0) {
    if (number <= 127) return add_byte(packer, static_cast<uint64_t>(number));
    if (number <= UINT8_MAX) return add_big_endian(packer, 0xcc, static_cast<uint8_t>(number));
    if (number <= UINT16_MAX) return add_big_endian(packer, 0xcd, static_cast<uint16_t>(number));
    if (number <= UINT32_MAX) return add_big_endian(packer, 0xce, static_cast<uint32_t>(number));
    return add_big_endian(packer, 0xcf, static_cast<uint64_t>(number));
  }
  if (number >= -32) return add_byte(packer, static_cast<uint64_t>(number));
  if (number >= INT8_MIN) return add_big_endian(packer, 0xd0, static_cast<int8_t>(number));
  if (number >= INT16_MIN) return add_big_endian(packer, 0xd1, static_cast<int16_t>(number));
  if (number >= INT32_MIN) return add_big_endian(packer, 0xd2, static_cast<int32_t>(number));
  add_big_endian(packer, 0xd3, number);
}

void pack_number(Packer& packer, double number) {
  constexpr double kInt64End = 9223372036854775808.0;
  if (number >= -kInt64End && number < kInt64End && number == std::floor(number)) {
    return pack_integer(packer, static_cast<int64_t>(number));
  }
  const auto narrow = static_cast<float>(number);
  if (static_cast<double>(narrow) == number) {
    add_big_endian(packer, 0xca, narrow);
  } else {
    add_big_endian(packer, 0xcb, number);
  }
}

void pack_string(Packer& packer, Bytes text) {
  if (text.size() < 32) {
    add_byte(packer, 0xa0 | text.size());
  } else if (text.size() <= UINT8_MAX) {
    add_big_endian(packer, 0xd9, static_cast<uint8_t>(text.size()));
  } else if (text.size() <= UINT16_MAX) {
    add_big_endian(packer, 0xda, static_cast<uint16_t>(text.size()));
  } else {
    add_big_endian(packer, 0xdb, static_cast<uint32_t>(text.size()));
  }
  packer.out.add(text);
}

void add_count(Packer& packer, size_t count, uint8_t small_tag, uint8_t tag16) {
  if (count <= 15) {
    add_byte(packer, small_tag | count);
  } else if (count <= UINT16_MAX) {
    add_big_endian(packer, tag16, static_cast<uint16_t>(count));
  } else {
    add_big_endian(packer, static_cast<uint8_t>(tag16 + 1), static_cast<uint32_t>(count));
  }
}

void pack_value(Packer& packer, int depth);

// The number of elements when the keys of the table at the top are 1..n, else -1; `count` is the number of its pairs.
int64_t array_size(Packer& packer, size_t& count) {
  lua_State* state = packer.state;
  double largest = 0;
  bool is_array = true;
  count = 0;
  lua_pushnil(state);
  while (lua_next(state, -2)) {
    lua_pop(state, 1);
    packer.runtime.count_step(state);
    ++count;
    const double key = lua_type(state, -1) == LUA_TNUMBER ? lua_tonumber(state, -1) : 0;
    if (key < 1 || key != std::floor(key)) is_array = false;
    largest = std::max(largest, key);
  }
  return is_array && largest == static_cast<double>(count) ? static_cast<int64_t>(count) : -1;
}

void pack_table(Packer& packer, int depth) {
  lua_State* state = packer.state;
  size_t count = 0;
  luaL_checkstack(state, 8, "in function pack");
  if (push_protected(state, -1)) lua_replace(state, -2);
  const int64_t size = array_size(packer, count);
  if (size >= 0) {
    add_count(packer, count, 0x90, 0xdc);
    for (int i = 1; i <= size; ++i) {
      lua_rawgeti(state, -1, i);
      pack_value(packer, depth + 1);
    }
    return;
  }
  add_count(packer, count, 0x80, 0xde);
  lua_pushnil(state);
  while (lua_next(state, -2)) {
    lua_pushvalue(state, -2);
    pack_value(packer, depth + 1);
    pack_value(packer, depth + 1);
  }
}

// Packs the value at the top and pops it.
void pack_value(Packer& packer, int depth) {
  lua_State* state = packer.state;
  packer.runtime.count_step(state);
  switch (lua_type(state, -1)) {
    case LUA_TSTRING: {
      size_t size = 0;
      const char* text = lua_tolstring(state, -1, &size);
      pack_string(packer, {text, size});
      break;
    }
    case LUA_TNUMBER:
      pack_number(packer, lua_tonumber(state, -1));
      break;
    case LUA_TBOOLEAN:
      add_byte(packer, lua_toboolean(state, -1) ? 0xc3 : 0xc2);
      break;
    case LUA_TTABLE:
      if (depth < kPackNestingMax) {
        pack_table(packer, depth);
        break;
      }
      [[fallthrough]];
    default:
      add_byte(packer, 0xc0);
  }
  lua_pop(state, 1);
}

int cmsgpack_pack(lua_State* state) {
  const int count = lua_gettop(state);
  if (count == 0) return luaL_argerror(state, 0, "MessagePack pack needs input.");
  luaL_checkstack(state, LUA_MINSTACK, "Too many arguments for MessagePack pack.");
  lua_pushnil(state);
  Packer packer{LuaOutput(state, count + 1), state, LuaRuntime::of(state)};
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(state, i);
    pack_value(packer, 0);
  }
  packer.out.push();
  return 1;
}

// ---- Unpacking

struct Unpacker {
  lua_State* state;
  LuaRuntime& runtime;
  const unsigned char* at;
  const unsigned char* end;
};

[[noreturn]] void fail_unpack(lua_State* state, const char* text) {
  luaL_error(state, "%s", text);
  LARDER_UNREACHABLE();
}

// The next `size` bytes as a big-endian number.
uint64_t take_number(Unpacker& in, size_t size) {
  if (static_cast<size_t>(in.end - in.at) < size) fail_unpack(in.state, "Missing bytes in input.");
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | *in.at++;
  return number;
}

void unpack_string(Unpacker& in, size_t size) {
  if (static_cast<size_t>(in.end - in.at) < size) fail_unpack(in.state, "Missing bytes in input.");
  push_text(in.state, {reinterpret_cast<const char*>(in.at), size});
  in.at += size;
}

void unpack_value(Unpacker& in, int depth);

// Memory follows what is there, not what is announced.
void unpack_array(Unpacker& in, size_t count, int depth) {
  lua_newtable(in.state);
  for (size_t i = 1; i <= count; ++i) {
    unpack_value(in, depth + 1);
    lua_rawseti(in.state, -2, static_cast<int>(i));
  }
}

void unpack_map(Unpacker& in, size_t count, int depth) {
  lua_newtable(in.state);
  for (size_t i = 0; i < count; ++i) {
    unpack_value(in, depth + 1);
    unpack_value(in, depth + 1);
    lua_settable(in.state, -3);  // with its check: a key may be nil or NaN
  }
}

void push_signed(Unpacker& in, size_t size) {
  const uint64_t number = take_number(in, size) << (64 - 8 * size);
  lua_pushnumber(in.state, static_cast<double>(static_cast<int64_t>(number) >> (64 - 8 * size)));
}

void unpack_tagged(Unpacker& in, unsigned tag, int depth) {
  switch (tag) {
    case 0xc0:
      return lua_pushnil(in.state);
    case 0xc2:
    case 0xc3:
      return lua_pushboolean(in.state, tag == 0xc3);
    case 0xca:
      return lua_pushnumber(in.state, std::bit_cast<float>(static_cast<uint32_t>(take_number(in, 4))));
    case 0xcb:
      return lua_pushnumber(in.state, std::bit_cast<double>(take_number(in, 8)));
    case 0xcc:
    case 0xcd:
    case 0xce:
      return lua_pushnumber(in.state, static_cast<double>(take_number(in, size_t{1} << (tag - 0xcc))));
    case 0xcf:  // as it is there: beyond 2^63 it is negative
      return push_signed(in, 8);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return push_signed(in, size_t{1} << (tag - 0xd0));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return unpack_string(in, take_number(in, size_t{1} << (tag - 0xd9)));
    case 0xdc:
    case 0xdd:
      return unpack_array(in, take_number(in, tag == 0xdc ? 2 : 4), depth);
    case 0xde:
    case 0xdf:
      return unpack_map(in, take_number(in, tag == 0xde ? 2 : 4), depth);
    default:
      fail_unpack(in.state, "Bad data format in input.");
  }
}

void unpack_value(Unpacker& in, int depth) {
  in.runtime.count_step(in.state);
  if (depth > kUnpackNestingMax) fail_unpack(in.state, "Bad data format in input.");
  luaL_checkstack(in.state, 4, "in function unpack");
  const auto tag = static_cast<unsigned>(take_number(in, 1));
  if (tag <= 0x7f) return lua_pushnumber(in.state, tag);
  if (tag >= 0xe0) return lua_pushnumber(in.state, static_cast<int8_t>(tag));
  if (tag <= 0x8f) return unpack_map(in, tag & 15, depth);
  if (tag <= 0x9f) return unpack_array(in, tag & 15, depth);
  if (tag <= 0xbf) return unpack_string(in, tag & 31);
  unpack_tagged(in, tag, depth);
}

// Pushes up to `limit` values from `offset` on, behind the offset where the next one begins, -1 at the end. With neither limit
// nor offset all values, and nothing before them.
int unpack_values(lua_State* state, lua_Integer limit, lua_Integer offset) {
  size_t size = 0;
  const char* text = luaL_checklstring(state, 1, &size);
  if (offset < 0 || limit < 0) {
    // It is the size of the input that this text has named as the limit ever since.
    return luaL_error(state, "Invalid request to unpack with offset of %d and limit of %d.", static_cast<int>(offset),
                      static_cast<int>(size));
  }
  if (static_cast<size_t>(offset) > size) {
    return luaL_error(state, "Start offset %d greater than input length %d.", static_cast<int>(offset),
                      static_cast<int>(size));
  }
  const auto* begin = reinterpret_cast<const unsigned char*>(text);
  Unpacker in{state, LuaRuntime::of(state), begin + offset, begin + size};
  lua_settop(state, 1);
  const bool is_whole = limit == 0 && offset == 0;
  if (!is_whole) lua_pushnil(state);
  int count = 0;
  while (in.at < in.end && (is_whole || count < limit)) {
    unpack_value(in, 0);
    ++count;
  }
  if (is_whole) return count;
  lua_pushinteger(state, in.at == in.end ? -1 : static_cast<lua_Integer>(in.at - begin));
  lua_replace(state, 2);
  return count + 1;
}

int cmsgpack_unpack(lua_State* state) { return unpack_values(state, 0, 0); }
int cmsgpack_unpack_one(lua_State* state) { return unpack_values(state, 1, luaL_optinteger(state, 2, 0)); }
int cmsgpack_unpack_limit(lua_State* state) {
  const lua_Integer count = luaL_checkinteger(state, 2);
  return unpack_values(state, count, luaL_optinteger(state, 3, 0));
}

}  // namespace

void push_cmsgpack(lua_State* state) {
  constexpr luaL_Reg kFunctions[] = {{"pack", cmsgpack_pack},
                                     {"unpack", cmsgpack_unpack},
                                     {"unpack_one", cmsgpack_unpack_one},
                                     {"unpack_limit", cmsgpack_unpack_limit}};
  lua_newtable(state);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(state, function.func);
    lua_setfield(state, -2, function.name);
  }
  constexpr struct {
    const char* name;
    const char* text;
  } kTexts[] = {{"_NAME", "cmsgpack"},
                {"_VERSION", "lua-cmsgpack 0.4.0"},
                {"_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"},
                {"_DESCRIPTION", "MessagePack C implementation for Lua"}};
  for (const auto& constant : kTexts) {
    lua_pushstring(state, constant.text);
    lua_setfield(state, -2, constant.name);
  }
}

}  // namespace larder
