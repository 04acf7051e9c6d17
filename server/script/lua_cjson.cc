// The library cjson: JSON to Lua values and back, with the behaviour and the error texts of the lua-cjson that scripts know.
//
// Written anew for three reasons: it must raise errors without leaving memory behind (output grows in a buffer of Lua's), it
// must be interruptible, and its configuration must not leak from one script into the next (it is kept in an upvalue and set
// back when a script begins, see reset_cjson()).
//
// Nesting is bounded by the configured depths and by kDepthMax; recursion therefore is, too.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/number_text.h"
#include "server/script/lua_libraries.h"
#include "server/script/lua_output.h"
#include "server/script/lua_runtime.h"
#include "server/script/lua_sandbox.h"

namespace larder {
namespace {

constexpr int kDepthMax = 16 * 1024;
constexpr int kPrecisionMax = 14;
// Between two looks whether the script is to end.
constexpr ptrdiff_t kLookBytes = 64 * 1024;

struct Config {
  bool sparse_converts = false;
  int sparse_ratio = 2;
  int sparse_safe = 10;
  int encode_depth_max = 1000;
  int decode_depth_max = 1000;
  int number_precision = kPrecisionMax;
  bool keeps_buffer = true;
  int encode_invalid_numbers = 0;  // 0: error, 1: as they are, 2: null
  bool decode_invalid_numbers = true;
};

Config& config_of(lua_State* state) { return *static_cast<Config*>(lua_touserdata(state, lua_upvalueindex(1))); }

// ---- Encoding

struct Output : LuaOutput {
  Output(lua_State* lua_state, int stack_slot, const Config& settings)
      : LuaOutput(lua_state, stack_slot), config(settings), runtime(LuaRuntime::of(lua_state)) {}
  const Config& config;
  LuaRuntime& runtime;
};

void encode_value(Output& out, int depth);

[[noreturn]] void fail_encode(Output& out, const char* reason) {
  luaL_error(out.state, "Cannot serialise %s: %s", luaL_typename(out.state, -1), reason);
  LARDER_UNREACHABLE();
}

void encode_string(Output& out, Bytes text) {
  out.add('"');
  size_t plain_from = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (i % size_t{kLookBytes} == 0) out.runtime.count_step(out.state);
    if (c >= 0x20 && c != '"' && c != '\\' && c != '/' && c != 0x7f) continue;
    out.add(text.substr(plain_from, i - plain_from));
    plain_from = i + 1;
    constexpr Bytes kShort = "\"\\/\b\f\n\r\t";
    constexpr Bytes kLetters = "\"\\/bfnrt";
    const size_t known = kShort.find(static_cast<char>(c));
    if (known != Bytes::npos) {
      out.add('\\');
      out.add(kLetters[known]);
    } else {
      const char escape[6] = {'\\', 'u', '0', '0', kHexDigits[c >> 4], kHexDigits[c & 15]};
      out.add({escape, sizeof(escape)});
    }
  }
  out.add(text.substr(plain_from));
  out.add('"');
}

void encode_number(Output& out, double number) {
  if (!std::isfinite(number)) {
    if (out.config.encode_invalid_numbers == 0) fail_encode(out, "must not be NaN or Inf");
    if (out.config.encode_invalid_numbers == 2) return out.add("null");
    return out.add(std::isnan(number) ? Bytes("nan") : number > 0 ? Bytes("inf") : Bytes("-inf"));
  }
  constexpr size_t kTextBytesMax = 40;
  constexpr double kPlainMax = 1e14;  // whole numbers below it have at most the default precision's digits
  char* text = out.room(kTextBytesMax);
  const bool is_plain = out.config.number_precision == kPrecisionMax && std::fabs(number) < kPlainMax &&
                        number == std::floor(number) && !(number == 0 && std::signbit(number));
  out.size +=
      is_plain ? write_int64(text, static_cast<int64_t>(number))
               : static_cast<size_t>(std::snprintf(text, kTextBytesMax, "%.*g", out.config.number_precision, number));
}

// The length when the table at the top is an array, -1 when it is an object.
int array_length(Output& out) {
  lua_State* state = out.state;
  int largest = 0;
  int count = 0;
  lua_pushnil(state);
  while (lua_next(state, -2)) {
    lua_pop(state, 1);
    out.runtime.count_step(state);
    const double key = lua_type(state, -1) == LUA_TNUMBER ? lua_tonumber(state, -1) : 0;
    if (key < 1 || key != std::floor(key) || key > INT32_MAX) {
      lua_pop(state, 1);
      return -1;
    }
    largest = std::max(largest, static_cast<int>(key));
    ++count;
  }
  const Config& config = out.config;
  const bool is_sparse = config.sparse_ratio > 0 && largest > config.sparse_safe &&
                         static_cast<int64_t>(largest) > static_cast<int64_t>(count) * config.sparse_ratio;
  if (!is_sparse) return largest == 0 ? -1 : largest;
  if (!config.sparse_converts) fail_encode(out, "excessively sparse array");
  return -1;
}

void encode_array(Output& out, int length, int depth) {
  out.add('[');
  for (int i = 1; i <= length; ++i) {
    if (i > 1) out.add(',');
    lua_rawgeti(out.state, -1, i);
    encode_value(out, depth);
    lua_pop(out.state, 1);
  }
  out.add(']');
}

void encode_object(Output& out, int depth) {
  lua_State* state = out.state;
  out.add('{');
  bool first = true;
  lua_pushnil(state);
  while (lua_next(state, -2)) {
    if (!first) out.add(',');
    first = false;
    if (lua_type(state, -2) == LUA_TNUMBER) {
      out.add('"');
      encode_number(out, lua_tonumber(state, -2));
      out.add("\":");
    } else if (lua_type(state, -2) == LUA_TSTRING) {
      size_t size = 0;
      const char* text = lua_tolstring(state, -2, &size);
      encode_string(out, {text, size});
      out.add(':');
    } else {
      lua_pop(state, 1);
      fail_encode(out, "table key must be a number or string");
    }
    encode_value(out, depth);
    lua_pop(state, 1);
  }
  out.add('}');
}

// Writes the value at the top and leaves it there.
void encode_value(Output& out, int depth) {
  lua_State* state = out.state;
  out.runtime.count_step(state);
  switch (lua_type(state, -1)) {
    case LUA_TSTRING: {
      size_t size = 0;
      const char* text = lua_tolstring(state, -1, &size);
      return encode_string(out, {text, size});
    }
    case LUA_TNUMBER:
      return encode_number(out, lua_tonumber(state, -1));
    case LUA_TBOOLEAN:
      return out.add(lua_toboolean(state, -1) ? Bytes("true") : Bytes("false"));
    case LUA_TNIL:
      return out.add("null");
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(state, -1) == nullptr) return out.add("null");
      break;
    case LUA_TTABLE: {
      if (depth + 1 > std::min(out.config.encode_depth_max, kDepthMax) || !lua_checkstack(state, 5)) {
        luaL_error(state, "Cannot serialise, excessive nesting (%d)", depth + 1);
      }
      if (push_protected(state, -1)) lua_replace(state, -2);
      const int length = array_length(out);
      return length > 0 ? encode_array(out, length, depth + 1) : encode_object(out, depth + 1);
    }
    default:
      break;
  }
  fail_encode(out, "type not supported");
}

int cjson_encode(lua_State* state) {
  luaL_argcheck(state, lua_gettop(state) == 1, 1, "expected 1 argument");
  lua_pushnil(state);
  lua_insert(state, 1);
  Output out(state, 1, config_of(state));
  encode_value(out, 0);
  out.push();
  return 1;
}

// ---- Decoding

struct Input {
  lua_State* state;
  const Config& config;
  LuaRuntime& runtime;
  const char* begin;
  const char* end;
  const char* at;
  char* scratch;  // room for the longest string
};

void decode_value(Input& in, int depth);

void skip_space(Input& in) {
  while (in.at < in.end && (*in.at == ' ' || *in.at == '\t' || *in.at == '\n' || *in.at == '\r')) {
    ++in.at;
    if ((in.at - in.begin) % kLookBytes == 0) in.runtime.count_step(in.state);
  }
}

// Numbers that JSON does not have, but strtod() does: hexadecimal, infinity, "nan", those with '+' or a 0 before digits.
bool is_special_number(const Input& in) {
  const char* at = in.at;  // a zero byte is behind the text
  if (*at == '+') return true;
  if (*at == '-') ++at;
  if (*at == '0') return to_lower(at[1]) == 'x' || is_digit(at[1]);
  const Bytes word = Bytes(at, static_cast<size_t>(in.end - at)).substr(0, 3);
  return equals_ignore_case(word, "inf") || equals_ignore_case(word, "nan");
}

bool is_number_begin(char c) { return is_digit(c) || c == '-'; }

bool starts_number(const Input& in) {
  return in.config.decode_invalid_numbers ? is_number_begin(*in.at) || is_special_number(in)
                                          : is_number_begin(*in.at) && !is_special_number(in);
}

// What stands at the current position, in the words of error messages.
const char* token_name(const Input& in) {
  if (in.at >= in.end) return "T_END";
  switch (*in.at) {
    case '{':
      return "T_OBJ_BEGIN";
    case '}':
      return "T_OBJ_END";
    case '[':
      return "T_ARR_BEGIN";
    case ']':
      return "T_ARR_END";
    case ':':
      return "T_COLON";
    case ',':
      return "T_COMMA";
    case '"':
      return "T_STRING";
    case '\0':
      return "T_END";
    default:
      break;
  }
  const Bytes rest(in.at, static_cast<size_t>(in.end - in.at));
  if (rest.starts_with("true") || rest.starts_with("false")) return "T_BOOLEAN";
  if (rest.starts_with("null")) return "T_NULL";
  if (!starts_number(in)) return is_number_begin(*in.at) ? "invalid number" : "invalid token";
  char* end = nullptr;
  std::strtod(in.at, &end);
  return end != in.at ? "T_NUMBER" : "invalid number";
}

[[noreturn]] void fail_decode(const Input& in, const char* expected, const char* found) {
  luaL_error(in.state, "Expected %s but found %s at character %d", expected, found,
             static_cast<int>(in.at - in.begin) + 1);
  LARDER_UNREACHABLE();
}

char* write_utf8(char* out, uint32_t code) {
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xc0 | code >> 6);
    *out++ = static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xe0 | code >> 12);
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *out++ = static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *out++ = static_cast<char>(0xf0 | code >> 18);
    *out++ = static_cast<char>(0x80 | (code >> 12 & 0x3f));
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *out++ = static_cast<char>(0x80 | (code & 0x3f));
  }
  return out;
}

// Four hexadecimal digits at `at`, or -1.
int read_hex4(const Input& in, const char* at) {
  if (in.end - at < 4) return -1;
  int code = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_value(at[i]);
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}

// \uXXXX at the current position, with the second half of a pair. False: malformed.
bool decode_unicode(Input& in, char*& out) {
  const int first = read_hex4(in, in.at + 2);
  if (first < 0) return false;
  in.at += 6;
  auto code = static_cast<uint32_t>(first);
  if ((code & 0xfc00) == 0xdc00) return false;
  if ((code & 0xfc00) == 0xd800) {
    if (in.end - in.at < 6 || in.at[0] != '\\' || in.at[1] != 'u') return false;
    const int second = read_hex4(in, in.at + 2);
    if (second < 0 || (second & 0xfc00) != 0xdc00) return false;
    code = 0x10000 + ((code & 0x3ff) << 10) + (static_cast<uint32_t>(second) & 0x3ff);
    in.at += 6;
  }
  out = write_utf8(out, code);
  return true;
}

bool decode_escape(Input& in, char*& out) {
  if (in.end - in.at < 2) return false;
  constexpr Bytes kLetters = "\"\\/bfnrt";
  constexpr Bytes kMeanings = "\"\\/\b\f\n\r\t";
  if (in.at[1] == 'u') return decode_unicode(in, out);
  const size_t known = kLetters.find(in.at[1]);
  if (known == Bytes::npos) return false;
  *out++ = kMeanings[known];
  in.at += 2;
  return true;
}

// Pushes the string at the current position.
void decode_string(Input& in) {
  ++in.at;
  char* out = in.scratch;
  while (true) {
    const char* plain = in.at;
    const char* stop = in.end - in.at > kLookBytes ? in.at + kLookBytes : in.end;
    while (in.at < stop && *in.at != '"' && *in.at != '\\' && *in.at != '\0') ++in.at;
    std::memcpy(out, plain, static_cast<size_t>(in.at - plain));
    out += in.at - plain;
    if (in.at == stop && stop != in.end) {
      in.runtime.count_step(in.state);
      continue;
    }
    if (in.at >= in.end || *in.at == '\0') fail_decode(in, "value", "unexpected end of string");
    if (*in.at == '"') break;
    const bool is_unicode = in.end - in.at >= 2 && in.at[1] == 'u';
    const char* escape = in.at;
    if (!decode_escape(in, out)) {
      in.at = escape;
      fail_decode(in, "value", is_unicode ? "invalid unicode escape code" : "invalid escape code");
    }
  }
  ++in.at;
  push_text(in.state, {in.scratch, static_cast<size_t>(out - in.scratch)});
}

// A number; false when there is none.
bool decode_number(Input& in) {
  constexpr ptrdiff_t kNumberBytesMax = 1024 * 1024;  // longer ones would take too long at a stretch
  if (in.at >= in.end || !starts_number(in)) return false;
  const auto is_part = [](char c) {
    return is_digit(c) || c == '+' || c == '-' || c == '.' || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
  };
  if (in.end - in.at > kNumberBytesMax && std::all_of(in.at, in.at + kNumberBytesMax, is_part)) return false;
  char* end = nullptr;
  const double number = std::strtod(in.at, &end);
  if (end == in.at) return false;
  lua_pushnumber(in.state, number);
  in.at = end;
  return true;
}

bool decode_word(Input& in, Bytes word) {
  if (Bytes(in.at, static_cast<size_t>(in.end - in.at)).substr(0, word.size()) != word) return false;
  in.at += word.size();
  return true;
}

void check_decode_depth(const Input& in, int depth) {
  if (depth <= std::min(in.config.decode_depth_max, kDepthMax) && lua_checkstack(in.state, 5)) return;
  luaL_error(in.state, "Found too many nested data structures (%d) at character %d", depth,
             static_cast<int>(in.at - in.begin) + 1);
}

void decode_array(Input& in, int depth) {
  check_decode_depth(in, depth);
  ++in.at;
  lua_newtable(in.state);
  skip_space(in);
  if (in.at < in.end && *in.at == ']') {
    ++in.at;
    return;
  }
  for (int i = 1;; ++i) {
    decode_value(in, depth);
    lua_rawseti(in.state, -2, i);
    skip_space(in);
    const char next = in.at < in.end ? *in.at : '\0';
    if (next != ',' && next != ']') fail_decode(in, "comma or array end", token_name(in));
    ++in.at;
    if (next == ']') return;
  }
}

void decode_object(Input& in, int depth) {
  check_decode_depth(in, depth);
  ++in.at;
  lua_newtable(in.state);
  skip_space(in);
  if (in.at < in.end && *in.at == '}') {
    ++in.at;
    return;
  }
  while (true) {
    skip_space(in);
    if (in.at >= in.end || *in.at != '"') fail_decode(in, "object key string", token_name(in));
    decode_string(in);
    skip_space(in);
    if (in.at >= in.end || *in.at != ':') fail_decode(in, "colon", token_name(in));
    ++in.at;
    decode_value(in, depth);
    lua_rawset(in.state, -3);
    skip_space(in);
    const char next = in.at < in.end ? *in.at : '\0';
    if (next != ',' && next != '}') fail_decode(in, "comma or object end", token_name(in));
    ++in.at;
    if (next == '}') return;
  }
}

void decode_value(Input& in, int depth) {
  skip_space(in);
  in.runtime.count_step(in.state);
  const char first = in.at < in.end ? *in.at : '\0';
  if (first == '"') return decode_string(in);
  if (first == '{') return decode_object(in, depth + 1);
  if (first == '[') return decode_array(in, depth + 1);
  if (decode_word(in, "true")) return lua_pushboolean(in.state, 1);
  if (decode_word(in, "false")) return lua_pushboolean(in.state, 0);
  if (decode_word(in, "null")) return lua_pushlightuserdata(in.state, nullptr);
  if (decode_number(in)) return;
  fail_decode(in, "value", token_name(in));
}

int cjson_decode(lua_State* state) {
  luaL_argcheck(state, lua_gettop(state) == 1, 1, "expected 1 argument");
  size_t size = 0;
  const char* text = luaL_checklstring(state, 1, &size);
  if (size >= 2 && (text[0] == '\0' || text[1] == '\0')) {
    return luaL_error(state, "JSON parser does not support UTF-16 or UTF-32");
  }
  Input in{state, config_of(state), LuaRuntime::of(state), text, text + size, text, nullptr};
  in.runtime.reserve(state, size + 1);
  in.scratch = static_cast<char*>(lua_newuserdata(state, size + 1));
  decode_value(in, 0);
  skip_space(in);
  if (in.at < in.end && *in.at != '\0') fail_decode(in, "the end", token_name(in));
  return 1;
}

// ---- Configuration: each function sets what is given and returns what is in force.

void allow_arguments(lua_State* state, int count_max) {
  luaL_argcheck(state, lua_gettop(state) <= count_max, count_max + 1, "found too many arguments");
  lua_settop(state, count_max);
}

int integer_option(lua_State* state, int index, int* setting, int min, int max) {
  if (!lua_isnoneornil(state, index)) {
    const auto value = static_cast<int>(luaL_checkinteger(state, index));
    if (value < min || value > max) {
      // Whichever argument it is, this text has always named the first.
      luaL_argerror(state, 1, lua_pushfstring(state, "expected integer between %d and %d", min, max));
    }
    *setting = value;
  }
  lua_pushinteger(state, *setting);
  return 1;
}

int boolean_option(lua_State* state, int index, bool* setting) {
  static const char* const kWords[] = {"off", "on", nullptr};
  if (lua_isboolean(state, index)) {
    *setting = lua_toboolean(state, index) != 0;
  } else if (!lua_isnoneornil(state, index)) {
    *setting = luaL_checkoption(state, index, nullptr, kWords) != 0;
  }
  lua_pushboolean(state, *setting);
  return 1;
}

int cjson_sparse_array(lua_State* state) {
  Config& config = config_of(state);
  allow_arguments(state, 3);
  boolean_option(state, 1, &config.sparse_converts);
  integer_option(state, 2, &config.sparse_ratio, 0, INT32_MAX);
  integer_option(state, 3, &config.sparse_safe, 0, INT32_MAX);
  return 3;
}

// What is deeper than kDepthMax is refused whatever is set.
int cjson_encode_depth(lua_State* state) {
  allow_arguments(state, 1);
  return integer_option(state, 1, &config_of(state).encode_depth_max, 1, INT32_MAX);
}

int cjson_decode_depth(lua_State* state) {
  allow_arguments(state, 1);
  return integer_option(state, 1, &config_of(state).decode_depth_max, 1, INT32_MAX);
}

int cjson_precision(lua_State* state) {
  allow_arguments(state, 1);
  return integer_option(state, 1, &config_of(state).number_precision, 1, kPrecisionMax);
}

int cjson_keep_buffer(lua_State* state) {
  allow_arguments(state, 1);
  return boolean_option(state, 1, &config_of(state).keeps_buffer);
}

int cjson_decode_invalid(lua_State* state) {
  allow_arguments(state, 1);
  return boolean_option(state, 1, &config_of(state).decode_invalid_numbers);
}

int cjson_encode_invalid(lua_State* state) {
  static const char* const kModes[] = {"off", "on", "null", nullptr};
  Config& config = config_of(state);
  allow_arguments(state, 1);
  if (lua_isboolean(state, 1)) {
    config.encode_invalid_numbers = lua_toboolean(state, 1);
  } else if (!lua_isnoneornil(state, 1)) {
    config.encode_invalid_numbers = luaL_checkoption(state, 1, nullptr, kModes);
  }
  if (config.encode_invalid_numbers == 2) {
    lua_pushliteral(state, "null");
  } else {
    lua_pushboolean(state, config.encode_invalid_numbers);
  }
  return 1;
}

// The same library with a configuration of its own.
int cjson_new(lua_State* state);

constexpr luaL_Reg kFunctions[] = {
    {"encode", cjson_encode},
    {"decode", cjson_decode},
    {"encode_sparse_array", cjson_sparse_array},
    {"encode_max_depth", cjson_encode_depth},
    {"decode_max_depth", cjson_decode_depth},
    {"encode_number_precision", cjson_precision},
    {"encode_keep_buffer", cjson_keep_buffer},
    {"encode_invalid_numbers", cjson_encode_invalid},
    {"decode_invalid_numbers", cjson_decode_invalid},
    {"new", cjson_new},
};

char config_key;

// Pushes the table; its configuration is below it.
void push_library(lua_State* state) {
  *static_cast<Config*>(lua_newuserdata(state, sizeof(Config))) = Config();
  lua_newtable(state);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushvalue(state, -2);
    lua_pushcclosure(state, function.func, 1);
    lua_setfield(state, -2, function.name);
  }
  lua_pushlightuserdata(state, nullptr);
  lua_setfield(state, -2, "null");
  lua_pushliteral(state, "cjson");
  lua_setfield(state, -2, "_NAME");
  lua_pushliteral(state, "2.1.0");
  lua_setfield(state, -2, "_VERSION");
}

int cjson_new(lua_State* state) {
  push_library(state);
  return 1;
}

}  // namespace

void push_cjson(lua_State* state) {
  push_library(state);
  lua_pushlightuserdata(state, &config_key);
  lua_pushvalue(state, -3);
  lua_rawset(state, LUA_REGISTRYINDEX);
  lua_remove(state, -2);
}

void push_cjson_settings(lua_State* state) {
  lua_pushlightuserdata(state, &config_key);
  lua_rawget(state, LUA_REGISTRYINDEX);
}

void reset_cjson(void* settings) { *static_cast<Config*>(settings) = Config(); }

}  // namespace larder
