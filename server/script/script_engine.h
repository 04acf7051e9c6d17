#pragma once

// Everything that runs Lua: EVAL's scripts and the functions of libraries.
//
//   command (server/command) -> ScriptEngine -> LuaRuntime -> script -> redis.call -> Dispatcher -> command
//
// Scripts and functions have a state each, made when the first one is needed. A script's commands are executed for a client
// of the engine's own, which has the caller's database and user, waits for nothing, and writes its replies into a buffer
// that is then turned into Lua values. What the commands change is propagated by themselves, as one unit.
//
// A state that ran out of its memory, or grew large, is thrown away after the call and made anew: `generation` counts that,
// and a compiled function counts only in the generation it was compiled in.
//
// While a script runs beyond busy-reply-threshold, interrupts() lets the other clients in (see core/scripting.h) and ends
// the script when one of them asked for that. The clock of the script's commands stands still all the time.

#include <lua.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "server/core/client.h"
#include "server/core/context.h"
#include "server/core/dispatcher.h"
#include "server/core/scripting.h"
#include "server/core/services.h"
#include "server/script/lua_runtime.h"
#include "server/script/script_cache.h"
#include "server/script/script_flags.h"

namespace larder {

// What a caller asks to run.
struct ScriptCall {
  std::span<const Bytes> keys;
  std::span<const Bytes> arguments;
  bool read_only = false;  // EVAL_RO, EVALSHA_RO, FCALL_RO
};

class ScriptEngine final : public Scripting, public ScriptListener {
 public:
  // Both outlive the engine.
  ScriptEngine(Services& services, Dispatcher& dispatcher);
  ~ScriptEngine() override;

  // The engine of the server that a command runs in.
  static ScriptEngine& of(CommandContext& ctx) { return static_cast<ScriptEngine&>(*ctx.services().scripting); }

  // ---- Scripts
  // Run and reply. eval() compiles what is not cached; evalsha() answers NOSCRIPT.
  void eval(CommandContext& ctx, Bytes source, const ScriptCall& call);
  void evalsha(CommandContext& ctx, Bytes sha, const ScriptCall& call);
  // Returns the script's name; the message of an error is the reply's text.
  Result<std::string> load_script(Bytes source);
  bool has_script(Bytes sha) { return cache_.find(sha) != nullptr; }
  // Empty when there is none.
  Bytes script_source(Bytes sha);
  void flush_scripts();

  // ---- The running script or function
  // SCRIPT KILL and FUNCTION KILL: empty, or why not.
  ErrorText kill(bool is_function);
  bool is_running() const { return run_ != nullptr; }

  // ---- Scripting, ScriptListener
  Usage usage() const override;
  int64_t started_us() const override { return run_->wall_us; }
  std::vector<std::string> library_sources() const override;
  Status load_library(Bytes source) override;
  void remove_all_libraries() override;
  bool interrupts(const char** why) override;

  // ---- For the library `redis`
  int call_command(lua_State* state, bool raises);
  int check_command(lua_State* state);
  void log(int level, Bytes text);
  void set_protocol(uint8_t version);
  void set_propagates(bool propagates);
  void add_registration(lua_State* state);

 private:
  // One call from outside, for as long as it lasts.
  struct Run {
    ScriptEngine* engine;
    const ScriptCall* call;
    LuaRuntime* runtime;
    ReplyWriter* reply;
    int reference = 0;  // of the function
    Bytes source = {};  // it was compiled from
    bool is_function = false;
    bool read_only = false;
    bool out_of_memory = false;  // maxmemory was exceeded when it began
    bool has_written = false;
    bool killed = false;
    bool is_busy = false;
    bool propagates = true;
    int64_t wall_us = 0;     // when it began
    int64_t started_ms = 0;  // the same, monotonic
    int64_t served_ms = 0;   // when the other clients were last looked at
  };
  struct NoLink final : ClientLink {
    void wake() override {}
  };

  // Compiles the script if this generation has not; false: `error` is the reply's text.
  bool prepare(CachedScript& script, std::string& error);
  void run_script(CommandContext& ctx, CachedScript& script, const ScriptCall& call);
  // Whether flags and state of the server let it run; the error is written otherwise.
  bool may_run(CommandContext& ctx, uint32_t flags, bool read_only);
  // Runs the function `reference`; `name` is for the error's text.
  void execute(CommandContext& ctx, Run& run, uint32_t flags, Bytes name);
  static int run_protected(lua_State* state);
  void begin(CommandContext& ctx, Run& run, uint32_t flags);
  void end(Run& run);
  void become_busy();

  bool read_arguments(lua_State* state);
  // The error that keeps a command from being run, or an empty text.
  ErrorText refusal(const Command* command) const;
  int fail_call(lua_State* state, Bytes text, bool raises);

  LuaRuntime& script_runtime();

  Services& services_;
  Dispatcher& dispatcher_;
  NoLink link_;
  Client client_{0, link_};
  std::unique_ptr<LuaRuntime> scripts_;
  uint64_t generation_ = 0;
  ScriptCache cache_;
  uint64_t evicted_scripts_ = 0;
  Run* run_ = nullptr;
  std::vector<Bytes> arguments_;
  std::vector<char> number_texts_;
  Buffer reply_;
};

// What main.cc and tests hand to Server::set_scripting().
std::unique_ptr<Scripting> make_script_engine(Services& services, Dispatcher& dispatcher);

}  // namespace larder
