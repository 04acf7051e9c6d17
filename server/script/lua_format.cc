// string.format as Lua 5.1 has it: what each option takes is what C's printf() of the server's build writes, %s takes strings
// and numbers alone and ends at a zero byte, and there are no %a and %p. LuaJIT's own knows more and rounds some digits otherwise.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"
#include "server/script/lua_libraries.h"
#include "server/script/lua_output.h"
#include "server/script/lua_runtime.h"

namespace larder {
namespace {

constexpr size_t kItemBytesMax = 512;        // %99.99f of the largest number has 410
constexpr size_t kLongStringBytesMin = 100;  // from here on %s without a precision copies the string as it is
constexpr double kIntegerEnd = 9223372036854775808.0;

// The name that the function was called by is not known when that was a tail call.
[[noreturn]] void bad_format_argument(lua_State* state, int index, const char* message) {
  lua_Debug activation;
  activation.name = nullptr;
  activation.namewhat = "";
  if (lua_getstack(state, 0, &activation)) lua_getinfo(state, "n", &activation);
  const bool is_method = std::strcmp(activation.namewhat, "method") == 0;
  luaL_error(state, "bad argument #%d to '%s' (%s)", is_method ? index - 1 : index,
             activation.name != nullptr ? activation.name : "format", message);
  LARDER_UNREACHABLE();
}

[[noreturn]] void wrong_format_type(lua_State* state, int index, const char* expected) {
  bad_format_argument(state, index,
                      lua_pushfstring(state, "%s expected, got %s", expected, luaL_typename(state, index)));
}

double format_number(lua_State* state, int index) {
  if (!lua_isnumber(state, index)) wrong_format_type(state, index, "number");
  return lua_tonumber(state, index);
}

// What does not fit becomes what the processor's conversion makes of it.
int64_t to_signed(double number) {
  return number >= -kIntegerEnd && number < kIntegerEnd ? static_cast<int64_t>(number) : INT64_MIN;
}
uint64_t to_unsigned(double number) {
  if (!(number >= kIntegerEnd)) return static_cast<uint64_t>(to_signed(number));
  return number < 2 * kIntegerEnd ? static_cast<uint64_t>(number) : 0;
}

// One "%..." of a format, as printf() reads it.
struct Directive {
  char text[32];  // "%-+ #099.99lld" and a zero byte have room
  size_t size;
  char letter;
  bool has_precision;
};

// Reads a directive behind its '%'. The format ends with a zero byte.
Directive read_directive(lua_State* state, const char*& at) {
  constexpr size_t kFlagsMax = 5;
  const char* begin = at;
  while (*at != '\0' && std::strchr("-+ #0", *at) != nullptr) ++at;
  if (static_cast<size_t>(at - begin) > kFlagsMax) luaL_error(state, "invalid format (repeated flags)");
  const auto skip_two_digits = [&at] {
    for (int i = 0; i < 2 && is_digit(*at); ++i) ++at;
  };
  skip_two_digits();
  Directive directive{};
  if (*at == '.') {
    directive.has_precision = true;
    ++at;
    skip_two_digits();
  }
  if (is_digit(*at)) luaL_error(state, "invalid format (width or precision too long)");
  directive.letter = *at;
  directive.text[0] = '%';
  directive.size = 1 + static_cast<size_t>(at - begin);
  LARDER_ASSERT(directive.size + 4 <= sizeof(directive.text));
  std::memcpy(directive.text + 1, begin, directive.size - 1);
  if (*at != '\0') ++at;
  return directive;
}

// Appends `length` ("ll" for integers) and the letter.
const char* complete(Directive& directive, Bytes length) {
  std::memcpy(directive.text + directive.size, length.data(), length.size());
  directive.text[directive.size + length.size()] = directive.letter;
  directive.text[directive.size + length.size() + 1] = '\0';
  return directive.text;
}

// A string or a number as Lua's own conversion writes it; `number_text` has room for one.
Bytes format_string(lua_State* state, int index, char* number_text, size_t bytes_max) {
  if (lua_type(state, index) == LUA_TNUMBER) {
    const int size = std::snprintf(number_text, bytes_max, "%.14g", lua_tonumber(state, index));
    return {number_text, static_cast<size_t>(size)};
  }
  if (lua_type(state, index) != LUA_TSTRING) wrong_format_type(state, index, "string");
  size_t size = 0;
  const char* text = lua_tolstring(state, index, &size);
  return {text, size};
}

// %q: a text that Lua reads as that string.
void add_quoted_string(lua_State* state, LuaOutput& out, int index) {
  constexpr size_t kQuotedLookBytes = 64 * 1024;
  char number_text[64];
  const Bytes text = format_string(state, index, number_text, sizeof(number_text));
  out.add('"');
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % kQuotedLookBytes == 0) LuaRuntime::of(state).count_step(state);
    const char c = text[i];
    if (c == '\r') {
      out.add("\\r");
    } else if (c == '\0') {
      out.add("\\000");
    } else {
      if (c == '"' || c == '\\' || c == '\n') out.add('\\');
      out.add(c);
    }
  }
  out.add('"');
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

void add_string(lua_State* state, LuaOutput& out, Directive& directive, int index) {
  char number_text[64];
  const Bytes text = format_string(state, index, number_text, sizeof(number_text));
  if (!directive.has_precision && text.size() >= kLongStringBytesMin) return out.add(text);
  char item[kItemBytesMax];
  const int size = std::snprintf(item, sizeof(item), complete(directive, {}), text.data());
  out.add({item, static_cast<size_t>(size)});
}

// Numbers and characters.
void add_number(lua_State* state, LuaOutput& out, Directive& directive, int index) {
  char item[kItemBytesMax];
  switch (directive.letter) {
    case 'c':
      std::snprintf(item, sizeof(item), complete(directive, {}),
                    static_cast<int>(to_signed(format_number(state, index)) & 0xff));
      break;
    case 'd':
    case 'i':
      std::snprintf(item, sizeof(item), complete(directive, "ll"),
                    static_cast<long long>(to_signed(format_number(state, index))));
      break;
    case 'o':
    case 'u':
    case 'x':
    case 'X':
      std::snprintf(item, sizeof(item), complete(directive, "ll"),
                    static_cast<unsigned long long>(to_unsigned(format_number(state, index))));
      break;
    case 'e':
    case 'E':
    case 'f':
    case 'g':
    case 'G':
      std::snprintf(item, sizeof(item), complete(directive, {}), format_number(state, index));
      break;
    default: {
      const char letter[2] = {directive.letter, '\0'};
      luaL_error(state, "invalid option '%%%s' to 'format'", letter);
    }
  }
  out.add({item, std::strlen(item)});
}

#pragma GCC diagnostic pop

}  // namespace

int string_format(lua_State* state) {
  const int count = lua_gettop(state);
  char number_text[64];
  Bytes format = format_string(state, 1, number_text, sizeof(number_text));
  lua_pushnil(state);
  LuaOutput out(state, count + 1);
  LuaRuntime& runtime = LuaRuntime::of(state);
  const char* at = format.data();
  const char* end = at + format.size();
  int index = 1;
  while (at < end) {
    runtime.count_step(state);
    const void* found = std::memchr(at, '%', static_cast<size_t>(end - at));
    const char* percent = found != nullptr ? static_cast<const char*>(found) : end;
    out.add({at, static_cast<size_t>(percent - at)});
    if (percent == end) break;
    at = percent + 1;
    if (*at == '%') {
      out.add(*at++);
      continue;
    }
    if (++index > count) bad_format_argument(state, index, "no value");
    Directive directive = read_directive(state, at);
    if (directive.letter == 'q') {
      add_quoted_string(state, out, index);
    } else if (directive.letter == 's') {
      add_string(state, out, directive, index);
    } else {
      add_number(state, out, directive, index);
    }
  }
  out.push();
  return 1;
}

}  // namespace larder
