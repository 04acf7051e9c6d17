// The library struct: C structures in strings.
//
//   < > !n     little, big byte order (else the machine's); alignment up to n (a power of two, 8 without a number)
//   b B h H l L T iN IN   integers of 1, 2, 8, 8 (T: size_t) and N bytes (4 without a number), signed and unsigned
//   f d        float, double
//   s          a string that ends with a zero byte
//   cN         N bytes (1 without a number); c0 packs the whole string, and unpacks as many as the number before it says
//   x          a byte of padding; a space is nothing

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "server/script/lua_libraries.h"
#include "server/script/lua_runtime.h"

namespace larder {
namespace {

constexpr size_t kIntegerBytesMax = 32;

// How far a format is read.
struct Format {
  const char* at;
  bool is_little = std::endian::native == std::endian::little;
  size_t alignment = 1;
};

// The option at hand. Formats can be as long as the memory allows.
char next_letter(lua_State* state, Format& format) {
  LuaRuntime::of(state).count_step(state);
  return *format.at++;
}

bool is_digit_here(const Format& format) { return *format.at >= '0' && *format.at <= '9'; }

size_t read_number(lua_State* state, Format& format, size_t otherwise) {
  if (!is_digit_here(format)) return otherwise;
  size_t number = 0;
  while (is_digit_here(format)) {
    const auto digit = static_cast<size_t>(*format.at++ - '0');
    if (number > (static_cast<size_t>(INT32_MAX) - digit) / 10) luaL_error(state, "integral size overflow");
    number = number * 10 + digit;
  }
  return number;
}

// Bytes of the item of that letter; reads its number.
size_t item_bytes(lua_State* state, char letter, Format& format) {
  switch (letter) {
    case 'B':
    case 'b':
      return 1;
    case 'H':
    case 'h':
      return sizeof(short);
    case 'L':
    case 'l':
      return sizeof(long);
    case 'T':
      return sizeof(size_t);
    case 'f':
      return sizeof(float);
    case 'd':
      return sizeof(double);
    case 'x':
      return 1;
    case 'c':
      return read_number(state, format, 1);
    case 'i':
    case 'I': {
      const size_t size = read_number(state, format, sizeof(int));
      if (size > kIntegerBytesMax)
        luaL_error(state, "integral size %d is larger than limit of %d", static_cast<int>(size),
                   static_cast<int>(kIntegerBytesMax));
      return size;
    }
    default:
      return 0;
  }
}

// One letter for all that stand for integers; the others stand for themselves.
constexpr char kIntegerLetter = 'i';
char kind_of(char letter) { return Bytes("bBhHlLTiI").find(letter) != Bytes::npos ? kIntegerLetter : letter; }

// Between the machine's order of bytes and the format's.
void put_in_order(char* bytes, size_t size, bool is_little) {
  if (is_little != (std::endian::native == std::endian::little)) std::reverse(bytes, bytes + size);
}

size_t padding_before(size_t total, size_t size, const Format& format, char letter) {
  if (size == 0 || letter == 'c') return 0;
  const size_t unit = std::min(size, format.alignment);
  if (unit <= 1) return 0;
  return (unit - (total & (unit - 1))) & (unit - 1);
}

// Letters that change the format; others are errors.
void read_control(lua_State* state, char letter, Format& format) {
  switch (letter) {
    case ' ':
      return;
    case '>':
      format.is_little = false;
      return;
    case '<':
      format.is_little = true;
      return;
    case '!': {
      const size_t alignment = read_number(state, format, 8);
      if (!std::has_single_bit(alignment))
        luaL_error(state, "alignment %d is not a power of 2", static_cast<int>(alignment));
      format.alignment = alignment;
      return;
    }
    default:
      lua_pushfstring(state, "invalid format option '%c'", letter);
      luaL_argerror(state, 1, lua_tostring(state, -1));
  }
}

void add_integer(luaL_Buffer* out, double number, size_t size, bool is_little) {
  // What no 64 bits hold becomes 0 when it is too large, and else the smallest number, as the processor converts it.
  constexpr double kInt64End = 9223372036854775808.0;
  uint64_t value = number >= 2 * kInt64End ? 0 : uint64_t{1} << 63;
  if (number >= 0 && number < 2 * kInt64End) value = static_cast<uint64_t>(number);
  if (number < 0 && number >= -kInt64End) value = static_cast<uint64_t>(static_cast<int64_t>(number));
  char bytes[kIntegerBytesMax];
  for (size_t i = 0; i < size; ++i) {
    const char byte = i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';  // also of a negative number
    bytes[is_little ? i : size - 1 - i] = byte;
  }
  luaL_addlstring(out, bytes, size);
}

template <class Number>
void add_float(luaL_Buffer* out, Number number, bool is_little) {
  char bytes[sizeof(Number)];
  std::memcpy(bytes, &number, sizeof(bytes));
  put_in_order(bytes, sizeof(bytes), is_little);
  luaL_addlstring(out, bytes, sizeof(bytes));
}

int struct_pack(lua_State* state) {
  Format format{luaL_checkstring(state, 1)};
  lua_pushnil(state);  // separates the arguments from what the buffer keeps on the stack
  luaL_Buffer out;
  luaL_buffinit(state, &out);
  size_t total = 0;
  int argument = 2;
  while (*format.at != '\0') {
    const char letter = next_letter(state, format);
    size_t size = item_bytes(state, letter, format);
    for (size_t padding = padding_before(total, size, format, letter); padding > 0; --padding, ++total)
      luaL_addchar(&out, '\0');
    switch (kind_of(letter)) {
      case kIntegerLetter:
        add_integer(&out, luaL_checknumber(state, argument++), size, format.is_little);
        break;
      case 'x':
        luaL_addchar(&out, '\0');
        break;
      case 'f':
        add_float(&out, static_cast<float>(luaL_checknumber(state, argument++)), format.is_little);
        break;
      case 'd':
        add_float(&out, luaL_checknumber(state, argument++), format.is_little);
        break;
      case 'c':
      case 's': {
        size_t length = 0;
        const char* text = luaL_checklstring(state, argument++, &length);
        if (size == 0) size = length;
        luaL_argcheck(state, length >= size, argument, "string too short");
        luaL_addlstring(&out, text, size);
        if (letter == 's') {
          luaL_addchar(&out, '\0');
          ++size;
        }
        break;
      }
      default:
        read_control(state, letter, format);
    }
    total += size;
  }
  luaL_pushresult(&out);
  return 1;
}

double read_integer(const char* bytes, size_t size, bool is_little, bool is_signed) {
  uint64_t value = 0;
  const size_t known = std::min<size_t>(size, 8);
  for (size_t i = 0; i < known; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[is_little ? i : size - 1 - i]);
    value |= uint64_t{byte} << (8 * i);
  }
  if (!is_signed) return static_cast<double>(value);
  if (size < 8 && size > 0 && (value >> (8 * size - 1) & 1)) value |= ~uint64_t{0} << (8 * size);
  return static_cast<double>(static_cast<int64_t>(value));
}

template <class Number>
double read_float(const char* at, bool is_little) {
  char bytes[sizeof(Number)];
  std::memcpy(bytes, at, sizeof(bytes));
  put_in_order(bytes, sizeof(bytes), is_little);
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

// Pushes the item of that letter at `position`; returns its size. `count` values were pushed before it.
size_t unpack_item(lua_State* state, char letter, size_t size, Format& format, Bytes text, size_t position,
                   int& count) {
  const char* at = text.data() + position;
  switch (kind_of(letter)) {
    case kIntegerLetter:
      lua_pushnumber(state, read_integer(at, size, format.is_little, letter >= 'a'));
      break;
    case 'f':
      lua_pushnumber(state, read_float<float>(at, format.is_little));
      break;
    case 'd':
      lua_pushnumber(state, read_float<double>(at, format.is_little));
      break;
    case 'c':
      if (size == 0) {
        if (count == 0 || !lua_isnumber(state, -1)) luaL_error(state, "format 'c0' needs a previous size");
        const double wanted = lua_tonumber(state, -1);
        lua_pop(state, 1);
        --count;
        luaL_argcheck(state, wanted >= 0 && wanted <= static_cast<double>(text.size() - position), 2,
                      "data string too short");
        size = static_cast<size_t>(wanted);
      }
      push_text(state, {at, size});
      break;
    case 's': {
      const size_t length = text.substr(position).find('\0');
      if (length == Bytes::npos) luaL_error(state, "unfinished string in data");
      push_text(state, {at, length});
      size = length + 1;
      break;
    }
    case 'x':
      return size;
    default:
      read_control(state, letter, format);
      return size;
  }
  ++count;
  return size;
}

int struct_unpack(lua_State* state) {
  Format format{luaL_checkstring(state, 1)};
  size_t length = 0;
  const char* data = luaL_checklstring(state, 2, &length);
  const Bytes text(data, length);
  const lua_Integer first = luaL_optinteger(state, 3, 1);
  luaL_argcheck(state, first != 0, 3, "offset must be 1 or greater");
  // Where there is nothing to read, an offset behind the data is none of an error's.
  auto position = static_cast<size_t>(first - 1);
  lua_settop(state, 2);
  int count = 0;
  while (*format.at != '\0') {
    const char letter = next_letter(state, format);
    const size_t size = item_bytes(state, letter, format);
    position += padding_before(position, size, format, letter);
    luaL_argcheck(state, size <= length && position <= length - size, 2, "data string too short");
    luaL_checkstack(state, 2, "too many results");
    position += unpack_item(state, letter, size, format, text, position, count);
  }
  lua_pushinteger(state, static_cast<lua_Integer>(position + 1));
  return count + 1;
}

int struct_size(lua_State* state) {
  Format format{luaL_checkstring(state, 1)};
  size_t total = 0;
  while (*format.at != '\0') {
    const char letter = next_letter(state, format);
    const size_t size = item_bytes(state, letter, format);
    if (letter == 's') luaL_argerror(state, 1, "option 's' has no fixed size");
    if (letter == 'c' && size == 0) luaL_argerror(state, 1, "option 'c0' has no fixed size");
    // A letter that means nothing has no size here; only packing refuses it.
    const bool is_letter = is_digit(letter) || (to_lower(letter) >= 'a' && to_lower(letter) <= 'z');
    if (size == 0 && !is_letter) read_control(state, letter, format);
    total += padding_before(total, size, format, letter) + size;
  }
  lua_pushinteger(state, static_cast<lua_Integer>(total));
  return 1;
}

}  // namespace

void push_struct(lua_State* state) {
  constexpr luaL_Reg kFunctions[] = {{"pack", struct_pack}, {"unpack", struct_unpack}, {"size", struct_size}};
  lua_newtable(state);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(state, function.func);
    lua_setfield(state, -2, function.name);
  }
}

}  // namespace larder
