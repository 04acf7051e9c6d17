#include "server/script/script_engine.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/sha1.h"
#include "server/config/settings.h"
#include "server/core/leftovers.h"
#include "server/core/loading.h"
#include "server/core/propagation.h"
#include "server/script/lua_libraries.h"
#include "server/script/lua_reply.h"
#include "server/script/lua_sandbox.h"
#include "server/script/redis_library.h"
#include "storage/keyspace.h"

namespace larder {
namespace {

constexpr char kChunkName[] = "@user_script";
constexpr char kFunctionChunkName[] = "@user_function";

constexpr ErrorText kNoCommand{"ERR Please specify at least one argument for this redis lib call"};
constexpr ErrorText kBadArgument{"ERR Lua redis lib command arguments must be strings or integers"};
constexpr ErrorText kUnknownCommand{"ERR Unknown Redis command called from script"};
constexpr ErrorText kWrongArity{"ERR Wrong number of args calling Redis command from script"};
constexpr ErrorText kNotFromScripts{"ERR This Redis command is not allowed from script"};
constexpr ErrorText kReadOnlyScript{"ERR Write commands are not allowed from read-only scripts."};
constexpr ErrorText kWriteFlagged{"ERR Can not execute a script with write flag using *_ro command."};
constexpr ErrorText kOomNotAllowed{
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"};
constexpr ErrorText kUnknownAclCommand{"ERR Invalid command passed to redis.acl_check_cmd()"};
constexpr char kBadLibraryName[] =
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
constexpr char kKilledScript[] = "ERR Script killed by user with SCRIPT KILL...";
constexpr char kKilledFunction[] = "ERR Script killed by user with FUNCTION KILL...";
constexpr char kLoadTimeout[] = "ERR FUNCTION LOAD timeout";
constexpr char kShuttingDown[] = "ERR the server is shutting down";

// The others are looked at as often while a script makes the server busy.
constexpr int64_t kServeIntervalMs = 2;
// What the buffer of replies may keep between calls.
constexpr size_t kKeptReplyBytes = 64 * 1024;

// What ScriptEngine::run_protected() needs in each call and finds in its closure.
enum Upvalue : int { kGlobals = 1, kKeysName, kArgumentsName, kCjsonSettings, kUpvalues = kCjsonSettings };

// Scripts or libraries that are only to be freed.
template <class Store>
class Dropped final : public Leftover {
 public:
  explicit Dropped(Store dropped) : store_(std::move(dropped)) {}
  size_t steps_left() const override { return store_.size(); }
  void undo_some(size_t steps_max) override { store_.drop_some(steps_max); }

 private:
  Store store_;
};

template <class Store>
void drop_all(LeftoverQueue& leftovers, Store& store) {
  leftovers.add(std::make_unique<Dropped<Store>>(std::exchange(store, Store())));
}

void push_list(lua_State* state, std::span<const Bytes> values) {
  lua_createtable(state, static_cast<int>(values.size()), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    push_text(state, values[i]);
    lua_rawseti(state, -2, static_cast<int>(i + 1));
  }
}

// The line of the last `return` of a source down to that line.
int last_return_line(Bytes source, int last_line) {
  size_t end = 0;
  for (int line = 0; line < last_line && end < source.size(); ++line)
    end = std::min(source.find('\n', end), source.size() - 1) + 1;
  const Bytes before = source.substr(0, std::min(source.substr(0, end).rfind("return"), end));
  return 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
}

// The last line of a compiled function.
int last_line_of(LuaRuntime& runtime, int reference) {
  lua_Debug facts;
  runtime.push(reference);
  lua_getinfo(runtime.state(), ">S", &facts);
  return facts.lastlinedefined > 0 ? facts.lastlinedefined : INT_MAX;
}

// "ERR user_script:1: ... script: <name>, on @user_script:1."  A tail call leaves no trace of its line: what failed behind
// one is said to have been called by the last `return`.
std::string describe(const ScriptError& error, Bytes name, Bytes source, int last_line, Bytes chunk_name) {
  std::string text = error.text;
  std::string place = error.source + ":" + std::to_string(error.line);
  if (error.line == 0) {
    place = std::string(chunk_name) + ":" + std::to_string(last_return_line(source, last_line));
    if (!error.has_code && text.starts_with("ERR ")) text.insert(4, place.substr(1) + ": ");
  }
  return text + " script: " + std::string(name) + ", on " + place + ".";
}

}  // namespace

ScriptEngine::ScriptEngine(Services& services, Dispatcher& dispatcher) : services_(services), dispatcher_(dispatcher) {
  client_.flags |= kClientScript | kClientDenyBlocking;
  client_.peer = "lua";  // as MONITOR shows it
}

ScriptEngine::~ScriptEngine() { LARDER_ASSERT(run_ == nullptr); }

LuaRuntime& ScriptEngine::script_runtime() {
  const auto bytes_max = static_cast<size_t>(services_.settings.script_memory_limit_bytes);
  if (scripts_) {
    scripts_->set_bytes_max(bytes_max);
    return *scripts_;
  }
  ++generation_;
  scripts_ = make_runtime(bytes_max, false);
  return *scripts_;
}

void ScriptEngine::drop_spent_scripts() {
  if (scripts_ && scripts_->is_spent()) scripts_.reset();
}

std::unique_ptr<LuaRuntime> ScriptEngine::make_runtime(size_t bytes_max, bool for_functions) {
  auto runtime = std::make_unique<LuaRuntime>(*this, bytes_max, services_.random.next());
  struct Opening {
    ScriptEngine* engine;
    bool for_functions;
  } opening{this, for_functions};
  const bool opened = runtime->run(
      [](lua_State* state) {
        const Opening& what = *static_cast<Opening*>(LuaRuntime::argument(state));
        open_redis_library(state, *what.engine, what.for_functions);
        push_entry(state);
        LuaRuntime::of(state).keep_entry(state);
        return 0;
      },
      &opening);
  LARDER_ASSERT(opened);
  return runtime;
}

// ---- Scripts

LoadedChunk ScriptEngine::compile(LuaRuntime& runtime, Bytes code, Bytes name) {
  LARDER_ASSERT(run_ == nullptr);
  Run run{.engine = this, .call = nullptr, .runtime = &runtime, .reply = nullptr};
  run.name = name;
  run.started_ns = dispatcher_.now_ns();
  run_ = &run;
  LoadedChunk chunk = runtime.load(code, kChunkName);
  run_ = nullptr;
  if (run.is_busy) dispatcher_.set_gate(kServerBusy, false);
  return chunk;
}

bool ScriptEngine::prepare(CachedScript& script, std::string& error) {
  LuaRuntime& runtime = script_runtime();
  if (script.generation == generation_) return true;
  const Result<ScriptHeader> header = read_script_header(script.source);
  if (!header) {
    error = header.error().message;
    return false;
  }
  const LoadedChunk chunk = compile(runtime, header->code, script.sha);
  if (!chunk.error.empty()) {
    error = "ERR Error compiling script (new function): " + chunk.error;
    return false;
  }
  script.flags = header->flags;
  script.reference = chunk.reference;
  script.generation = generation_;
  return true;
}

void ScriptEngine::eval(CommandContext& ctx, Bytes source, const ScriptCall& call) {
  CachedScript* script = cache_.find_source(source);
  if (script == nullptr) {
    script = &cache_.add(source, sha1_hex(source), false);
    if (std::string error; !prepare(*script, error)) {
      cache_.remove(*script);
      drop_spent_scripts();
      return ctx.reply().error(error);
    }
    while (CachedScript* surplus = cache_.surplus()) {
      if (surplus->generation == generation_) scripts_->release(surplus->reference);
      cache_.remove(*surplus);
      ++evicted_scripts_;
    }
  }
  run_script(ctx, *script, call);
  drop_spent_scripts();
}

void ScriptEngine::evalsha(CommandContext& ctx, Bytes sha, const ScriptCall& call) {
  CachedScript* script = cache_.find(sha);
  if (script == nullptr) return ctx.reply().error(kNoScript);
  run_script(ctx, *script, call);
  drop_spent_scripts();
}

Result<std::string> ScriptEngine::load_script(Bytes source) {
  CachedScript* script = cache_.find_source(source);
  if (script == nullptr) {
    script = &cache_.add(source, sha1_hex(source), true);
    std::string error;
    const bool compiled = prepare(*script, error);
    drop_spent_scripts();
    if (!compiled) {
      cache_.remove(*script);
      return Error{ErrorCode::kInvalidArgument, error};
    }
  }
  cache_.keep(*script);
  return script->sha;
}

Bytes ScriptEngine::script_source(Bytes sha) {
  const CachedScript* script = cache_.find(sha);
  return script != nullptr ? Bytes(script->source) : Bytes();
}

void ScriptEngine::flush_scripts() {
  drop_all(services_.leftovers, cache_);
  scripts_.reset();
}

void ScriptEngine::run_script(CommandContext& ctx, CachedScript& script, const ScriptCall& call) {
  if (std::string error; !prepare(script, error)) return ctx.reply().error(error);
  if (!may_run(ctx, script.flags, call.read_only)) return;
  Run run{.engine = this, .call = &call, .runtime = scripts_.get(), .reply = &ctx.reply()};
  run.name = script.sha;
  run.reference = script.reference;
  run.source = script.source;
  execute(ctx, run, script.flags);
}

bool ScriptEngine::may_run(CommandContext& ctx, uint32_t flags, bool read_only) {
  if (flags & kScriptCompatible) return true;
  if (!(flags & (kScriptAllowOom | kScriptNoWrites)) && dispatcher_.out_of_memory()) {
    // Outside of a transaction it is refused like a command that takes memory.
    ctx.reply().error(ctx.may_block() ? kOom : kOomNotAllowed);
    return false;
  }
  if (flags & kScriptNoWrites) return true;
  if (const Bytes refused = write_refusal(); !refused.empty()) {
    ctx.reply().error(refused);
    return false;
  }
  if (read_only) ctx.reply().error(kWriteFlagged);
  return !read_only;
}

uint32_t ScriptEngine::request_flags(const Command& command, std::span<const Bytes> argv) {
  uint32_t script_flags = kScriptCompatible;
  const Bytes name = command.spec->name;
  if (name.starts_with("evalsha")) {
    if (const CachedScript* script = cache_.find(argv[1])) script_flags = script->flags;
  } else if (name.starts_with("eval")) {
    if (const Result<ScriptHeader> header = read_script_header(argv[1])) script_flags = header->flags;
  } else if (const LibraryFunction* function = functions_.find(argv[1])) {
    script_flags = function->flags;
  }
  if (script_flags & kScriptCompatible) return command.spec->flags;
  uint32_t flags = command.spec->flags & ~kMayReplicate;
  if (script_flags & kScriptNoWrites) return flags;
  if (!(script_flags & kScriptAllowOom)) flags |= kDenyOom;
  return flags | kWrite;
}

// ---- Running

void ScriptEngine::begin(CommandContext& ctx, Run& run, uint32_t flags) {
  LARDER_ASSERT(run_ == nullptr);
  run_ = &run;
  run.request = ctx.argv();
  run.read_only = run.call->read_only || (flags & kScriptNoWrites);
  run.out_of_memory = !(flags & kScriptAllowOom) && dispatcher_.out_of_memory();
  const uint64_t command_started_ns = dispatcher_.running().start_ns;
  run.started_ns = command_started_ns != 0 ? command_started_ns : dispatcher_.now_ns();
  client_.caller = &ctx.client();
  client_.db = ctx.client().db;
  client_.protocol = 2;
  if (client_.user != ctx.client().user) client_.user = ctx.client().user;
  services_.propagation.begin_unit();
}

void ScriptEngine::end(Run& run) {
  services_.propagation.set_muted(false);
  services_.propagation.end_unit();
  client_.caller = nullptr;
  run_ = nullptr;
  if (run.is_busy) dispatcher_.set_gate(kServerBusy, false);
  sink_.clear();
  reply_.clear();
  reply_.shrink(kKeptReplyBytes);
}

void ScriptEngine::push_entry(lua_State* state) {
  push_globals(state);
  lua_pushliteral(state, "KEYS");
  lua_pushliteral(state, "ARGV");
  push_cjson_settings(state);
  lua_pushcclosure(state, run_protected, kUpvalues);
}

// Everything of a call that Lua may refuse memory for: arguments, the function itself, the reply.
int ScriptEngine::run_protected(lua_State* state) {
  const Run& run = *static_cast<Run*>(LuaRuntime::argument(state));
  reset_cjson(lua_touserdata(state, lua_upvalueindex(kCjsonSettings)));
  run.runtime->push(run.reference);
  if (run.is_function) {
    push_list(state, run.call->keys);
    push_list(state, run.call->arguments);
    lua_call(state, 2, 1);
  } else {
    lua_pushvalue(state, lua_upvalueindex(kKeysName));
    push_list(state, run.call->keys);
    lua_rawset(state, lua_upvalueindex(kGlobals));
    lua_pushvalue(state, lua_upvalueindex(kArgumentsName));
    push_list(state, run.call->arguments);
    lua_rawset(state, lua_upvalueindex(kGlobals));
    lua_call(state, 0, 1);
  }
  write_lua_value(*run.runtime, state, *run.reply, run.engine->client_.protocol == 3, run.engine->services_.stats);
  return 0;
}

void ScriptEngine::execute(CommandContext& ctx, Run& run, uint32_t flags) {
  begin(ctx, run, flags);
  const size_t reply_begin = ctx.reply().position();
  const uint32_t errors_before = ctx.reply().error_count();
  const bool succeeded = run.runtime->run_entry(&run);
  if (!succeeded) {
    ctx.reply().truncate_to(reply_begin);
    const Bytes chunk_name = run.is_function ? kFunctionChunkName : kChunkName;
    const int last_line = run.is_function ? last_line_of(*run.runtime, run.reference) : INT_MAX;
    ctx.reply().error(describe(run.runtime->error(), run.name, run.source, last_line, chunk_name));
    if (!run.runtime->error().is_counted) {
      services_.stats.count_error(ctx.reply().buffer().bytes().substr(reply_begin));
    }
  }
  if (ctx.reply().error_count() != errors_before) dispatcher_.set_errors_counted();
  end(run);
}

ErrorText ScriptEngine::kill(bool is_function) {
  if (run_ == nullptr) return kNotBusy;
  if (run_->has_written) return kUnkillable;
  if (run_->is_function != is_function) return run_->is_function ? kBusyFunction : kBusyScript;
  run_->killed = true;
  return {};
}

void ScriptEngine::become_busy() {
  run_->is_busy = true;
  services_.log.warning("A script has been running for {} ms. SCRIPT KILL or FUNCTION KILL ends it", elapsed_ms());
  dispatcher_.set_busy_text(run_->is_function ? kBusyFunction : kBusyScript);
  dispatcher_.set_gate(kServerBusy, true);
}

ScriptEngine::Running ScriptEngine::running() const {
  LARDER_ASSERT(is_running());
  return {run_->is_function, run_->name, run_->request, elapsed_ms()};
}

int64_t ScriptEngine::elapsed_ms() const {
  return static_cast<int64_t>((dispatcher_.now_ns() - run_->started_ns) / 1'000'000);
}

int64_t ScriptEngine::started_us() const {
  if (run_->wall_us == 0) {
    run_->wall_us = services_.clock.wall_us() - static_cast<int64_t>((dispatcher_.now_ns() - run_->started_ns) / 1000);
  }
  return run_->wall_us;
}

bool ScriptEngine::interrupts(const char** why) {
  if (load_ != nullptr) {
    *why = kLoadTimeout;
    return services_.clock.mono_ms() > load_->end_ms;
  }
  if (services_.pump == nullptr || run_ == nullptr) return false;
  services_.pump->script_is_running();
  const int64_t threshold_ms = services_.settings.busy_reply_threshold_ms;
  const int64_t now_ms = elapsed_ms();
  if (threshold_ms == 0 || now_ms < threshold_ms) return false;
  if (!run_->killed) {
    if (!run_->is_busy) become_busy();
    if (run_->served_ms != 0 && now_ms - run_->served_ms < kServeIntervalMs) return false;
    run_->served_ms = now_ms;
    const Dispatcher::Running running = dispatcher_.running();
    const bool goes_on = services_.pump->serve_others();
    dispatcher_.resume(running);
    services_.store.set_now(running.now_ms);
    if (!goes_on) {
      services_.propagation.abandon_unit();
      *why = kShuttingDown;
      return true;
    }
  }
  *why = run_->is_function ? kKilledFunction : kKilledScript;
  return run_->killed;
}

// ---- redis.call

bool ScriptEngine::read_arguments(lua_State* state) {
  const int count = lua_gettop(state);
  arguments_.clear();
  number_texts_.resize(static_cast<size_t>(count) * kLuaNumberBytesMax);
  char* number_text = number_texts_.data();
  for (int i = 1; i <= count; ++i) {
    const int type = lua_type(state, i);
    if (type == LUA_TNUMBER) {
      arguments_.emplace_back(number_text, write_lua_number(number_text, lua_tonumber(state, i)));
      number_text += kLuaNumberBytesMax;
    } else if (type == LUA_TSTRING) {
      size_t size = 0;
      const char* text = lua_tolstring(state, i, &size);
      arguments_.emplace_back(text, size);
    } else {
      return false;
    }
  }
  return true;
}

// Null when there is no such command, or no such subcommand.
const Command* ScriptEngine::resolve_arguments() const {
  const Command* command = services_.registry.resolve(arguments_);
  const bool lacks_subcommand = command != nullptr && command->is_container() && arguments_.size() > 1;
  return lacks_subcommand ? nullptr : command;
}

int ScriptEngine::fail_call(lua_State* state, Bytes text, bool raises) {
  push_error_table(state, text);
  return raises ? lua_error(state) : 1;
}

// A command that is not even run counts as refused.
int ScriptEngine::refuse_call(lua_State* state, const Command* command, Bytes text, bool raises) {
  if (command != nullptr) ++command->stats.rejected_calls;
  reply_.clear();
  ReplyWriter(reply_).error(text);
  services_.stats.count_error(reply_.bytes());
  push_counted_error(state, text);
  return raises ? lua_error(state) : 1;
}

Bytes ScriptEngine::refusal(const Command* command) {
  if (command == nullptr) return kUnknownCommand.text();
  if (!arity_matches(*command->spec, arguments_.size())) return kWrongArity.text();
  const uint32_t flags = command->spec->flags;
  if (flags & kNotInScripts) return kNotFromScripts.text();
  if ((flags & (kWrite | kMayReplicate)) && run_->read_only) return kReadOnlyScript.text();
  // A script that has begun to write goes on: half of its effects would be worse than some memory too much.
  if (run_->has_written) return {};
  if (flags & kWrite) {
    if (const Bytes refused = write_refusal(); !refused.empty()) return refused;
  }
  if ((flags & kDenyOom) && run_->out_of_memory) return kOom.text();
  return {};
}

// What a log holds is executed as it stands.
Bytes ScriptEngine::write_refusal() {
  if (!dispatcher_.refuses_writes() || services_.loading.active()) return {};
  write_refusal_ = dispatcher_.write_refusal();
  return write_refusal_;
}

int ScriptEngine::call_command(lua_State* state, bool raises) {
  if (run_ == nullptr) return fail_call(state, "ERR redis.call can only be called inside a script invocation", raises);
  if (lua_gettop(state) == 0) return fail_call(state, kNoCommand.text(), raises);
  if (!read_arguments(state)) return fail_call(state, kBadArgument.text(), raises);
  const Command* command = resolve_arguments();
  if (const Bytes refused = refusal(command); !refused.empty()) return refuse_call(state, command, refused, raises);
  if (command->spec->flags & kWrite) run_->has_written = true;
  reply_.clear();
  sink_.begin(client_.protocol, run_->runtime->heap().bytes_max());
  {
    ReplyWriter writer(reply_, client_.protocol, &sink_);
    dispatcher_.call_nested(client_, *command, arguments_, writer);
  }
  if (sink_.exceeded()) [[unlikely]]
    run_->runtime->run_out_of_memory(state);
  const Bytes reply = reply_.bytes();
  lua_settop(state, 0);  // the reply finds room where as many arguments lay as Lua can hold
  push_reply(state, reply, sink_.pins());
  sink_.clear();
  return reply.starts_with('-') && raises ? lua_error(state) : 1;
}

int ScriptEngine::check_command(lua_State* state) {
  if (lua_gettop(state) == 0) return fail_call(state, kNoCommand.text(), true);
  if (!read_arguments(state)) return fail_call(state, kBadArgument.text(), true);
  const Command* command = resolve_arguments();
  if (command == nullptr) return fail_call(state, kUnknownAclCommand.text(), true);
  lua_pushboolean(state, 1);  // the only user of this version may do everything
  return 1;
}

void ScriptEngine::log(int level, Bytes text) {
  switch (level) {
    case 0:
      return services_.log.debug("{}", text);
    case 1:
      return services_.log.verbose("{}", text);
    case 2:
      return services_.log.notice("{}", text);
    default:
      return services_.log.warning("{}", text);
  }
}

void ScriptEngine::set_protocol(uint8_t version) { client_.protocol = version; }

void ScriptEngine::set_propagates(bool propagates) { services_.propagation.set_muted(!propagates); }

// ---- Scripting

Scripting::Usage ScriptEngine::usage() const {
  Usage usage;
  if (scripts_) usage.script_vm_bytes = scripts_->heap().used_bytes();
  usage.cache_bytes = cache_.source_bytes();
  usage.cached_scripts = cache_.size();
  usage.evicted_scripts = evicted_scripts_;
  if (function_state_) usage.function_vm_bytes = function_state_->heap().used_bytes();
  usage.library_bytes = functions_.source_bytes();
  usage.libraries = functions_.libraries().size();
  usage.functions = functions_.function_count();
  return usage;
}

// ---- Functions

LuaRuntime& ScriptEngine::function_runtime() {
  // Libraries from a file are not lost because the limit is lower now: what exceeds it fails when it is called.
  const bool from_file = services_.loading.active();
  const auto bytes_max = from_file ? SIZE_MAX : static_cast<size_t>(services_.settings.script_memory_limit_bytes);
  if (function_state_) function_state_->set_bytes_max(bytes_max);
  tidy_functions();  // the limit may be lower now than what garbage takes
  if (function_state_) return *function_state_;
  ++function_generation_;
  function_state_ = make_runtime(bytes_max, true);
  return *function_state_;
}

void ScriptEngine::tidy_functions() {
  if (function_state_ && !function_state_->tidy()) function_state_.reset();
}

bool ScriptEngine::clean_some() {
  if (!is_cleaning() || run_ != nullptr || load_ != nullptr) return false;
  if (!function_state_->clean_some()) function_state_.reset();
  return is_cleaning();
}

Result<LibraryHeader> ScriptEngine::read_header(Bytes source) {
  LARDER_TRY_ASSIGN(const LibraryHeader header, read_library_header(source));
  if (!is_function_name(header.name)) return Error{ErrorCode::kInvalidArgument, kBadLibraryName};
  if (!equals_ignore_case(header.engine, "lua")) {
    return Error{ErrorCode::kInvalidArgument, "ERR Engine '" + std::string(header.engine) + "' not found"};
  }
  return header;
}

Result<std::unique_ptr<FunctionLibrary>> ScriptEngine::build_library(Bytes source, int64_t time_ms_max) {
  LARDER_TRY_ASSIGN(const LibraryHeader header, read_header(source));
  auto library = std::make_unique<FunctionLibrary>();
  library->name = header.name;
  library->source = source;
  if (const Status status = register_functions(*library, header.code, time_ms_max); !status.ok()) return status.error();
  return library;
}

Status ScriptEngine::register_functions(FunctionLibrary& library, Bytes code, int64_t time_ms_max) {
  LuaRuntime& runtime = function_runtime();
  const bool from_file = services_.loading.active();
  LibraryLoad load{&library, from_file ? INT64_MAX : services_.clock.mono_ms() + time_ms_max};
  load_ = &load;
  const LoadedChunk chunk = runtime.load(code, kFunctionChunkName);
  if (!chunk.error.empty()) {
    load_ = nullptr;
    return {ErrorCode::kInvalidArgument, "ERR Error compiling function: " + chunk.error};
  }
  show_library_globals(runtime.state(), true);
  runtime.push(chunk.reference);
  const bool succeeded = runtime.call(0, 0);
  show_library_globals(runtime.state(), false);
  load_ = nullptr;
  runtime.release(chunk.reference);
  library.generation = function_generation_;
  if (succeeded && !library.functions.empty()) return {};
  release_functions(library);
  if (succeeded) return {ErrorCode::kInvalidArgument, "ERR No functions registered"};
  return {ErrorCode::kInvalidArgument, "ERR Error registering functions: " + runtime.error().text};
}

Status ScriptEngine::rebuild(FunctionLibrary& library) {
  LARDER_TRY_ASSIGN(const std::unique_ptr<FunctionLibrary> fresh,
                    build_library(library.source, LibraryLoad::kAgainTimeMsMax));
  for (const auto& function : library.functions) {
    const LibraryFunction* again = fresh->find(function->name);
    if (again == nullptr) return {ErrorCode::kInvalidArgument, "ERR the library did not register its functions again"};
    function->reference = again->reference;
  }
  library.generation = fresh->generation;
  return {};
}

void ScriptEngine::release_functions(const FunctionLibrary& library) {
  if (function_state_ == nullptr || library.generation != function_generation_) return;
  for (const auto& function : library.functions) function_state_->release(function->reference);
}

void ScriptEngine::fcall(CommandContext& ctx, LibraryFunction& function, const ScriptCall& call) {
  LuaRuntime& runtime = function_runtime();
  if (function.library->generation != function_generation_) {
    if (const Status status = rebuild(*function.library); !status.ok()) return ctx.reply().error(status.message());
  }
  if (!may_run(ctx, function.flags, call.read_only)) return;
  Run run{.engine = this, .call = &call, .runtime = &runtime, .reply = &ctx.reply()};
  run.name = function.name;
  run.is_function = true;
  run.reference = function.reference;
  run.source = function.library->source;
  execute(ctx, run, function.flags);
  tidy_functions();
}

Result<std::string> ScriptEngine::load_functions(Bytes source, bool replaces) {
  LARDER_TRY_ASSIGN(const LibraryHeader header, read_header(source));
  if (!replaces && functions_.find_library(header.name) != nullptr) {
    return Error{ErrorCode::kInvalidArgument, "ERR Library '" + std::string(header.name) + "' already exists"};
  }
  LARDER_TRY_ASSIGN(std::unique_ptr<FunctionLibrary> library, build_library(source, LibraryLoad::kTimeMsMax));
  if (const LibraryFunction* conflict = functions_.find_conflict(*library)) {
    release_functions(*library);
    return Error{ErrorCode::kInvalidArgument, "ERR Function " + conflict->name + " already exists"};
  }
  std::string name = library->name;
  remove_functions(name);
  functions_.add(std::move(library));
  return name;
}

bool ScriptEngine::remove_functions(Bytes name) {
  const std::unique_ptr<FunctionLibrary> library = functions_.remove(name);
  if (library == nullptr) return false;
  release_functions(*library);
  return true;
}

Status ScriptEngine::restore_functions(std::span<const std::string> sources, RestorePolicy policy) {
  FunctionStore restored;
  Status failed;
  for (const std::string& source : sources) {
    auto library = build_library(source, LibraryLoad::kTimeMsMax);
    if (!library) {
      failed = library.error();
    } else if (restored.find_library((*library)->name) != nullptr) {
      failed = {ErrorCode::kInvalidArgument, "ERR Library '" + (*library)->name + "' already exists"};
    } else if (const LibraryFunction* conflict = restored.find_conflict(**library)) {
      failed = {ErrorCode::kInvalidArgument, "ERR Function " + conflict->name + " already exists"};
    }
    if (!failed.ok()) return failed;
    restored.add(std::move(*library));
  }
  // What stays is in the way of what is new.
  for (const auto& [name, library] : restored.libraries()) {
    if (policy == RestorePolicy::kFlush) break;
    if (policy == RestorePolicy::kAppend && functions_.find_library(name) != nullptr) {
      return {ErrorCode::kInvalidArgument, "ERR Library " + name + " already exists"};
    }
    for (const auto& function : library->functions) {
      const LibraryFunction* other = functions_.find(function->name);
      if (other == nullptr || restored.find_library(other->library->name) != nullptr) continue;
      return {ErrorCode::kInvalidArgument, "ERR Function " + function->name + " already exists"};
    }
  }
  if (policy == RestorePolicy::kFlush) drop_all(services_.leftovers, functions_);
  for (const auto& [name, library] : restored.libraries()) remove_functions(name);
  while (!restored.libraries().empty()) functions_.add(restored.remove(restored.libraries().begin()->first));
  return {};
}

std::vector<std::string> ScriptEngine::library_sources() const {
  std::vector<std::string> sources;
  for (const auto& [name, library] : functions_.libraries()) sources.push_back(library->source);
  return sources;
}

Status ScriptEngine::load_library(Bytes source) {
  const Result<std::string> loaded = load_functions(source, true);
  return loaded ? Status() : Status(loaded.error());
}

void ScriptEngine::remove_all_libraries() {
  drop_all(services_.leftovers, functions_);
  function_state_.reset();
}

std::unique_ptr<Scripting> make_script_engine(Services& services, Dispatcher& dispatcher) {
  return std::make_unique<ScriptEngine>(services, dispatcher);
}

}  // namespace larder
