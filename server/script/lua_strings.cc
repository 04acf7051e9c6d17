// string.find, match, gmatch and gsub over our own matcher, the functions that make large strings, in pieces, and those whose
// positions may have more than 32 bits.

#include <algorithm>
#include <climits>
#include <cstring>

#include "server/script/lua_libraries.h"
#include "server/script/lua_output.h"
#include "server/script/lua_pattern.h"
#include "server/script/lua_runtime.h"

namespace larder {
namespace {

Bytes string_argument(lua_State* state, int index) {
  size_t size = 0;
  const char* text = luaL_checklstring(state, index, &size);
  return {text, size};
}

// The optional position of find and match as an offset; negative counts from the end.
size_t offset_argument(lua_State* state, int index, size_t size) {
  const auto length = static_cast<ptrdiff_t>(size);
  ptrdiff_t position = luaL_optinteger(state, index, 1);
  if (position < 0) position = position < -length ? 0 : position + length + 1;
  return static_cast<size_t>(std::clamp<ptrdiff_t>(position - 1, 0, length));
}

// As Lua 5.1 looks for special characters: up to a zero byte. What is plain is searched for as a whole.
bool is_plain(Bytes pattern) {
  return pattern.substr(0, pattern.find('\0')).find_first_of("^$*+?.([%-") == Bytes::npos;
}

int push_range(lua_State* state, size_t begin, size_t end) {
  lua_pushinteger(state, static_cast<lua_Integer>(begin + 1));
  lua_pushinteger(state, static_cast<lua_Integer>(end));
  return 2;
}

// In time linear in the text, which the search of std::string_view is not.
size_t find_plain(Bytes text, Bytes pattern, size_t first) {
  const void* found = memmem(text.data() + first, text.size() - first, pattern.data(), pattern.size());
  return found != nullptr ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : Bytes::npos;
}

int find_or_match(lua_State* state, bool finds) {
  const Bytes text = string_argument(state, 1);
  const Bytes pattern = string_argument(state, 2);
  const size_t first = offset_argument(state, 3, text.size());
  if (finds && (lua_toboolean(state, 4) || is_plain(pattern))) {
    const size_t at = find_plain(text, pattern, first);
    if (at != Bytes::npos) return push_range(state, at, at + pattern.size());
    lua_pushnil(state);
    return 1;
  }
  LuaPattern matcher(state, text, pattern);
  for (size_t begin = first; begin <= text.size(); ++begin) {
    const size_t end = matcher.match_at(begin);
    if (end != LuaPattern::kNpos) {
      if (!finds) return matcher.push_captures(begin, end);
      push_range(state, begin, end);
      return 2 + (matcher.capture_count() > 0 ? matcher.push_captures(begin, end) : 0);
    }
    if (matcher.is_anchored()) break;
  }
  lua_pushnil(state);
  return 1;
}

int string_find(lua_State* state) { return find_or_match(state, true); }
int string_match(lua_State* state) { return find_or_match(state, false); }

// Upvalues: text, pattern, offset where the next search begins.
int next_match(lua_State* state) {
  size_t text_size = 0;
  size_t pattern_size = 0;
  const char* text = lua_tolstring(state, lua_upvalueindex(1), &text_size);
  const char* pattern = lua_tolstring(state, lua_upvalueindex(2), &pattern_size);
  LuaPattern matcher(state, {text, text_size}, {pattern, pattern_size}, LuaPattern::Caret::kPlain);
  for (auto begin = static_cast<size_t>(lua_tointeger(state, lua_upvalueindex(3))); begin <= text_size; ++begin) {
    const size_t end = matcher.match_at(begin);
    if (end == LuaPattern::kNpos) continue;
    lua_pushinteger(state, static_cast<lua_Integer>(end == begin ? end + 1 : end));
    lua_replace(state, lua_upvalueindex(3));
    return matcher.push_captures(begin, end);
  }
  return 0;
}

int string_gmatch(lua_State* state) {
  string_argument(state, 1);
  string_argument(state, 2);
  lua_settop(state, 2);
  lua_pushinteger(state, 0);
  lua_pushcclosure(state, next_match, 3);
  return 1;
}

struct Substitution {
  lua_State* state;
  LuaRuntime& runtime;
  LuaPattern& matcher;
  LuaOutput& out;
  Bytes text;
};

// The value at the top, a string or a number.
void add_value(const Substitution& gsub) {
  size_t size = 0;
  const char* value = lua_tolstring(gsub.state, -1, &size);
  gsub.out.add({value, size});
  lua_pop(gsub.state, 1);
}

// The replacement text with its %0 to %9.
void add_template(const Substitution& gsub, size_t begin, size_t end) {
  const Bytes text = string_argument(gsub.state, 3);
  for (size_t at = 0; at < text.size();) {
    const size_t percent = std::min(text.find('%', at), text.size());
    gsub.out.add(text.substr(at, percent - at));
    if (percent == text.size()) return;
    gsub.runtime.count_step(gsub.state);
    const char next = percent + 1 < text.size() ? text[percent + 1] : '\0';
    at = percent + 2;
    if (!is_digit(next)) {
      gsub.out.add(next);
    } else if (next == '0') {
      gsub.out.add(gsub.text.substr(begin, end - begin));
    } else {
      gsub.matcher.push_capture(next - '1', begin, end);
      add_value(gsub);
    }
  }
}

void add_replacement(const Substitution& gsub, size_t begin, size_t end) {
  lua_State* state = gsub.state;
  const int type = lua_type(state, 3);
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(state, 3);
    lua_call(state, gsub.matcher.push_captures(begin, end), 1);
  } else if (type == LUA_TTABLE) {
    gsub.matcher.push_capture(0, begin, end);
    lua_gettable(state, 3);
  } else {
    return add_template(gsub, begin, end);
  }
  if (lua_isstring(state, -1)) return add_value(gsub);
  if (lua_toboolean(state, -1)) luaL_error(state, "invalid replacement value (a %s)", luaL_typename(state, -1));
  lua_pop(state, 1);
  gsub.out.add(gsub.text.substr(begin, end - begin));  // stays as it is
}

int string_gsub(lua_State* state) {
  constexpr int kOutputSlot = 5;
  const Bytes text = string_argument(state, 1);
  const Bytes pattern = string_argument(state, 2);
  const int type = lua_type(state, 3);
  const lua_Integer count_max = luaL_optinteger(state, 4, static_cast<lua_Integer>(text.size() + 1));
  luaL_argcheck(state, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                "string/function/table expected");
  LuaRuntime& runtime = LuaRuntime::of(state);
  const int nesting = runtime.enter(state);
  lua_settop(state, kOutputSlot);
  lua_pushnil(state);
  lua_replace(state, kOutputSlot);
  LuaPattern matcher(state, text, pattern);
  LuaOutput out(state, kOutputSlot);
  const Substitution gsub{state, runtime, matcher, out, text};
  lua_Integer count = 0;
  size_t at = 0;
  while (count < count_max) {
    const size_t end = matcher.match_at(at);
    if (end != LuaPattern::kNpos) {
      ++count;
      add_replacement(gsub, at, end);
    }
    if (end != LuaPattern::kNpos && end > at) {
      at = end;
    } else if (at < text.size()) {
      out.add(text[at]);
      ++at;
    } else {
      break;
    }
    if (matcher.is_anchored()) break;
  }
  runtime.leave(nesting);
  if (count == 0) {
    lua_pushvalue(state, 1);
  } else {
    out.add(text.substr(at));
    out.push();
  }
  lua_pushinteger(state, count);
  return 2;
}

// Calls fill(out, from, count) for one piece of a text of `size` bytes after the other, and pushes the text.
template <class Fill>
int push_in_pieces(lua_State* state, size_t size, Fill fill) {
  constexpr size_t kPieceBytes = 256 * 1024;
  constexpr size_t kStackBytes = 256;
  if (size <= kStackBytes) {
    char text[kStackBytes];
    fill(text, 0, size);
    lua_pushlstring(state, text, size);
    return 1;
  }
  LuaRuntime& runtime = LuaRuntime::of(state);
  runtime.reserve(state, 2 * size);  // the text is made here, and then copied
  auto* text = static_cast<char*>(lua_newuserdata(state, size));
  for (size_t from = 0; from < size; from += kPieceBytes) {
    runtime.count_step(state);
    fill(text, from, std::min(kPieceBytes, size - from));
  }
  push_text(state, {text, size});
  return 1;
}

template <class Convert>
int push_converted(lua_State* state, Convert convert) {
  const Bytes text = string_argument(state, 1);
  return push_in_pieces(state, text.size(), [&](char* out, size_t from, size_t count) {
    std::transform(text.data() + from, text.data() + from + count, out + from, convert);
  });
}

int string_upper(lua_State* state) {
  return push_converted(state, [](char c) { return to_upper(c); });
}
int string_lower(lua_State* state) {
  return push_converted(state, [](char c) { return to_lower(c); });
}

int string_reverse(lua_State* state) {
  const Bytes text = string_argument(state, 1);
  return push_in_pieces(state, text.size(), [&](char* out, size_t from, size_t count) {
    const char* end = text.data() + text.size() - from;
    std::reverse_copy(end - count, end, out + from);
  });
}

int string_rep(lua_State* state) {
  constexpr size_t kSizeMax = size_t{1} << 31;
  constexpr size_t kSpanBytes = 64 * 1024;
  const Bytes text = string_argument(state, 1);
  const lua_Number count = luaL_checknumber(state, 2);
  const size_t times = count >= 1 ? static_cast<size_t>(std::min(count, static_cast<lua_Number>(kSizeMax))) : 0;
  if (!text.empty() && times > kSizeMax / text.size()) return luaL_error(state, "resulting string too large");
  return push_in_pieces(state, text.size() * times, [&](char* out, size_t from, size_t bytes) {
    for (size_t at = from; at < from + bytes;) {
      // What stands before is the text as well, more of it each time; while that is less than one, the text itself.
      const size_t before = at < text.size() ? 0 : std::min(at, std::max(text.size(), kSpanBytes));
      const size_t span = before - before % text.size();
      const char* source = span == 0 ? text.data() + at : out + at - span;
      const size_t part = std::min(span == 0 ? text.size() - at : span, from + bytes - at);
      std::memcpy(out + at, source, part);
      at += part;
    }
  });
}

// The positions of a part, 1 being the first byte: `end` is the last one's. Negative ones count from the end.
struct Part {
  ptrdiff_t begin;
  ptrdiff_t end;
};

Part clip(Part part, Bytes text) {
  const auto length = static_cast<ptrdiff_t>(text.size());
  if (part.begin < 0) part.begin += length + 1;
  if (part.end < 0) part.end += length + 1;
  return {std::max<ptrdiff_t>(part.begin, 1), std::min(part.end, length)};
}

// LuaJIT's own takes 32 bits of a position: beyond 2^31 it gives an empty text. This takes as long (25 ns for 4 bytes).
int string_sub(lua_State* state) {
  const Bytes text = string_argument(state, 1);
  const Part part = clip({luaL_checkinteger(state, 2), luaL_optinteger(state, 3, -1)}, text);
  if (part.begin > part.end) {
    lua_pushliteral(state, "");
  } else {
    push_text(state, text.substr(static_cast<size_t>(part.begin - 1), static_cast<size_t>(part.end - part.begin + 1)));
  }
  return 1;
}

// LuaJIT's own is written in Lua, and takes a missing argument for nil.
int string_len(lua_State* state) {
  lua_pushinteger(state, static_cast<lua_Integer>(string_argument(state, 1).size()));
  return 1;
}

int string_byte(lua_State* state) {
  const Bytes text = string_argument(state, 1);
  const ptrdiff_t first = luaL_optinteger(state, 2, 1);
  const Part part = clip({first, luaL_optinteger(state, 3, first)}, text);
  if (part.begin > part.end) return 0;
  const ptrdiff_t count = part.end - part.begin + 1;
  if (count > INT_MAX || !lua_checkstack(state, static_cast<int>(count))) {
    return luaL_error(state, "stack overflow (string slice too long)");
  }
  for (ptrdiff_t at = part.begin; at <= part.end; ++at) {
    lua_pushinteger(state, static_cast<unsigned char>(text[static_cast<size_t>(at - 1)]));
  }
  return static_cast<int>(count);
}

}  // namespace

void add_string_functions(lua_State* state) {
  constexpr luaL_Reg kFunctions[] = {{"find", string_find},     {"match", string_match},     {"gmatch", string_gmatch},
                                     {"gfind", string_gmatch},  {"gsub", string_gsub},       {"upper", string_upper},
                                     {"lower", string_lower},   {"reverse", string_reverse}, {"rep", string_rep},
                                     {"format", string_format}, {"sub", string_sub},         {"byte", string_byte},
                                     {"len", string_len}};
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(state, function.func);
    lua_setfield(state, -2, function.name);
  }
}

}  // namespace larder
