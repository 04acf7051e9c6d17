#pragma once

// One sandboxed Lua state with its memory, and the protected calls into it.
//
//   LuaRuntime runtime(settings, listener, seed);
//   LoadedChunk chunk = runtime.load(source, "@user_script");       compiled once, kept in the registry
//   runtime.push(chunk.reference); ... push arguments ...
//   if (!runtime.call(argument_count, result_count)) report(runtime.error());
//
// A running script is interrupted without cost for those that end soon: a timer of processor time (CpuTimer) looks every
// few milliseconds whether the same call is still running, and then sets a hook on the very next instruction, each time
// anew: it asks the listener, which may raise an error, and is gone until the next tick. (A hook every so many instructions
// would come too late where each of them is a call that takes a tenth of a second.) Once the listener has raised its error,
// the hook fires at every line, so that a script cannot catch its own end with pcall, nor with xpcall, whose handler is not
// called then. Our own long loops (patterns, table.insert) ask through count_step().
//
// Nothing in LuaJIT bounds the C stack: a function of C that calls Lua, and each coroutine that resumes another, nest on it.
// All of them are ours, and count themselves with enter(), as Lua 5.1 does. An error takes away any number of them: those that
// catch errors set the count back to what it was when they entered.
//
// Garbage is LuaJIT's to collect, in steps of 2 KB behind allocations of whatever size: a loop that makes texts of megabytes
// would meet the limit before one round of the collector is over. So the heap tells when half of what was free is taken, and
// from then on the same hook collects between two instructions, a share of a round for each share of memory. Our functions
// that allocate much collect before what would not fit (reserve()). A state that lasts is cleaned between calls, piece by
// piece (clean_some()).
//
// No object with a destructor lives in a function that Lua's errors can leave: they unwind without running it.

#include <lua.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/os_cpu_timer.h"
#include "server/script/lua_heap.h"

namespace larder {

// Texts from here on are worth asking whether there is room for them.
inline constexpr size_t kLargeTextBytes = 4096;

// Asked while a script runs for long.
class ScriptListener {
 public:
  virtual ~ScriptListener() = default;
  // True: the script is to end; `why` is then the text of its error.
  virtual bool interrupts(const char** why) = 0;
};

struct LoadedChunk {
  int reference = LUA_NOREF;
  std::string error;  // not empty: the source does not compile
};

// What went wrong in the last call.
struct ScriptError {
  std::string text;    // with its code word: "ERR ..."
  std::string source;  // "@user_script"; empty when it is not known where
  int line = 0;
  bool has_code = false;    // it was raised as {err=...}: the text is complete as it is
  bool is_counted = false;  // in the statistics: see push_counted_error()
};

class LuaRuntime {
 public:
  // The listener outlives the runtime. Makes the state.
  LuaRuntime(ScriptListener& listener, size_t bytes_max, uint64_t random_seed);
  ~LuaRuntime();
  LuaRuntime(const LuaRuntime&) = delete;
  LuaRuntime& operator=(const LuaRuntime&) = delete;

  static LuaRuntime& of(lua_State* state);

  lua_State* state() { return state_; }
  const LuaHeap& heap() const { return heap_; }
  void set_bytes_max(size_t bytes_max);
  // Between calls, for a state in which nothing outlives a call: it refused memory, or grew large, garbage or not. To drop
  // it takes less time than to clean it.
  bool is_spent() const { return heap_.exhausted() || heap_.used_bytes() > kKeptBytesMax; }
  // Between calls, for a state that is to last: where there may be much garbage, a cleaning begins. False: the state is no
  // good any more, because it refused memory, or because what lives leaves too little of it.
  [[nodiscard]] bool tidy() {
    return !heap_.exhausted() && (heap_.used_bytes() <= tidied_at_bytes() || begin_cleaning());
  }
  bool is_cleaning() const { return is_cleaning_; }
  // One small piece of a cleaning; between calls. False: as tidy(). Requires: is_cleaning().
  [[nodiscard]] bool clean_some();

  // Asks the listener meanwhile, as a call does.
  LoadedChunk load(Bytes source, const char* chunk_name);
  void release(int reference) { luaL_unref(state_, LUA_REGISTRYINDEX, reference); }
  void push(int reference) { lua_rawgeti(state_, LUA_REGISTRYINDEX, reference); }

  // Calls the function below `argument_count` arguments. False: error() says why, and nothing is left of call and results.
  [[nodiscard]] bool call(int argument_count, int result_count);
  const ScriptError& error() const { return error_; }
  // Runs `function`, which finds `argument` with argument(): for preparing things that may run out of memory.
  [[nodiscard]] bool run(lua_CFunction function, void* argument);
  // What a server runs for each call is kept as a closure, which spares making one every time: `closure` is popped from
  // the stack of `state`, in a function that run() called. Once.
  void keep_entry(lua_State* state) { entry_ = luaL_ref(state, LUA_REGISTRYINDEX); }
  [[nodiscard]] bool run_entry(void* argument);
  static void* argument(lua_State* state) { return of(state).argument_; }

  // For loops in C++ that a script can make long. May not return.
  void count_step(lua_State* state) {
    if (due_) [[unlikely]]
      look(state);
  }
  // Before an allocation of so many bytes in a function of ours: collects when they would not fit, and has them taken as one
  // piece. May not return.
  void reserve(lua_State* state, size_t bytes) {
    if (bytes > heap_.room_bytes() && bytes <= heap_.bytes_max()) [[unlikely]]
      collect(state);
    heap_.expect_piece(bytes);
  }
  // A whole collection: of what was alive when the present round began, and of what died since. Asks the listener.
  void collect(lua_State* state);
  // Ends the call as one that Lua has refused memory.
  [[noreturn]] void run_out_of_memory(lua_State* state);
  // For functions of C that call Lua, around the call. enter() returns what leave() wants, or raises an error when they nest
  // too deeply. Behind an error, a leave() further out does for all.
  int enter(lua_State* state) {
    if (!may_enter()) [[unlikely]]
      luaL_error(state, "%s", kNestingText);
    return nesting_++;
  }
  void leave(int nesting) { nesting_ = nesting; }
  bool may_enter() const { return nesting_ < kNestingMax; }
  static constexpr char kNestingText[] = "C stack overflow";
  // Whether the listener has ended the call.
  bool is_ending() const { return ending_; }
  uint64_t& random_state() { return random_state_; }

 private:
  static constexpr size_t kKeptBytesMax = 64 * 1024 * 1024;
  static constexpr size_t kRoomPart = 8;           // the part of the memory that is to remain for calls
  static constexpr size_t kSearchedRoomPart = 32;  // with less than that, calls look for garbage no more
  static constexpr size_t kLeastRoomPart = 256;    // with less than that, no call is begun
  // A step of LuaJIT's collector looks at some 2 KB, but at one table as a whole: eight of them take tens of microseconds.
  static constexpr int kStepsPerPiece = 8;
  // What died while a round was under way is found by the next.
  static constexpr int kRounds = 2;
  // The collector begins again when so many percent of what lived last time are in use. Each round looks at all objects of
  // the libraries for the few that short calls leave behind, so in a small state it comes late.
  static constexpr int kPausePercent = 200;
  static constexpr int kSmallPausePercent = 800;
  static constexpr size_t kSmallBytesMax = 2 * 1024 * 1024;
  static constexpr int64_t kTimerIntervalUs = 5000;
  // Lua 5.1's LUAI_MAXCCALLS. A gsub, the deepest, takes 1 KB.
  static constexpr int kNestingMax = 200;
  static constexpr int kHandlerSlot = 1;  // handle_error() is at the bottom of the stack as long as the state lives

  struct Loading {
    Bytes source;
    const char* name;
    int reference;
  };

  static int load_and_keep(lua_State* state);
  static int handle_error(lua_State* state);
  static void on_timer(void* runtime);
  static void on_hook(lua_State* state, lua_Debug* activation);
  static int on_panic(lua_State* state);
  void look(lua_State* state);
  void set_hook(lua_Hook hook, int mask);
  // As long as the state is small, also beside its limit.
  void collect_seldom();
  // When so much is in use, garbage is looked for between calls: twice of what lived last time, but three eighths of the way
  // to the limit at most. Half of the way, a call does so itself.
  size_t tidied_at_bytes() const;
  void watch_crowding(size_t live_bytes);
  // Behind a collection: when the next one is due.
  void plan_collections();
  bool leaves_room(size_t live_bytes) const { return live_bytes <= heap_.bytes_max() - heap_.bytes_max() / kRoomPart; }
  void expect_round(lua_State* state);
  static int on_round_over(lua_State* state);
  // A step of a round that is wanted. May raise an error, as allocations do.
  void clean_step(lua_State* state);
  // In the middle of a call.
  void collect_some(lua_State* state);
  // All three return whether what lives leaves enough room.
  bool begin_cleaning();
  bool end_cleaning();
  bool clean_at_once();
  static int clean_protected(lua_State* state);
  static void on_growth(void* runtime);
  void begin();
  void end();
  bool finish(int status);

  ScriptListener& listener_;
  LuaHeap heap_;
  size_t live_bytes_ = 0;      // between calls, as the last cleaning found it
  bool seldom_ = false;        // the collector is set as for a small state
  size_t paced_at_bytes_ = 0;  // in use when a call looked for garbage last, or is to do so first
  lua_State* state_ = nullptr;
  ScriptError error_;
  bool has_error_ = false;  // handle_error() described one in this call
  int entry_ = LUA_NOREF;
  bool is_cleaning_ = false;    // between calls
  int rounds_ = 0;              // of the collector that are to be driven to their end
  bool expects_round_ = false;  // the end of the present round will be told
  size_t round_steps_max_ = 0;
  void* argument_ = nullptr;
  uint64_t random_state_;
  int depth_ = 0;
  int nesting_ = 0;
  // Shared with the timer's signal handler, which runs on the same thread.
  volatile bool running_ = false;
  volatile bool seen_running_ = false;
  volatile bool due_ = false;  // the listener is to be asked
  volatile bool ending_ = false;
  bool crowded_ = false;       // the hook is to collect
  const char* why_ = nullptr;  // it was ended
  volatile bool setting_hook_ = false;
  CpuTimer timer_;
};

// Pushes a text that may be large.
inline void push_text(lua_State* state, Bytes text) {
  if (text.size() >= kLargeTextBytes) [[unlikely]]
    LuaRuntime::of(state).reserve(state, text.size());
  lua_pushlstring(state, text.data(), text.size());
}

}  // namespace larder
