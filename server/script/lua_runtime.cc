#include "server/script/lua_runtime.h"

#include <algorithm>
#include <numeric>

#include "base/assert.h"
#include "server/script/lua_reply.h"
#include "server/script/lua_sandbox.h"

namespace larder {
namespace {

int open_state(lua_State* state) {
  open_sandbox(state);
  return 0;
}

}  // namespace

LuaRuntime::LuaRuntime(ScriptListener& listener, size_t bytes_max, uint64_t random_seed)
    : listener_(listener),
      heap_(bytes_max),
      random_state_(random_seed & ((uint64_t{1} << 48) - 1)),
      timer_(kTimerIntervalUs, on_timer, this) {
  heap_.owner = this;
  heap_.on_growth = on_growth;
  state_ = lua_newstate(LuaHeap::allocate, &heap_);
  LARDER_ASSERT(state_ != nullptr);
  lua_atpanic(state_, on_panic);
  LARDER_ASSERT(lua_cpcall(state_, open_state, nullptr) == 0);
  lua_settop(state_, 0);
  lua_pushcfunction(state_, handle_error);
  collect_seldom();
}

void LuaRuntime::collect_seldom() {
  const size_t small_bytes_max = std::min(kSmallBytesMax, heap_.bytes_max() / (2 * kSmallPausePercent / 100));
  if (heap_.used_bytes() > small_bytes_max) return;
  lua_gc(state_, LUA_GCSETPAUSE, kSmallPausePercent);
  heap_.watch_growth(small_bytes_max);
}

void LuaRuntime::set_bytes_max(size_t bytes_max) {
  const bool is_less = bytes_max < heap_.bytes_max();
  heap_.set_bytes_max(bytes_max);
  if (!is_less) return;
  // The next collection was planned with the former limit: it begins now.
  heap_.watch_growth(SIZE_MAX);
  lua_gc(state_, LUA_GCSETPAUSE, kPausePercent);
  lua_gc(state_, LUA_GCRESTART, 0);
}

// Inside of an allocation: it only sets a number.
void LuaRuntime::on_growth(void* runtime) {
  lua_gc(static_cast<LuaRuntime*>(runtime)->state_, LUA_GCSETPAUSE, kPausePercent);
}

size_t LuaRuntime::tidied_at_bytes() const {
  const size_t live = std::min(live_bytes_, heap_.bytes_max());
  return std::min(std::max(kKeptBytesMax, 2 * live), std::midpoint(live, heap_.bytes_max()));
}

// Calls between here and there, and the steps of the collector within them, find the limit farther away than their garbage:
// a state whose values are half of the limit would be refused memory before Lua's own pace had it collect.
bool LuaRuntime::collect_large() {
  lua_gc(state_, LUA_GCCOLLECT, 0);
  live_bytes_ = heap_.used_bytes();
  const size_t percent = tidied_at_bytes() * 100 / std::max<size_t>(live_bytes_, 1);
  lua_gc(state_, LUA_GCSETPAUSE, static_cast<int>(std::min<size_t>(percent, kPausePercent)));
  lua_gc(state_, LUA_GCRESTART, -1);  // from what lives, at the new pace
  return live_bytes_ <= heap_.bytes_max() - heap_.bytes_max() / kRoomPart;
}

// The heap gives the memory back as a whole; no object of ours in the state needs a finalizer.
LuaRuntime::~LuaRuntime() { LARDER_ASSERT(depth_ == 0); }

LuaRuntime& LuaRuntime::of(lua_State* state) {
  void* heap = nullptr;
  lua_getallocf(state, &heap);
  return *static_cast<LuaRuntime*>(static_cast<LuaHeap*>(heap)->owner);
}

int LuaRuntime::on_panic(lua_State*) { LARDER_UNREACHABLE(); }

int LuaRuntime::load_and_keep(lua_State* state) {
  auto& loading = *static_cast<Loading*>(lua_touserdata(state, 1));
  if (load_text(state, loading.source, loading.name) != 0) return lua_error(state);
  loading.reference = luaL_ref(state, LUA_REGISTRYINDEX);
  return 0;
}

LoadedChunk LuaRuntime::load(Bytes source, const char* chunk_name) {
  Loading loading{source, chunk_name, LUA_NOREF};
  begin();
  const int status = lua_cpcall(state_, load_and_keep, &loading);
  const bool was_ended = ending_;
  end();
  LoadedChunk chunk;
  chunk.reference = loading.reference;
  if (status == 0) return chunk;
  const char* text = lua_type(state_, -1) == LUA_TSTRING ? lua_tostring(state_, -1) : nullptr;
  chunk.error = was_ended ? why_ : text != nullptr ? text : "not enough memory";
  lua_pop(state_, 1);
  return chunk;
}

// Turns what was raised into a text and notes where it came from: the innermost Lua function. Runs before the stack is
// unwound, inside Lua: no object of ours may be alive when it allocates in the state.
int LuaRuntime::handle_error(lua_State* state) {
  LuaRuntime& runtime = of(state);
  runtime.error_ = ScriptError();
  lua_settop(state, 1);
  bool has_code = false;
  if (lua_istable(state, 1)) {
    lua_pushliteral(state, "err");
    lua_rawget(state, 1);
    has_code = lua_isstring(state, -1) != 0;
  }
  lua_Debug activation;
  for (int level = 1; level <= 2 && lua_getstack(state, level, &activation); ++level) {
    lua_getinfo(state, "Sl", &activation);
    if (activation.currentline <= 0) continue;
    runtime.error_.source = activation.source;
    runtime.error_.line = activation.currentline;
    break;
  }
  runtime.error_.has_code = has_code;
  if (has_code) {
    size_t size = 0;
    const char* text = lua_tolstring(state, -1, &size);
    runtime.error_.text.assign(text, size);
    runtime.error_.is_counted = is_counted_error(state, 1);
  } else if (lua_istable(state, 1)) {
    runtime.error_.text = "ERR unknown error";
  } else {
    const char* text = lua_tostring(state, 1);
    runtime.error_.text = "ERR ";
    runtime.error_.text += text != nullptr ? text : luaL_typename(state, 1);
  }
  runtime.has_error_ = true;
  return 1;
}

void LuaRuntime::begin() {
  // The slot of the handler is one of the outermost frame.
  LARDER_ASSERT(depth_ == 0);
  has_error_ = false;
  running_ = true;
  seen_running_ = false;
  nesting_ = 0;
  ++depth_;
}

void LuaRuntime::end() {
  --depth_;
  running_ = false;
  if (!heap_.watches_growth()) [[unlikely]]
    collect_seldom();
  if (!seen_running_) return;
  set_hook(nullptr, 0);
  due_ = false;
  ending_ = false;
}

bool LuaRuntime::call(int argument_count, int result_count) {
  begin();
  const int status = lua_pcall(state_, argument_count, result_count, kHandlerSlot);
  end();
  return finish(status);
}

bool LuaRuntime::run(lua_CFunction function, void* argument) {
  argument_ = argument;
  lua_pushcfunction(state_, function);
  return call(0, 0);
}

bool LuaRuntime::run_entry(void* argument) {
  argument_ = argument;
  push(entry_);
  return call(0, 0);
}

bool LuaRuntime::finish(int status) {
  if (status == 0) return true;
  if (status == LUA_ERRMEM) {
    error_ = {
        "ERR the script ran out of memory: script-memory-limit is " + std::to_string(heap_.bytes_max()) + " bytes", "",
        0, true};
  } else if (!has_error_) {
    error_ = {"ERR stack overflow", "", 0, false};  // the handler had no room left
  }
  lua_pop(state_, 1);
  return false;
}

void LuaRuntime::run_out_of_memory(lua_State* state) {
  heap_.refuse_next();
  lua_newuserdata(state, 1);
  LARDER_UNREACHABLE();
}

// In a signal handler, on the thread that runs the script. lua_sethook() may be called there.
void LuaRuntime::on_timer(void* runtime) {
  auto& self = *static_cast<LuaRuntime*>(runtime);
  if (!self.running_) return;
  if (!self.seen_running_) {
    self.seen_running_ = true;
    return;
  }
  self.due_ = true;
  if (!self.setting_hook_ && !self.ending_) lua_sethook(self.state_, on_hook, LUA_MASKCOUNT, 1);
}

// Not while the signal handler does the same: it leaves it to the next tick then.
void LuaRuntime::set_hook(lua_Hook hook, int mask) {
  setting_hook_ = true;
  lua_sethook(state_, hook, mask, 1);
  setting_hook_ = false;
}

void LuaRuntime::on_hook(lua_State* state, lua_Debug*) { of(state).look(state); }

void LuaRuntime::look(lua_State* state) {
  if (!ending_) {
    due_ = false;
    set_hook(nullptr, 0);
  }
  if (!ending_ && !listener_.interrupts(&why_)) return;
  ending_ = true;
  due_ = true;
  set_hook(on_hook, LUA_MASKLINE | LUA_MASKCOUNT);
  lua_newtable(state);
  lua_pushliteral(state, "err");
  lua_pushstring(state, why_);
  lua_rawset(state, -3);
  lua_error(state);
}

}  // namespace larder
