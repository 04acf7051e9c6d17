#pragma once

// The one path from a parsed request to a running command.
//
// execute() is what the tick calls. A request of an ordinary client on an ordinary server goes straight to its handler;
// every reason to look closer (not authenticated, inside MULTI, server paused, memory short ...) is a bit in the client's
// gate or the server's gate, and only if one of them is set are the checks made, in the order in which Redis answers
// them: unknown command, arity, authentication, memory, state of the server, transaction.
//
// call() runs a handler whose request was admitted and does what every command has in common: statistics, slow log,
// error counts. EXEC (and later scripts) use it for the requests inside.
//
// Time is read once per command: the end of one is the beginning of the next. On x86-64 that is the cycle counter,
// because a system clock read would be a tenth of the cost of a pipelined GET.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "server/core/context.h"

namespace larder {

// Reasons on the side of the server to look closer at each request.
enum ServerGate : uint32_t {
  kServerPaused = 1u << 0,
  kServerMemoryLimited = 1u << 1,  // maxmemory is set
  kServerLoading = 1u << 2,
  kServerSnapshotFailed = 1u << 3,  // stop-writes-on-bgsave-error applies
  kServerLogFailed = 1u << 4,       // the append-only log cannot be written: requests that write are refused
  kServerLogBehind = 1u << 5,       // too much waits for the log's disk: requests that write wait
  kServerEnding = 1u << 6,          // what was to be saved is saved: nothing more is executed
  kServerBusy = 1u << 8,            // a script runs for too long
};

// Elapsed time for statistics. Counts cycles where the processor has a constant-rate counter and the clock is the
// machine's; otherwise asks the clock.
class Stopwatch {
 public:
  // `use_cycles` is false under a simulated clock.
  Stopwatch(const Clock& clock, bool use_cycles);
  uint64_t now_ns() const;

 private:
  const Clock& clock_;
  double ns_per_cycle_ = 0;  // 0: no cycle counter
};

class Dispatcher {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kHold,  // the request was not run (the client is paused or blocks): keep it and everything behind it
  };

  Dispatcher(Services& services, bool use_cycles);

  // Checks and runs one request; the reply (or the error) is in `reply`. `command` is what the registry resolved, null
  // when the name is unknown. `first_key_hash` is the hash of the first key if it has been computed, or 0.
  Outcome execute(Client& client, const Command* command, std::span<const Bytes> argv, uint64_t first_key_hash,
                  ReplyWriter& reply);

  // Runs the request of a client that waited (see wake_up.h): it is admitted anew.
  Outcome execute_again(Client& client, const Command& command, std::span<const Bytes> argv, ReplyWriter& reply);

  // Runs an admitted request and accounts for it.
  void call(Client& client, const Command& command, std::span<const Bytes> argv, uint64_t first_key_hash,
            ReplyWriter& reply);

  // Runs a request of the log, of which nobody is told but who watches the keys: no statistics, no checks, no log.
  void replay(Client& client, const Command& command, std::span<const Bytes> argv, ReplyWriter& reply);

  // The same for a request inside a running one (a script's): what the outer request counts is not disturbed.
  void call_nested(Client& client, const Command& command, std::span<const Bytes> argv, ReplyWriter& reply);

  // What belongs to the running request. To be put back by whoever lets other requests run inside it.
  struct Running {
    uint64_t start_ns;  // on the stopwatch; 0 when it is not measured
    uint32_t counted_errors;
    int64_t now_ms;
  };
  Running running() const { return {last_ns_, counted_errors_, now_ms_}; }
  void resume(const Running& running) {
    last_ns_ = running.start_ns;
    counted_errors_ = running.counted_errors;
    now_ms_ = running.now_ms;
  }

  // The stopwatch of Running::start_ns.
  uint64_t now_ns() const { return stopwatch_.now_ns(); }
  // Called when a turn begins, so that waiting is not counted as work.
  void start_clock() { last_ns_ = stopwatch_.now_ns(); }
  // The wall clock of this tick, in milliseconds; every command of a tick sees the same time.
  void set_now_ms(int64_t now_ms) { now_ms_ = now_ms; }
  int64_t now_ms() const { return now_ms_; }

  // Whether maxmemory is exceeded, for whoever asks on behalf of requests that do not come through execute().
  bool out_of_memory() const;
  // Why commands that write are refused, because what they change could not be kept. Empty: they are not refused.
  std::string write_refusal() const;
  bool refuses_writes() const { return (gate_ & (kServerSnapshotFailed | kServerLogFailed)) != 0; }
  void set_gate(ServerGate reason, bool on) { gate_ = on ? gate_ | reason : gate_ & ~reason; }
  // The errors in the running request's reply were counted by the one who wrote them: a script counts each by itself.
  void set_errors_counted() { errors_counted_ = true; }
  // What requests are told while kServerBusy is set.
  void set_busy_text(ErrorText text) { busy_text_ = text; }
  ErrorText busy_text() const { return busy_text_; }
  bool has_gate(ServerGate reason) const { return (gate_ & reason) != 0; }
  // Keeps this argument of the running command (a password) out of the slow log and of whatever else shows requests.
  void redact(Bytes argument) { redacted_.push_back(argument.data()); }

 private:
  // What the request is judged by: its command, the script it runs, the transaction it is to execute.
  uint32_t flags_of(const Client& client, const Command& command, std::span<const Bytes> argv) const;
  // The long way of execute(), for a client or a server with a reason to look closer.
  Outcome execute_checked(Client& client, const Command* command, std::span<const Bytes> argv, uint64_t first_key_hash,
                          ReplyWriter& reply);
  enum class Admission : uint8_t { kRun, kAnswered, kHold };
  Admission admit(Client& client, const Command* command, std::span<const Bytes> argv, ReplyWriter& reply);
  Admission reject(Client& client, const Command* command, ReplyWriter& reply, Bytes error);
  bool reject_unknown(Client& client, const Command* command, std::span<const Bytes> argv, ReplyWriter& reply);
  void begin_unanswered(Client& client, ReplyWriter& reply);
  bool protected_command_allowed(const Client& client, const Command& command) const;
  void queue_in_transaction(Client& client, const Command& command, uint32_t flags, std::span<const Bytes> argv,
                            ReplyWriter& reply);
  bool begin_monitored(const Client& client, const Command& command, std::span<const Bytes> argv);
  void propagate_under_its_name(uint16_t db, const Command& command, std::span<const Bytes> argv);
  void follow_reads(const Client& client, const Command& command, std::span<const Bytes> argv);
  std::vector<Bytes> without_secrets(std::span<const Bytes> argv) const;
  void observe(Client& client, const Command& command, std::span<const Bytes> argv, uint64_t elapsed_ns);

  Services& services_;
  Stopwatch stopwatch_;
  uint32_t gate_ = 0;
  ErrorText busy_text_ = kBusyScript;
  uint64_t last_ns_ = 0;
  int64_t now_ms_ = 0;
  std::vector<const char*> redacted_;
  uint32_t counted_errors_ = 0;  // of the reply writer's count: those that are in the statistics already
  bool errors_counted_ = false;  // the others are as well
};

}  // namespace larder
