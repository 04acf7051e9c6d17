#pragma once

// What a tick's commands changed, in the form in which it is repeated elsewhere: by the append-only log, and by replicas.
//
// The dispatcher offers every write command that changed something, as it was requested; a command whose request would not
// have the same effect elsewhere or later (SPOP, EXPIRE, INCRBYFLOAT, a blocking pop that was served) says what to repeat in
// its place with CommandContext::propagate_as(). Keys removed by expiry and eviction are offered as DEL by KeyEvents.
// The commands of a transaction or a script are one unit: begin_unit() ... end_unit().
//
// While nobody listens, active() is false and nothing is collected.

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace larder {

// Who repeats the commands. Arguments are valid during the call.
class PropagationSink {
 public:
  virtual ~PropagationSink() = default;
  virtual void command(uint16_t db, std::span<const Bytes> argv) = 0;
  // The same, with the command's encoding at hand: an array of bulk strings.
  virtual void encoded(uint16_t db, [[maybe_unused]] Bytes encoding, std::span<const Bytes> argv) { command(db, argv); }
  // A published message, which changes nothing: for replicas alone, no log keeps it.
  virtual void message(std::span<const Bytes>) {}
  // Around the commands of one transaction or script, or that one request stands for.
  virtual void begin_unit() = 0;
  virtual void end_unit() = 0;
  // In place of end_unit(): the unit is not to be, and nothing comes after it.
  virtual void abandon_unit() = 0;
  // The changes of this tick, or of the background work after it, are complete: they are one group. Inside a unit that
  // holds for what lies before it. Returns the number of
  // the group that the tick's replies must wait for, 0 when they need not wait.
  virtual uint64_t end_group() = 0;
};

class Propagation {
 public:
  // Null: nobody listens. The sink outlives this or is replaced.
  void set_sink(PropagationSink* sink) {
    if (unit_open_) close_unit();
    sink_ = sink;
  }
  bool active() const { return sink_ != nullptr; }

  // A command that stands for one that took effect in database `db`. Those of one request are a unit.
  void command(uint16_t db, std::span<const Bytes> argv) {
    if (muted_ || sink_ == nullptr) return;
    if (in_request_ || unit_depth_ > 0) open_unit();
    sink_->command(db, argv);
  }
  // The removal of what expired or was evicted. It is told whatever a script wants to be told of its own commands: what
  // others write to the key afterwards would be written to the old value elsewhere.
  void removal(uint16_t db, std::span<const Bytes> argv) {
    if (begin_command()) sink_->command(db, argv);
  }
  // A command that took effect as it was requested.
  void request(uint16_t db, std::span<const Bytes> argv) {
    if (muted_ || !begin_command()) return;
    if (lies_in(request_, argv.front())) return sink_->encoded(db, request_, argv);
    sink_->command(db, argv);
  }
  // Around the execution of a request: its bytes as they came, if they are the encoding of its arguments, else nothing.
  // They save encoding it again.
  void begin_request(Bytes bytes) {
    request_ = bytes;
    in_request_ = true;
  }
  void end_request() {
    request_ = {};
    in_request_ = false;
    if (unit_open_ && unit_depth_ == 0) close_unit();
  }
  // PUBLISH and its relatives.
  void message(std::span<const Bytes> argv) {
    if (sink_ != nullptr && !muted_) sink_->message(argv);
  }
  // While muted, what is offered is dropped: a script said redis.set_repl(redis.REPL_NONE).
  void set_muted(bool muted) { muted_ = muted; }
  // Units nest (a script inside a transaction); the outermost one counts.
  void begin_unit() { unit_depth_++; }
  void end_unit() {
    if (--unit_depth_ == 0 && unit_open_) close_unit();
  }
  // The server stops in the middle of a unit that is not to be kept: neither it nor what may follow is told to anybody.
  void abandon_unit() {
    if (unit_open_) sink_->abandon_unit();
    unit_open_ = false;
    sink_ = nullptr;
  }
  // At the end of each tick and of each round of background work, and when others are answered while a script runs.
  uint64_t end_group() { return sink_ == nullptr ? 0 : sink_->end_group(); }

 private:
  // False: nobody wants to know.
  bool begin_command() {
    if (sink_ == nullptr) return false;
    if (unit_depth_ > 0) open_unit();
    return true;
  }
  void open_unit() {
    if (unit_open_) return;
    unit_open_ = true;
    sink_->begin_unit();
  }
  void close_unit() {
    unit_open_ = false;
    sink_->end_unit();
  }
  // The arguments of another request (of a script, of a transaction) lie elsewhere.
  static bool lies_in(Bytes request, Bytes argument) {
    return reinterpret_cast<uintptr_t>(argument.data()) - reinterpret_cast<uintptr_t>(request.data()) < request.size();
  }

  PropagationSink* sink_ = nullptr;
  Bytes request_;
  uint32_t unit_depth_ = 0;
  bool unit_open_ = false;
  bool in_request_ = false;
  bool muted_ = false;
};

}  // namespace larder
