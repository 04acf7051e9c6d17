#include "server/script/lua_reply.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/assert.h"
#include "base/number_text.h"

namespace larder {
namespace {

// Nested replies and values: far more than any command nests, far less than the stack holds.
constexpr int kReplyNestingMax = 256;

constexpr char kCountedField[] = "ignore_error_stats_update";

// Reads the reply from its front.
class Cursor {
 public:
  Cursor(Bytes text, std::span<const NestedPin> pins)
      : begin_(text.data()),
        at_(text.data()),
        end_(text.data() + text.size()),
        pin_(pins.data()),
        pins_end_(pins.data() + pins.size()) {}

  char type() { return *at_++; }
  Bytes line() {
    const char* begin = at_;
    while (*at_ != '\r') ++at_;
    const Bytes text(begin, static_cast<size_t>(at_ - begin));
    at_ += 2;
    LARDER_ASSERT(at_ <= end_);
    return text;
  }
  int64_t number() {
    const bool negative = *at_ == '-';
    uint64_t value = 0;
    for (at_ += negative; *at_ != '\r'; ++at_) value = value * 10 + static_cast<uint64_t>(*at_ - '0');
    at_ += 2;
    return static_cast<int64_t>(negative ? 0 - value : value);
  }
  Bytes text(size_t size) {
    Bytes bytes(at_, size);
    if (pin_ != pins_end_ && pin_->offset == static_cast<size_t>(at_ - begin_)) [[unlikely]] {
      bytes = pin_++->pinned.bytes();
      LARDER_ASSERT(bytes.size() == size);
      size = 0;
    }
    at_ += size + 2;
    LARDER_ASSERT(at_ <= end_);
    return bytes;
  }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
  const NestedPin* pin_;  // the next one
  const NestedPin* pins_end_;
};

void push_item(lua_State* state, Cursor& cursor);

// Room for a container and one of its elements, which takes no more unless it is a container itself.
void check_stack(lua_State* state) { luaL_checkstack(state, 10, "the reply nests too deeply"); }

void set_text(lua_State* state, const char* name, Bytes text) {
  lua_pushstring(state, name);
  push_text(state, text);
  lua_rawset(state, -3);
}

// {name=text}, with room for `fields`.
void push_named(lua_State* state, const char* name, Bytes text, int fields = 1) {
  lua_createtable(state, 0, fields);
  set_text(state, name, text);
}

void push_array(lua_State* state, Cursor& cursor) {
  const int64_t count = cursor.number();
  if (count < 0) return lua_pushboolean(state, 0);
  check_stack(state);
  lua_createtable(state, static_cast<int>(count), 0);
  LuaRuntime& runtime = LuaRuntime::of(state);
  for (int64_t i = 1; i <= count; ++i) {
    runtime.count_step(state);
    push_item(state, cursor);
    lua_rawseti(state, -2, static_cast<int>(i));
  }
}

// {map={...}} or {set={member=true}}
void push_keyed(lua_State* state, Cursor& cursor, const char* name, bool has_values) {
  const int64_t count = cursor.number();
  check_stack(state);
  lua_createtable(state, 0, 1);
  lua_pushstring(state, name);
  lua_createtable(state, 0, static_cast<int>(count));
  LuaRuntime& runtime = LuaRuntime::of(state);
  for (int64_t i = 0; i < count; ++i) {
    runtime.count_step(state);
    push_item(state, cursor);
    if (has_values) {
      push_item(state, cursor);
    } else {
      lua_pushboolean(state, 1);
    }
    lua_rawset(state, -3);
  }
  lua_rawset(state, -3);
}

void push_verbatim(lua_State* state, Bytes text) {
  lua_createtable(state, 0, 1);
  lua_pushliteral(state, "verbatim_string");
  lua_createtable(state, 0, 2);
  set_text(state, "format", text.substr(0, 3));
  set_text(state, "string", text.substr(4));
  lua_rawset(state, -3);
}

void push_double(lua_State* state, Bytes text) {
  lua_createtable(state, 0, 1);
  lua_pushliteral(state, "double");
  lua_pushnumber(state, parse_double(text, NanText::kAccept).value_or(0));
  lua_rawset(state, -3);
}

// Depth is bounded by what commands nest.
void push_item(lua_State* state, Cursor& cursor) {
  switch (cursor.type()) {
    case '+':
      return push_named(state, "ok", cursor.line());
    case '-':
      return push_counted_error(state, cursor.line());
    case ':':
      return lua_pushnumber(state, static_cast<double>(cursor.number()));
    case '$': {
      const int64_t size = cursor.number();
      return size < 0 ? lua_pushboolean(state, 0) : push_text(state, cursor.text(static_cast<size_t>(size)));
    }
    case '*':
    case '>':
      return push_array(state, cursor);
    case '%':
      return push_keyed(state, cursor, "map", true);
    case '~':
      return push_keyed(state, cursor, "set", false);
    case '_':
      cursor.line();
      return lua_pushnil(state);
    case '#':
      return lua_pushboolean(state, cursor.line() == "t");
    case ',':
      return push_double(state, cursor.line());
    case '(':
      return push_named(state, "big_number", cursor.line());
    case '=': {
      const int64_t size = cursor.number();
      return push_verbatim(state, cursor.text(static_cast<size_t>(size)));
    }
    default:
      LARDER_UNREACHABLE();
  }
}

// ---- Lua to reply

// Names that give a table a meaning, at fixed places of the stack while a value is written.
enum FieldName : int { kErr, kOk, kDouble, kMap, kSet, kBigNumber, kVerbatim, kFieldNames };

struct ReplyOutput {
  LuaRuntime& runtime;
  lua_State* state;
  ReplyWriter& reply;
  bool resp3_booleans;
  ServerStats& stats;
  size_t begin;   // where a table's reply begins in its buffer
  int names = 0;  // stack index of the first field name
};

void write_value(const ReplyOutput& out, int depth);

// Before so many bytes more.
void admit(const ReplyOutput& out, size_t bytes) {
  out.runtime.count_step(out.state);
  if (out.reply.position() - out.begin + bytes > out.runtime.heap().bytes_max()) [[unlikely]]
    out.runtime.run_out_of_memory(out.state);
}

Bytes text_at_top(lua_State* state) {
  size_t size = 0;
  const char* text = lua_tolstring(state, -1, &size);
  return {text, size};
}

// Pushes the field of the table at the top.
int push_field(const ReplyOutput& out, FieldName name) {
  lua_pushvalue(out.state, out.names + name);
  lua_rawget(out.state, -2);
  return lua_type(out.state, -1);
}

void write_keyed(const ReplyOutput& out, bool is_map, int depth) {
  lua_State* state = out.state;
  const ReplyWriter::Mark mark = out.reply.begin_deferred();
  size_t count = 0;
  lua_pushnil(state);
  while (lua_next(state, -2)) {
    admit(out, 0);
    lua_pushvalue(state, -2);
    write_value(out, depth + 1);
    if (is_map) {
      write_value(out, depth + 1);
    } else {
      lua_pop(state, 1);
    }
    ++count;
  }
  is_map ? out.reply.end_deferred_map(mark, count) : out.reply.end_deferred_set(mark, count);
}

// A verbatim string's table {format=, string=} is at the top.
bool write_verbatim(const ReplyOutput& out) {
  lua_State* state = out.state;
  lua_getfield(state, -1, "string");
  lua_getfield(state, -2, "format");
  const bool is_text = lua_type(state, -1) == LUA_TSTRING && lua_type(state, -2) == LUA_TSTRING;
  if (is_text) {
    char padded[] = "   ";
    const Bytes format = text_at_top(state).substr(0, 3);
    std::copy(format.begin(), format.end(), padded);
    size_t size = 0;
    const char* text = lua_tolstring(state, -2, &size);
    admit(out, size);
    out.reply.verbatim(Bytes(padded, 3), {text, size});
  }
  lua_pop(state, 2);
  return is_text;
}

void write_error(const ReplyOutput& out, Bytes text, bool is_counted) {
  const size_t begin = out.reply.position();
  out.reply.error(text);
  if (!is_counted) out.stats.count_error(out.reply.buffer().bytes().substr(begin));
}

// Tables with one of the special fields. True when the value (the field, at the top of the table) was written.
bool write_special(const ReplyOutput& out, int depth) {
  lua_State* state = out.state;
  for (int i = 0; i < kFieldNames; ++i) {
    const auto name = static_cast<FieldName>(i);
    const int type = push_field(out, name);
    bool written = false;
    if (type == LUA_TSTRING) {
      written = name == kErr || name == kOk || name == kBigNumber;
      const Bytes text = text_at_top(state);
      if (written) admit(out, text.size());
      if (name == kErr) write_error(out, text, is_counted_error(state, -2));
      if (name == kOk) out.reply.simple_line(text);
      if (name == kBigNumber) out.reply.big_number(text);
    } else if (name == kDouble && type == LUA_TNUMBER) {
      out.reply.double_value(lua_tonumber(state, -1));
      written = true;
    } else if ((name == kMap || name == kSet) && type == LUA_TTABLE) {
      write_keyed(out, name == kMap, depth);
      written = true;
    } else if (name == kVerbatim && type == LUA_TTABLE) {
      written = write_verbatim(out);
    }
    lua_pop(state, 1);
    if (written) return true;
  }
  return false;
}

void write_array(const ReplyOutput& out, int depth) {
  lua_State* state = out.state;
  const ReplyWriter::Mark mark = out.reply.begin_deferred(lua_objlen(state, -1));
  size_t count = 0;
  for (int i = 1;; ++i) {
    lua_rawgeti(state, -1, i);
    if (lua_isnil(state, -1)) break;
    admit(out, 0);
    write_value(out, depth + 1);
    ++count;
  }
  lua_pop(state, 1);
  out.reply.end_deferred_array(mark, count);
}

int64_t cut_to_integer(double number) {
  if (std::isnan(number)) return INT64_MIN;
  if (number >= 9223372036854775808.0) return INT64_MIN;  // as the processor's conversion gives it
  if (number < -9223372036854775808.0) return INT64_MIN;
  return static_cast<int64_t>(number);
}

// Writes and pops the value at the top.
void write_value(const ReplyOutput& out, int depth) {
  lua_State* state = out.state;
  switch (lua_type(state, -1)) {
    case LUA_TSTRING: {
      const Bytes text = text_at_top(state);
      if (depth > 0) admit(out, text.size());  // what is returned alone is in Lua's memory as well
      out.reply.bulk(text);
      break;
    }
    case LUA_TNUMBER:
      out.reply.integer(cut_to_integer(lua_tonumber(state, -1)));
      break;
    case LUA_TBOOLEAN: {
      const bool value = lua_toboolean(state, -1) != 0;
      if (out.resp3_booleans) {
        out.reply.boolean(value);
      } else if (value) {
        out.reply.integer(1);
      } else {
        out.reply.null();
      }
      break;
    }
    case LUA_TTABLE:
      if (depth > kReplyNestingMax || !lua_checkstack(state, 6)) {
        write_error(out, "ERR reached lua stack limit", false);
      } else if (!write_special(out, depth)) {
        write_array(out, depth);
      }
      break;
    default:
      out.reply.null();
  }
  lua_pop(state, 1);
}

}  // namespace

void push_reply(lua_State* state, Bytes reply, std::span<const NestedPin> pins) {
  Cursor cursor(reply, pins);
  push_item(state, cursor);
}

void push_error_table(lua_State* state, Bytes text) { push_named(state, "err", text); }

void push_counted_error(lua_State* state, Bytes text) {
  push_named(state, "err", text, 2);
  lua_pushstring(state, kCountedField);
  lua_pushboolean(state, 1);
  lua_rawset(state, -3);
}

bool is_counted_error(lua_State* state, int index) {
  lua_pushvalue(state, index);
  lua_pushstring(state, kCountedField);
  lua_rawget(state, -2);
  const bool is_counted = lua_isboolean(state, -1) && lua_toboolean(state, -1);
  lua_pop(state, 2);
  return is_counted;
}

void write_lua_value(LuaRuntime& runtime, lua_State* state, ReplyWriter& reply, bool resp3_booleans,
                     ServerStats& stats) {
  if (!lua_istable(state, -1)) return write_value({runtime, state, reply, resp3_booleans, stats, 0}, 0);
  luaL_checkstack(state, kFieldNames + 8, "the script's stack is full");
  constexpr const char* kNames[kFieldNames] = {"err", "ok", "double", "map", "set", "big_number", "verbatim_string"};
  const int names = lua_gettop(state) + 1;
  for (const char* name : kNames) lua_pushstring(state, name);
  lua_pushvalue(state, names - 1);
  write_value({runtime, state, reply, resp3_booleans, stats, reply.position(), names}, 0);
  lua_settop(state, names - 2);
}

size_t write_lua_number(char* out, double number) {
  // Whole numbers below 10^17 have all their digits in %.17g.
  constexpr double kPlainMax = 1e17;
  if (number > -kPlainMax && number < kPlainMax && number == static_cast<double>(static_cast<int64_t>(number)) &&
      !(number == 0 && std::signbit(number))) {
    return write_int64(out, static_cast<int64_t>(number));
  }
  return static_cast<size_t>(std::snprintf(out, kLuaNumberBytesMax, "%.17g", number));
}

}  // namespace larder
