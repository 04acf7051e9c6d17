#include "server/core/dispatcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "server/config/settings.h"
#include "server/core/append_log.h"
#include "server/core/authentication.h"
#include "server/core/blocking_table.h"
#include "server/core/delivery.h"
#include "server/core/memory_limit.h"
#include "server/core/monitors.h"
#include "server/core/pause.h"
#include "server/core/propagation.h"
#include "server/core/scripting.h"
#include "server/core/server_stats.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"
#include "server/core/wake_up.h"
#include "server/observe/latency_monitor.h"
#include "server/observe/slowlog.h"
#include "storage/keyspace.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace larder {
namespace {

#if defined(__x86_64__)
uint64_t read_cycles() { return __rdtsc(); }

// Nanoseconds per cycle, measured once against the clock. 2 ms give about three digits, enough for statistics.
double measure_ns_per_cycle(const Clock& clock) {
  constexpr int64_t kMeasureNs = 2'000'000;
  const int64_t start_ns = clock.mono_ns();
  const uint64_t start_cycles = read_cycles();
  int64_t now_ns = start_ns;
  while (now_ns - start_ns < kMeasureNs) now_ns = clock.mono_ns();
  return static_cast<double>(now_ns - start_ns) / static_cast<double>(read_cycles() - start_cycles);
}
#else
uint64_t read_cycles() { return 0; }
double measure_ns_per_cycle(const Clock&) { return 0; }
#endif

// In RESP2 a subscriber may only use these.
bool allowed_while_subscribed(Bytes name) {
  constexpr Bytes kAllowed[] = {"subscribe",    "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe",
                                "sunsubscribe", "ping",        "quit",       "reset"};
  return std::find(std::begin(kAllowed), std::end(kAllowed), name) != std::end(kAllowed);
}

// Commands that act on the transaction itself instead of being queued.
bool runs_inside_multi(Bytes name) {
  constexpr Bytes kDirect[] = {"exec", "discard", "multi", "watch", "quit", "reset"};
  return std::find(std::begin(kDirect), std::end(kDirect), name) != std::end(kDirect);
}

// What the first line or the Host header of a web page's request looks like to an inline parser. A browser that was made
// to talk to this port must not get as far as the commands in the request's body.
bool is_http_request(Bytes name) { return equals_ignore_case(name, "post") || equals_ignore_case(name, "host:"); }

// EVAL, FCALL and their relatives; SCRIPT and FUNCTION are containers.
bool runs_script(const Command& command) { return command.parent == nullptr && command.spec->acl == Acl::kScripting; }

const Command& top_level(const Command& command) { return command.parent != nullptr ? *command.parent : command; }

}  // namespace

Stopwatch::Stopwatch(const Clock& clock, bool use_cycles)
    : clock_(clock), ns_per_cycle_(use_cycles ? measure_ns_per_cycle(clock) : 0) {}

uint64_t Stopwatch::now_ns() const {
  if (ns_per_cycle_ == 0) return static_cast<uint64_t>(clock_.mono_ns());
  return static_cast<uint64_t>(static_cast<double>(read_cycles()) * ns_per_cycle_);
}

Dispatcher::Dispatcher(Services& services, bool use_cycles)
    : services_(services), stopwatch_(services.clock, use_cycles) {}

Dispatcher::Outcome Dispatcher::execute(Client& client, const Command* command, std::span<const Bytes> argv,
                                        uint64_t first_key_hash, ReplyWriter& reply) {
  const bool plain = command != nullptr && (client.gate | gate_) == 0 && command->spec->run != nullptr &&
                     !(command->spec->flags & kProtected) && arity_matches(*command->spec, argv.size());
  {
    const Delivery::Request request(services_.delivery, client, reply);
    if (plain) [[likely]] {
      call(client, *command, argv, first_key_hash, reply);
    } else if (execute_checked(client, command, argv, first_key_hash, reply) == Outcome::kHold) {
      return Outcome::kHold;
    }
  }
  // Not while a script lets others in: what it has pushed so far is not to be seen.
  if (services_.blocking.has_ready() && !(gate_ & kServerBusy)) [[unlikely]]
    serve_waiting(services_, *this);
  return Outcome::kDone;
}

Dispatcher::Outcome Dispatcher::execute_checked(Client& client, const Command* command, std::span<const Bytes> argv,
                                                uint64_t first_key_hash, ReplyWriter& reply) {
  const size_t start = reply.position();
  if (client.gate & kGateReply) begin_unanswered(client, reply);
  const Admission admission = admit(client, command, argv, reply);
  if (admission == Admission::kHold) {
    // The request comes again, and is the one to skip then.
    if (client.flags & kClientReplySkip) client.flags = (client.flags & ~kClientReplySkip) | kClientReplySkipNext;
    return Outcome::kHold;
  }
  if (admission == Admission::kRun) call(client, *command, argv, first_key_hash, reply);
  if (client.flags & (kClientReplyOff | kClientReplySkip)) {
    reply.truncate_to(start);
    client.flags &= ~kClientReplySkip;
  }
  if (!(client.flags & (kClientReplyOff | kClientReplySkipNext))) client.gate &= ~kGateReply;
  return Outcome::kDone;
}

Dispatcher::Outcome Dispatcher::execute_again(Client& client, const Command& command, std::span<const Bytes> argv,
                                              ReplyWriter& reply) {
  const Delivery::Request request(services_.delivery, client, reply);
  const Admission admission = (client.gate | gate_) == 0 ? Admission::kRun : admit(client, &command, argv, reply);
  if (admission == Admission::kHold) return Outcome::kHold;
  if (admission == Admission::kRun) call(client, command, argv, 0, reply);
  return Outcome::kDone;
}

// CLIENT REPLY OFF or SKIP was given. The reply is written all the same and then dropped; it must not hold pins,
// because those cannot be taken back.
void Dispatcher::begin_unanswered(Client& client, ReplyWriter& reply) {
  if (client.flags & kClientReplySkipNext) {
    client.flags = (client.flags & ~kClientReplySkipNext) | kClientReplySkip;
  }
  reply.redirect(reply.buffer(), reply.protocol_version(), nullptr);
}

Dispatcher::Admission Dispatcher::reject(Client& client, const Command* command, ReplyWriter& reply, Bytes error) {
  const size_t start = reply.position();
  if (command != nullptr && command->full_name == "exec") {
    // An EXEC that may not run says so also where there is no transaction, and ends the one that is.
    reply.error(exec_abort_error(error.starts_with("ERR ") ? error.substr(4) : error));
    services_.transactions.close(client);
  } else {
    reply.error(error);
  }
  services_.stats.count_error(reply.buffer().bytes().substr(start));
  if (command != nullptr) ++command->stats.rejected_calls;
  if (client.transaction && client.transaction->open) client.transaction->aborted = true;
  return Admission::kAnswered;
}

// Unknown names, missing or unknown subcommands, and wrong numbers of arguments. True when it has answered.
bool Dispatcher::reject_unknown(Client& client, const Command* command, std::span<const Bytes> argv,
                                ReplyWriter& reply) {
  if (command == nullptr && is_http_request(argv[0])) {
    client.close_now();
    return true;
  }
  if (command == nullptr) {
    reject(client, command, reply, unknown_command_error(argv[0], argv.data() + 1, argv.size() - 1));
    return true;
  }
  if (command->is_container() && argv.size() >= 2) {
    reject(client, nullptr, reply, unknown_subcommand_error(command->full_name, argv[1]));  // counts for no command
    return true;
  }
  if (command->spec->run == nullptr || !arity_matches(*command->spec, argv.size())) {
    reject(client, command, reply, wrong_arity_error(command->full_name));
    return true;
  }
  return false;
}

Dispatcher::Admission Dispatcher::admit(Client& client, const Command* command, std::span<const Bytes> argv,
                                        ReplyWriter& reply) {
  if ((client.gate & kGateBlocked) || (gate_ & kServerEnding)) return Admission::kHold;
  if (reject_unknown(client, command, argv, reply)) return Admission::kAnswered;
  const CommandSpec& spec = *command->spec;
  if (!(spec.flags & kNoAuthNeeded) && must_authenticate(client, services_.settings)) {
    return reject(client, command, reply, kNoAuth.text());
  }
  if ((spec.flags & kProtected) && !protected_command_allowed(client, *command)) {
    return reject(client, command, reply, protected_command_error(top_level(*command).spec->name));
  }
  const bool in_multi = (client.gate & kGateTransaction) != 0;
  const uint32_t flags = flags_of(client, *command, argv);
  const bool waits_for_exec = in_multi && !runs_inside_multi(command->full_name);
  const bool takes_memory = (flags & kDenyOom) || waits_for_exec;
  if ((gate_ & kServerMemoryLimited) && !services_.memory_limit.make_room(now_ms_) && takes_memory) {
    return reject(client, command, reply, kOom.text());
  }
  if (refuses_writes() && ((flags & kWrite) || command->full_name == "ping")) {
    return reject(client, command, reply, write_refusal());
  }
  if ((gate_ & kServerLoading) && !(spec.flags & kWhileLoading)) return reject(client, command, reply, kLoading.text());
  if ((gate_ & kServerBusy) && !(spec.flags & kAllowBusy)) {
    return reject(client, command, reply, busy_text_.text());
  }
  if ((client.gate & kGateSubscriber) && client.protocol == 2 && !allowed_while_subscribed(command->full_name)) {
    return reject(client, command, reply, subscribed_context_error(command->full_name));
  }
  if ((client.gate & kGateMonitor) && (flags & (kReadonly | kWrite | kMayReplicate))) {
    return reject(client, command, reply, kMonitorTouchesKeys.text());
  }
  if (waits_for_exec) {
    if (spec.flags & kNoMulti) return reject(client, command, reply, kNotAllowedInTransaction.text());
    queue_in_transaction(client, *command, flags, argv, reply);
    return Admission::kAnswered;
  }
  if ((gate_ & kServerLogBehind) && (flags & (kWrite | kMayReplicate))) return Admission::kHold;
  if (gate_ & kServerPaused) {
    const PauseState& pause = services_.pause;
    const bool applies = (flags & (kWrite | kMayReplicate)) || pause.mode == PauseState::Mode::kAll;
    if (pause.active(now_ms_) && applies) return Admission::kHold;
  }
  return Admission::kRun;
}

uint32_t Dispatcher::flags_of(const Client& client, const Command& command, std::span<const Bytes> argv) const {
  if (runs_script(command) && services_.scripting != nullptr) return services_.scripting->request_flags(command, argv);
  const bool executes = (client.gate & kGateTransaction) && command.full_name == "exec";
  return command.spec->flags | (executes ? client.transaction->request_flags : 0);
}

std::string Dispatcher::write_refusal() const {
  if (gate_ & kServerSnapshotFailed) return std::string(kMisconfSnapshot.text());
  if (gate_ & kServerLogFailed) return log_error(services_.append_log.failure());
  return {};
}

// DEBUG and MODULE LOAD are refused unless the configuration allows them, to all or to local clients.
bool Dispatcher::protected_command_allowed(const Client& client, const Command& command) const {
  const Settings& settings = services_.settings;
  const auto use =
      top_level(command).spec->name == "module" ? settings.enable_module_command : settings.enable_debug_command;
  const bool local = (client.flags & (kClientLoopback | kClientUnixSocket)) != 0;
  return use == ProtectedCommandUse::kYes || (use == ProtectedCommandUse::kLocal && local);
}

bool Dispatcher::out_of_memory() const {
  return (gate_ & kServerMemoryLimited) != 0 && !services_.memory_limit.make_room(now_ms_);
}

void Dispatcher::queue_in_transaction(Client& client, const Command& command, uint32_t flags,
                                      std::span<const Bytes> argv, ReplyWriter& reply) {
  client.transaction->request_flags |= flags;
  client.transaction->queue(command, argv);
  reply.queued();
}

void Dispatcher::call(Client& client, const Command& command, std::span<const Bytes> argv, uint64_t first_key_hash,
                      ReplyWriter& reply) {
  const size_t start = reply.position();
  counted_errors_ = reply.error_count();
  client.last_command = command.full_name;
  const uint64_t dirty_before = services_.stats.dirty;
  const uint16_t db = client.db;
  CommandContext ctx(*this, services_, client, reply, now_ms_);
  ctx.begin(command, argv, first_key_hash);
  ArgReader args(argv.subspan(command.parent != nullptr ? 2 : 1));
  const bool monitored = !services_.monitors.empty() && begin_monitored(client, command, argv);
  command.spec->run(ctx, args);
  if (services_.propagation.active() && services_.stats.dirty != dirty_before && !ctx.propagation_replaced() &&
      (command.spec->flags & kWrite)) {
    if (command.renamed) [[unlikely]] {
      propagate_under_its_name(db, command, argv);
    } else {
      services_.propagation.request(db, argv);
    }
  }

  if (monitored) [[unlikely]]
    services_.monitors.show(client, without_secrets(argv));
  if (services_.tracking.active()) [[unlikely]]
    follow_reads(client, command, argv);

  const uint64_t now_ns = stopwatch_.now_ns();
  const uint64_t elapsed_ns = now_ns > last_ns_ ? now_ns - last_ns_ : 0;
  last_ns_ = now_ns;
  // It waits: the try that is answered counts.
  if (client.gate & kGateBlocked) [[unlikely]]
    return;
  CommandStats& stats = command.stats;
  ++stats.calls;
  stats.cpu_ns += elapsed_ns;
  ++client.commands;
  ++services_.stats.commands_processed;
  // An error of a request inside a transaction was counted there, not again for its EXEC.
  if (reply.error_count() != counted_errors_) [[unlikely]] {
    counted_errors_ = reply.error_count();
    ++stats.failed_calls;
    if (!std::exchange(errors_counted_, false)) services_.stats.count_error(reply.buffer().bytes().substr(start));
  }
  observe(client, command, argv, elapsed_ns);
  if (!redacted_.empty()) [[unlikely]]
    redacted_.clear();
}

// Whoever repeats it may know it by another name, or by none.
void Dispatcher::propagate_under_its_name(uint16_t db, const Command& command, std::span<const Bytes> argv) {
  std::vector<Bytes> named(argv.begin(), argv.end());
  named[0] = top_level(command).spec->name;
  services_.propagation.request(db, named);
}

void Dispatcher::replay(Client& client, const Command& command, std::span<const Bytes> argv, ReplyWriter& reply) {
  const Running outer = running();
  last_ns_ = 0;
  CommandContext ctx(*this, services_, client, reply, now_ms_);
  ctx.begin(command, argv, 0);
  ArgReader args(argv.subspan(command.parent != nullptr ? 2 : 1));
  command.spec->run(ctx, args);
  errors_counted_ = false;
  resume(outer);
}

// Whether the request is to be shown when it has run: only then is it known what of it is secret. A script is shown before
// the commands that it runs. One that waited was shown when it came.
bool Dispatcher::begin_monitored(const Client& client, const Command& command, std::span<const Bytes> argv) {
  const uint32_t flags = command.spec->flags;
  if ((flags & kAdmin) || client.blocked != nullptr) return false;
  if (flags & kSkipMonitor) services_.monitors.show(client, argv);
  return !(flags & kSkipMonitor);
}

// The tracking that counts is that of the client whose request this is part of.
void Dispatcher::follow_reads(const Client& client, const Command& command, std::span<const Bytes> argv) {
  Client* asker = services_.delivery.running();
  if (asker == nullptr) return;
  services_.tracking.command_ran(*asker, command, argv);
  const bool is_whole = asker == &client && !(client.flags & kClientDenyBlocking);
  if (is_whole) services_.tracking.request_ended(*asker, command);
}

void Dispatcher::call_nested(Client& client, const Command& command, std::span<const Bytes> argv, ReplyWriter& reply) {
  const Running outer = running();
  last_ns_ = stopwatch_.now_ns();
  call(client, command, argv, 0, reply);
  resume(outer);
}

// The arguments with those replaced that the command marked as secret.
std::vector<Bytes> Dispatcher::without_secrets(std::span<const Bytes> argv) const {
  std::vector<Bytes> shown(argv.begin(), argv.end());
  for (Bytes& argument : shown) {
    if (std::find(redacted_.begin(), redacted_.end(), argument.data()) != redacted_.end()) argument = "(redacted)";
  }
  return shown;
}

// The slow log, the latency events and the command's histogram.
void Dispatcher::observe(Client& client, const Command& command, std::span<const Bytes> argv, uint64_t elapsed_ns) {
  const Settings& settings = services_.settings;
  if (settings.latency_tracking) {
    CommandStats& stats = command.stats;
    if (!stats.latency_ns) [[unlikely]]
      stats.latency_ns = std::make_unique<Histogram>();
    stats.latency_ns->record(elapsed_ns);
  }
  const auto elapsed_us = static_cast<int64_t>(elapsed_ns / 1000);
  if (settings.slowlog_slower_than_us >= 0 && elapsed_us >= settings.slowlog_slower_than_us) [[unlikely]] {
    if (!(command.spec->flags & kSkipSlowlog)) {
      const Bytes peer = client.flags & kClientScript ? Bytes("?:0") : Bytes(client.peer);  // it has no connection
      services_.slowlog.record(without_secrets(argv), elapsed_us, now_ms_ / 1000, peer, client.name);
    }
  }
  if (settings.latency_monitor_threshold_ms > 0 && elapsed_us >= settings.latency_monitor_threshold_ms * 1000)
      [[unlikely]] {
    services_.latency.record((command.spec->flags & kFast) ? "fast-command" : "command", elapsed_us / 1000,
                             now_ms_ / 1000);
  }
}

}  // namespace larder
