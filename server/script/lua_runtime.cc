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

// As tostring() writes what is no table.
void push_text_of(lua_State* state, int index) {
  switch (lua_type(state, index)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
      return lua_pushvalue(state, index);
    case LUA_TNIL:
      return lua_pushliteral(state, "nil");
    case LUA_TBOOLEAN:
      return lua_pushstring(state, lua_toboolean(state, index) ? "true" : "false");
    default:
      break;
  }
  const void* address = lua_topointer(state, index);
  if (address == nullptr) return lua_pushliteral(state, "userdata: (nil)");  // cjson.null
  lua_pushfstring(state, "%s: %p", luaL_typename(state, index), address);
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
  seldom_ = true;
  lua_gc(state_, LUA_GCSETPAUSE, kSmallPausePercent);
  heap_.watch_growth(small_bytes_max);
}

void LuaRuntime::set_bytes_max(size_t bytes_max) {
  const bool is_less = bytes_max < heap_.bytes_max();
  heap_.set_bytes_max(bytes_max);
  if (!is_less) return;
  // The next collection was planned with the former limit: it begins now.
  watch_crowding(live_bytes_);
  lua_gc(state_, LUA_GCSETPAUSE, kPausePercent);
  lua_gc(state_, LUA_GCRESTART, 0);
}

// Inside of an allocation: it only sets numbers, and the hook as the timer does.
void LuaRuntime::on_growth(void* runtime) {
  auto& self = *static_cast<LuaRuntime*>(runtime);
  if (self.seldom_) {
    lua_gc(self.state_, LUA_GCSETPAUSE, kPausePercent);
    self.watch_crowding(self.live_bytes_);
    if (self.heap_.used_bytes() <= self.paced_at_bytes_) return;
  }
  if (!self.running_) return;
  self.crowded_ = true;
  self.seen_running_ = true;  // so that end() clears the hook
  if (!self.ending_) self.set_hook(on_hook, LUA_MASKCOUNT);
}

size_t LuaRuntime::tidied_at_bytes() const {
  const size_t live = std::min(live_bytes_, heap_.bytes_max());
  return std::min(std::max(kKeptBytesMax, 2 * live), live + (heap_.bytes_max() - live) / 8 * 3);
}

// A state that is nearly full of what lives is not searched again and again.
void LuaRuntime::watch_crowding(size_t live_bytes) {
  seldom_ = false;
  const size_t bytes_max = heap_.bytes_max();
  const bool is_full = live_bytes > bytes_max - bytes_max / kSearchedRoomPart;
  paced_at_bytes_ = is_full ? SIZE_MAX : std::midpoint(live_bytes, bytes_max);
  heap_.watch_growth(paced_at_bytes_);
}

// Calls between here and there, and the steps of the collector within them, find the limit farther away than their garbage:
// a state whose values are half of the limit would be refused memory before Lua's own pace had it collect.
void LuaRuntime::plan_collections() {
  rounds_ = 0;
  is_cleaning_ = false;
  const size_t used_bytes = heap_.used_bytes();
  watch_crowding(used_bytes);
  const size_t percent = paced_at_bytes_ / std::max<size_t>(used_bytes / 100, 1);
  lua_gc(state_, LUA_GCSETPAUSE, static_cast<int>(std::min<size_t>(percent, kPausePercent)));
  lua_gc(state_, LUA_GCRESTART, -1);  // from what is in use, at the new pace
}

// The object that expect_round() made was found dead: the round is over.
int LuaRuntime::on_round_over(lua_State* state) {
  LuaRuntime& self = of(state);
  self.expects_round_ = false;
  if (self.rounds_ > 0) --self.rounds_;
  return 0;
}

void LuaRuntime::expect_round(lua_State* state) {
  constexpr size_t kBytesOfStep = 128;  // a step looks at some 2,000 bytes, or sweeps 200 objects
  lua_newuserdata(state, 1);
  lua_createtable(state, 0, 1);
  lua_pushcfunction(state, on_round_over);
  lua_setfield(state, -2, "__gc");
  lua_setmetatable(state, -2);
  lua_pop(state, 1);
  expects_round_ = true;
  round_steps_max_ = heap_.used_bytes() / kBytesOfStep + 1000;
}

// LUA_GCSTEP would work off at once what the collector is behind with, and that may be a whole round: each step is that of
// an allocation. Nothing tells then that a round is over, but the finalizer of an object that nobody holds. It may be lost: a
// call that has no stack left for it is told so in its place.
void LuaRuntime::clean_step(lua_State* state) {
  if (!expects_round_) expect_round(state);
  if (round_steps_max_-- == 0) {
    expects_round_ = false;
    rounds_ = 0;
    return;
  }
  lua_gc(state, LUA_GCRESTART, 0);  // the next allocation makes a step
  lua_pushliteral(state, "");
  lua_pop(state, 1);
}

// The share of a round that is due for what was taken since the last one, so that the round is over when half of what is
// free now is taken. What the call still holds is found alive: how much lives between calls is not known behind this.
void LuaRuntime::collect_some(lua_State* state) {
  constexpr double kRoundBytesOfStep = 1500;
  constexpr size_t kStepsMin = 16;
  constexpr size_t kShares = 256;
  const auto used = static_cast<double>(heap_.used_bytes());
  const auto room = static_cast<double>(heap_.room_bytes());
  const double growth = used - static_cast<double>(std::min(paced_at_bytes_, heap_.used_bytes()));
  const double steps = used / kRoundBytesOfStep * growth / (room / 2 + 1);
  if (rounds_ == 0) rounds_ = 1;
  for (size_t step = 0; rounds_ > 0 && (step < kStepsMin || static_cast<double>(step) < steps); ++step) {
    clean_step(state);
    count_step(state);
  }
  if (rounds_ == 0) return plan_collections();
  paced_at_bytes_ = heap_.used_bytes();
  heap_.watch_growth(paced_at_bytes_ + heap_.room_bytes() / kShares);
}

void LuaRuntime::collect(lua_State* state) {
  rounds_ = kRounds;
  while (rounds_ > 0) {
    clean_step(state);
    count_step(state);
  }
  plan_collections();
}

bool LuaRuntime::begin_cleaning() {
  if (heap_.room_bytes() < heap_.bytes_max() / kLeastRoomPart) return clean_at_once();
  // A round that a call has begun found alive what that call held.
  if (!is_cleaning_) rounds_ = kRounds;
  is_cleaning_ = true;
  return true;
}

bool LuaRuntime::end_cleaning() {
  live_bytes_ = heap_.used_bytes();
  plan_collections();
  return leaves_room(live_bytes_);
}

bool LuaRuntime::clean_at_once() {
  const size_t bytes_max = heap_.bytes_max();
  heap_.set_bytes_max(SIZE_MAX);  // the collector may move tables of its own, and nobody would catch its error
  lua_gc(state_, LUA_GCCOLLECT, 0);
  heap_.set_bytes_max(bytes_max);
  expects_round_ = false;
  return end_cleaning();
}

int LuaRuntime::clean_protected(lua_State* state) {
  LuaRuntime& self = of(state);
  for (int step = 0; step < kStepsPerPiece && self.rounds_ > 0; ++step) self.clean_step(state);
  return 0;
}

bool LuaRuntime::clean_some() {
  LARDER_ASSERT(is_cleaning() && depth_ == 0);
  const size_t bytes_max = heap_.bytes_max();
  heap_.set_bytes_max(SIZE_MAX);  // the few bytes of this are not the script's
  const int status = lua_cpcall(state_, clean_protected, nullptr);
  heap_.set_bytes_max(bytes_max);
  if (status != 0) {
    lua_settop(state_, kHandlerSlot);
    return clean_at_once();
  }
  if (rounds_ > 0) return true;
  // What calls have left meanwhile may be garbage: before the state is given up, one look at all of it.
  return end_cleaning() || clean_at_once();
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
  constexpr int kLevelsMax = 4;  // of functions of C that call each other
  for (int level = 1; level <= kLevelsMax && lua_getstack(state, level, &activation); ++level) {
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
    push_text_of(state, 1);
    runtime.error_.text = "ERR ";
    runtime.error_.text += lua_tostring(state, -1);
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
  if (!seldom_) [[unlikely]]
    collect_seldom();
  if (!seen_running_) return;
  set_hook(nullptr, 0);
  due_ = false;
  ending_ = false;
  if (!crowded_) return;
  // Its last instruction did that: the next call sees to it.
  crowded_ = false;
  if (!seldom_) heap_.watch_growth(heap_.used_bytes());
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
    if (!heap_.exhausted()) error_.text += ", of which one piece may have " + std::to_string(heap_.piece_bytes_max());
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

void LuaRuntime::on_hook(lua_State* state, lua_Debug*) {
  LuaRuntime& self = of(state);
  if (!self.due_) self.set_hook(nullptr, 0);
  if (self.crowded_ && !self.ending_) {
    self.crowded_ = false;
    self.collect_some(state);
  }
  if (self.due_) self.look(state);
}

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
