#pragma once

// Everything that runs Lua: EVAL's scripts and the functions of libraries.
//
//   command (server/command) -> ScriptEngine -> LuaRuntime -> script -> redis.call -> Dispatcher -> command
//
// Scripts and functions have a state each, made when the first one is needed. A script's commands are executed for a client
// of the engine's own, which has the caller's database and user, waits for nothing, and writes its replies into a buffer
// that is then turned into Lua values. What the commands change is propagated by themselves, as one unit.
//
// A state that ran out of its memory is thrown away after the call and made anew: `generation` counts that, and a compiled
// function counts only in the generation it was compiled in. The state of scripts goes too when it has grown large, for
// nothing in it outlives a call; that of functions, where libraries keep local values, is cleaned.
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
#include "server/script/function_store.h"
#include "server/script/library_loader.h"
#include "server/script/lua_runtime.h"
#include "server/script/nested_sink.h"
#include "server/script/script_cache.h"
#include "server/script/script_flags.h"

namespace larder {

// What FUNCTION RESTORE does about the libraries that are there.
enum class RestorePolicy : uint8_t { kAppend, kReplace, kFlush };

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

  // ---- Functions. The message of an error is the reply's text.
  void fcall(CommandContext& ctx, LibraryFunction& function, const ScriptCall& call);
  // Returns the library's name.
  Result<std::string> load_functions(Bytes source, bool replaces);
  bool remove_functions(Bytes library);
  // All of them or, with an error, none.
  Status restore_functions(std::span<const std::string> sources, RestorePolicy policy);
  const FunctionStore& functions() const { return functions_; }

  // ---- The running script or function
  // SCRIPT KILL and FUNCTION KILL: empty, or why not.
  ErrorText kill(bool is_function);
  bool is_running() const { return run_ != nullptr; }
  // What runs, for FUNCTION STATS.
  struct Running {
    bool is_function;
    Bytes name;
    std::span<const Bytes> request;
    int64_t elapsed_ms;
  };
  // Requires: is_running().
  Running running() const;

  // ---- Scripting, ScriptListener
  Usage usage() const override;
  int64_t started_us() const override;
  bool is_busy() const override { return run_ != nullptr && run_->is_busy; }
  uint32_t request_flags(const Command& command, std::span<const Bytes> argv) override;
  bool is_cleaning() const override { return function_state_ && function_state_->is_cleaning(); }
  bool clean_some() override;
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
  LibraryLoad* library_load() { return load_; }

 private:
  // One call from outside, for as long as it lasts.
  struct Run {
    ScriptEngine* engine;
    const ScriptCall* call;
    LuaRuntime* runtime;
    ReplyWriter* reply;
    Bytes name = {};
    std::span<const Bytes> request = {};
    int reference = 0;  // of the function
    Bytes source = {};  // it was compiled from
    bool is_function = false;
    bool read_only = false;
    bool out_of_memory = false;  // maxmemory was exceeded when it began
    bool has_written = false;
    bool killed = false;
    bool is_busy = false;
    // On the dispatcher's stopwatch: reading the system's clock takes longer than a short script.
    uint64_t started_ns = 0;
    int64_t wall_us = 0;    // the same on the wall clock, when somebody has asked
    int64_t served_ms = 0;  // how long it ran when the other clients were last looked at
  };
  struct NoLink final : ClientLink {
    void wake() override {}
  };

  // The others are served meanwhile, and may end it, as they may end a script.
  LoadedChunk compile(LuaRuntime& runtime, Bytes code, Bytes name);
  // Compiles the script if this generation has not; false: `error` is the reply's text.
  bool prepare(CachedScript& script, std::string& error);
  void run_script(CommandContext& ctx, CachedScript& script, const ScriptCall& call);
  // Whether flags and state of the server let it run; the error is written otherwise.
  bool may_run(CommandContext& ctx, uint32_t flags, bool read_only);
  // Runs the function `run.reference`.
  void execute(CommandContext& ctx, Run& run, uint32_t flags);
  static void push_entry(lua_State* state);
  static int run_protected(lua_State* state);
  // Since the script began.
  int64_t elapsed_ms() const;
  void begin(CommandContext& ctx, Run& run, uint32_t flags);
  void end(Run& run);
  void become_busy();

  bool read_arguments(lua_State* state);
  const Command* resolve_arguments() const;
  // The error that keeps a command from being run, or nothing. Valid until the next call.
  Bytes refusal(const Command* command);
  // Why nothing may be written, as the server is; empty when it may.
  Bytes write_refusal();
  int refuse_call(lua_State* state, const Command* command, Bytes text, bool raises);
  int fail_call(lua_State* state, Bytes text, bool raises);

  LuaRuntime& script_runtime();
  void drop_spent_scripts();
  LuaRuntime& function_runtime();
  void tidy_functions();
  std::unique_ptr<LuaRuntime> make_runtime(size_t bytes_max, bool for_functions);

  // What a source says of itself, if that is right.
  static Result<LibraryHeader> read_header(Bytes source);
  // Compiles a source and runs it, which names its functions.
  Result<std::unique_ptr<FunctionLibrary>> build_library(Bytes source, int64_t time_ms_max);
  // Runs the source of `library`, which has no functions yet.
  Status register_functions(FunctionLibrary& library, Bytes code, int64_t time_ms_max);
  // Compiles a library again, for a new state.
  Status rebuild(FunctionLibrary& library);
  void release_functions(const FunctionLibrary& library);

  Services& services_;
  Dispatcher& dispatcher_;
  NoLink link_;
  Client client_{0, link_};
  std::unique_ptr<LuaRuntime> scripts_;
  uint64_t generation_ = 0;
  ScriptCache cache_;
  uint64_t evicted_scripts_ = 0;
  std::unique_ptr<LuaRuntime> function_state_;
  uint64_t function_generation_ = 0;
  FunctionStore functions_;
  LibraryLoad* load_ = nullptr;  // while a library's source runs
  Run* run_ = nullptr;
  std::vector<Bytes> arguments_;
  std::vector<char> number_texts_;
  std::string write_refusal_;  // outlives the Lua error that quotes it
  Buffer reply_;
  NestedSink sink_{reply_};
};

// What main.cc and tests hand to Server::set_scripting().
std::unique_ptr<Scripting> make_script_engine(Services& services, Dispatcher& dispatcher);

}  // namespace larder
