#pragma once

// The append-only log as the server sees it: takes what the ticks changed, hands it to the writer, and knows what of it is
// durable. docs/design/append_log.md has the whole picture.
//
// The loop never waits for a disk here: commands are encoded into a buffer of this object, a tick's worth is moved to the
// LogThread's queue, and what came of it is learned by poll(), which the server calls once a turn. wake_loop() of the
// process ends the loop's wait when there is something to learn.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/log.h"
#include "server/config/settings.h"
#include "server/core/log_thread.h"
#include "server/core/propagation.h"
#include "server/core/services.h"

namespace larder {

// Makes the base of a rewritten log: the data as they are when start() is called, written to a file and synced.
class LogBaseProducer {
 public:
  // Behind the path of a base of commands: the snapshot that it is made from, until it is complete.
  static constexpr Bytes kRdbSuffix = ".rdb";

  virtual ~LogBaseProducer() = default;
  // Begins to write `path`, as RDB or as commands. `done` is called on the loop, later, once. Not ok: it cannot begin now
  // (another save runs).
  virtual Status start(const std::string& path, bool as_rdb, std::function<void(const Status&)> done) = 0;
  // Gives up what start() began; done() is not called.
  virtual void cancel() = 0;
  // Another save runs, so that start() would fail.
  virtual bool is_busy() const = 0;
  // There are neither data nor libraries, so that no base is needed.
  virtual bool is_empty() const = 0;
};

class AppendLog final : public PropagationSink {
 public:
  struct Environment {
    const Clock& clock;
    FileSystem& files;
    Log& log;
    ProcessControl& process;
    const Settings& settings;
    uint64_t random_seed = 0;
    bool use_thread = true;
  };
  enum class State : uint8_t {
    kOff,
    kBeginning,  // turned on while there are data: written, but not complete before its base is
    kOn,
  };

  explicit AppendLog(const Environment& environment);
  ~AppendLog() override;

  // The way to make bases; null: there is none, and rewrites fail.
  void set_base_producer(LogBaseProducer* producer) { producer_ = producer; }

  // Goes on with the log that was loaded, or begins an empty one.
  Status start(AofManifest manifest, const AofWriter::Resume& resume);
  // appendonly yes while serving: begins a log with the present data as its base; later, by cron(), while one before it is
  // still being written.
  Status turn_on();
  // The same at a start that found a snapshot and no log. Nobody is served yet, so it may wait for the disk; requests that
  // write are to be held until the base is complete, because a kill would cost them.
  Status turn_on_at_start();
  // appendonly no: what was submitted is written and synced behind the loop's back, see is_leaving().
  void turn_off();
  // The end of the server: the same, and waits for it.
  Status finish();
  // Waits until everything so far is durable. Not ok: the disk fails, so that a server which ended now would lose it.
  Status settle();

  // appendfsync was changed.
  void settings_changed();

  // PropagationSink
  void command(uint16_t db, std::span<const Bytes> argv) override;
  void encoded(uint16_t db, Bytes encoding, std::span<const Bytes> argv) override;
  void begin_unit() override;
  void end_unit() override;
  void abandon_unit() override;
  uint64_t end_group() override;

  // Everything up to `group` is to be synced soon, whatever appendfsync says: somebody waits for it.
  void hasten(uint64_t group);

  // Learns what the writer has done. True when something has changed.
  bool poll();
  // Automatic rewrites, and a second try of one that failed. Ten times a second.
  void cron();
  // Without a thread: lets the writer work. True when there is more to do.
  bool step();
  // One that was turned off, or left for another folder, is still being written.
  bool is_leaving() const { return !leaving_.empty(); }

  State state() const { return state_; }
  bool on() const { return state_ == State::kOn; }
  // On or about to be: not off, and not only rewritten once.
  bool keeps_log() const { return state_ != State::kOff && !only_once_; }
  // `dir` was changed since it was opened: it goes on where it is until the next rewrite. Requires: on().
  bool is_elsewhere() const { return thread_->writer().directory() != log_directory(); }
  // Turned on, and not complete: what is in the folder yet is another log, or none.
  bool is_beginning() const { return state_ == State::kBeginning && !only_once_; }
  // Writing has failed and has not been mended, or the first base could not be written: requests that write are to be
  // refused. Changes with poll().
  bool failed() const { return keeps_log() && (report_.failed || base_failed_); }
  const std::string& failure() const { return report_.failed ? report_.failure : base_failure_; }
  // More waits for the disk than is good, or the log that a start began has no base: requests that write are to be held.
  bool is_behind() const { return behind_ || (began_at_start_ && is_beginning()); }

  // The group that changes made now will be in (or the last one, when there are none), and the last durable one.
  uint64_t current_group() const { return building_.empty() ? last_group_ : last_group_ + 1; }
  uint64_t durable_group() const {
    if (state_ == State::kBeginning) return groups_before_;
    const uint64_t here = std::max(report_.durable_number, groups_before_);
    return next_ ? std::min(here, std::max(next_report_.durable_number, next_begun_group_)) : here;
  }

  // The group that whatever is said to a client now must wait for; 0: it need not wait.
  uint64_t reply_group() const;

  // BGREWRITEAOF. With `later`, or while another save runs, it is scheduled: see rewrite_scheduled(). While the log is off,
  // a log of the present data is written and left alone. Not ok: it cannot begin; the reason is a complete text for the wire.
  Status rewrite(bool later);
  bool rewriting() const { return rewriting_; }
  bool rewrite_scheduled() const { return rewrite_scheduled_; }

  struct Figures {
    uint64_t current_bytes = 0;
    uint64_t base_bytes = 0;     // as of the start or the last rewrite
    uint64_t pending_bytes = 0;  // not safe yet
    uint64_t delayed_syncs = 0;
    uint64_t syncs = 0;
    uint64_t rewrites = 0;
    uint64_t rewrite_failures_in_a_row = 0;
    int64_t last_rewrite_s = -1;
    int64_t current_rewrite_s = -1;
    bool last_rewrite_ok = true;
  };
  Figures figures() const;

 private:
  std::unique_ptr<LogThread> new_thread();
  // One whose log has no base yet.
  Result<std::unique_ptr<LogThread>> begin_without_base();
  // With the present data, if there are any. `waits`: the loop does.
  Status begin_with_base(bool waits = false);
  bool has_data() const { return producer_ == nullptr || !producer_->is_empty(); }
  void adopt_nothing();
  // Turned on, but without a file: it begins when those before it have left.
  bool is_awaited() const { return state_ == State::kBeginning && !thread_; }
  // What would begin now may be in the same folder as a log that is still being written.
  bool must_await() const { return !leaving_.empty() && (!thread_ || is_elsewhere()); }
  void begin_awaited();
  // A log that was turned off, or left for another folder, and is not written to its end yet.
  struct Leaving {
    std::unique_ptr<LogThread> thread;
    uint64_t group = 0;  // the last one that is safe when it is; 0: none depends on it
  };
  void leave(std::unique_ptr<LogThread> thread, uint64_t group);
  bool poll_leaving();
  void note_left(const Leaving& left, const Status& outcome);
  std::string log_directory() const;
  // A rewrite begins the log anew in the folder of now. Until the base is complete everything is written to both.
  Status begin_move();
  void end_move();
  LogThread& rewritten() { return next_ ? *next_ : *thread_; }
  uint64_t outstanding_bytes() const;
  void warn_of_unnamed_files(const AofWriter& writer);
  void remove_leftovers(const std::string& directory);
  void begin_state(State state);
  void apply_sync_rule();
  void sync();
  void select(uint16_t db);
  void begin_command(uint16_t db);
  // The same group if it is not durable yet and somebody has to wait for it, else 0.
  uint64_t group_to_wait_for(uint64_t group) const;
  void end_command();
  void submit();
  void submit_before_unit();
  void note_load();
  void note_failure_change(bool was_failed);
  void begin_rewrite();
  void rewrite_goes_on();
  void give_up_rewrite(const Status& why);
  void end_rewrite(const Status& outcome);
  void note_rewrite_failure(const Status& outcome);
  std::string temporary_name() const;

  const Environment environment_;
  LogBaseProducer* producer_ = nullptr;
  State state_ = State::kOff;
  std::unique_ptr<LogThread> thread_;
  // The log in another folder that a rewrite begins; the groups up to this one are in its base.
  std::unique_ptr<LogThread> next_;
  LogThread::Report next_report_;
  uint64_t next_begun_group_ = 0;
  // At most two, since none begins while there is one: what a move had begun, and the log itself.
  std::vector<Leaving> leaving_;
  LogThread::Report report_;
  bool behind_ = false;
  bool waits_for_disk_ = false;  // appendfsync always
  bool only_once_ = false;       // the log is off, but is rewritten
  bool began_at_start_ = false;
  uint64_t hastened_group_ = 0;  // somebody waits for it
  uint64_t synced_group_ = 0;    // the writer was told to sync up to it

  AofGroup building_;
  uint64_t last_group_ = 0;     // submitted
  uint64_t groups_before_ = 0;  // those up to this one went to a log that was turned off since
  uint64_t begun_group_ = 0;    // those up to this one are in the base that the log begins with
  int32_t selected_db_ = -1;    // what the file has selected at its end
  int64_t last_timestamp_s_ = 0;
  bool in_unit_ = false;
  size_t unit_begin_ = 0;  // offset of the unit in building_
  int32_t unit_db_ = 0;    // selected there
  uint32_t unit_commands_ = 0;

  // A rewrite: the walk and the rotation go on at the same time, then the base is adopted.
  bool rewriting_ = false;
  bool walked_ = false;
  bool rotated_ = false;
  bool adopting_ = false;
  bool base_is_rdb_ = true;
  bool rewrite_scheduled_ = false;
  int64_t rewrite_began_ms_ = 0;
  int64_t retry_at_ms_ = 0;
  std::string base_failure_;  // why the log that begins has no base; empty: it was not tried, or it goes on
  bool base_failed_ = false;  // the same, as of the last poll()
  uint64_t first_sequence_ = 0;
  uint64_t rotation_ = 0;  // what the writer counts when it has done what the rewrite asked for
  uint64_t base_ = 0;
  Figures figures_;
};

}  // namespace larder
