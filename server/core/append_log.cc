#include "server/core/append_log.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/number_text.h"
#include "persistence/aof_format.h"
#include "protocol/error_text.h"

namespace larder {
namespace {

// A tick that changes more than this goes to the writer in several groups.
constexpr size_t kGroupBytes = 8 * 1024 * 1024;

constexpr Bytes kMulti = "*1\r\n$5\r\nMULTI\r\n";
constexpr Bytes kExec = "*1\r\n$4\r\nEXEC\r\n";

// A base that is being written is called temp-rewriteaof-<appendfilename>-<number of the process>.aof: logs of other names
// may be in the same folder.
constexpr Bytes kTemporarySuffix = ".aof";

std::string temporary_prefix(const Settings& settings) { return "temp-rewriteaof-" + settings.append_file_name + "-"; }

// Exactly what a rewrite calls its files, the snapshot that becomes commands among them: other logs may be called alike.
bool is_temporary_base(Bytes name, Bytes prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  const size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
  name.remove_prefix(digits);
  if (digits == 0 || !name.starts_with(kTemporarySuffix)) return false;
  name.remove_prefix(kTemporarySuffix.size());
  return name.empty() || name == LogBaseProducer::kRdbSuffix;
}

// After a rewrite that failed by itself: 5 s, 10 s, ... until an hour.
constexpr int64_t kRetryMs = 5000;
constexpr int64_t kRetryMsMax = 3600 * 1000;
// While requests that write are refused, because the log has no base yet.
constexpr int64_t kFirstBaseRetryMsMax = 60 * 1000;

AofSyncRule rule_of(const std::string& word) {
  if (word == "always") return AofSyncRule::kAlways;
  return word == "no" ? AofSyncRule::kNever : AofSyncRule::kEverySecond;
}

}  // namespace

AppendLog::AppendLog(const Environment& environment) : environment_(environment) {
  building_.bytes = AofGroup::with_room();
}

AppendLog::~AppendLog() { (void)finish(); }

// ---- On and off

std::string AppendLog::log_directory() const {
  return join_path(environment_.settings.dir, environment_.settings.append_directory);
}

std::unique_ptr<LogThread> AppendLog::new_thread() {
  AofWriter::Options options;
  options.directory = log_directory();
  options.file_name = environment_.settings.append_file_name;
  options.random_seed = environment_.random_seed + last_group_;
  return std::make_unique<LogThread>(environment_.files, environment_.clock, std::move(options),
                                     [this] { environment_.process.wake_loop(); });
}

void AppendLog::begin_state(State state) {
  // Replies that wait since it was turned on go on waiting for its base.
  if (state_ == State::kOff) groups_before_ = last_group_;
  begun_group_ = last_group_;
  state_ = state;
  selected_db_ = -1;
  behind_ = false;
  base_failure_.clear();
  apply_sync_rule();
  thread_->start(environment_.use_thread);
  report_ = thread_->report();
  figures_.base_bytes = report_.log_bytes;
}

Status AppendLog::start(AofManifest manifest, const AofWriter::Resume& resume) {
  LARDER_ASSERT(state_ == State::kOff);
  std::unique_ptr<LogThread> thread = new_thread();
  LARDER_TRY(thread->writer().open(std::move(manifest), resume));
  thread_ = std::move(thread);
  warn_of_unnamed_files(thread_->writer());
  remove_leftovers(thread_->writer().directory());
  begin_state(State::kOn);
  return {};
}

// They were named by a manifest that is gone, or could not be removed. Their numbers are not used again.
void AppendLog::warn_of_unnamed_files(const AofWriter& writer) {
  if (!writer.has_unnamed_files()) return;
  environment_.log.warning("{} has no manifest, but files of an append only log: they are left alone, and not loaded",
                           writer.directory());
}

// What is left of rewrites and of logs without a base that were going on when a server ended. What cannot be removed is in
// nobody's way.
void AppendLog::remove_leftovers(const std::string& directory) {
  const std::string& file_name = environment_.settings.append_file_name;
  const std::string prefix = temporary_prefix(environment_.settings);
  const Result<std::vector<DirectoryEntry>> entries = environment_.files.list(directory);
  if (!entries) return;
  for (const DirectoryEntry& entry : *entries) {
    if (!is_temporary_base(entry.name, prefix) && !is_unnamed_aof_incr(file_name, entry.name)) continue;
    if (environment_.files.remove(join_path(directory, entry.name)).ok()) {
      environment_.log.notice("Removed {}, a rewrite of the log that did not come to its end", entry.name);
    }
  }
}

Status AppendLog::turn_on() {
  if (only_once_) turn_off();
  if (state_ != State::kOff) return {};
  if (!must_await()) return begin_with_base();
  // To wait for the log before it would be to wait for a disk. What changes meanwhile will be in the base.
  state_ = State::kBeginning;
  rewrite_scheduled_ = true;
  retry_at_ms_ = 0;
  apply_sync_rule();
  return {};
}

void AppendLog::begin_awaited() {
  if (must_await() || environment_.clock.mono_ms() < retry_at_ms_) return;
  end_group();
  rewrite_began_ms_ = environment_.clock.mono_ms();
  if (const Status begun = begin_with_base(); !begun.ok()) end_rewrite(begun);
}

Status AppendLog::turn_on_at_start() {
  LARDER_TRY(begin_with_base(true));
  began_at_start_ = state_ == State::kBeginning;
  return {};
}

Result<std::unique_ptr<LogThread>> AppendLog::begin_without_base() {
  LARDER_ASSERT(leaving_.empty());  // it may be in the same folder
  std::unique_ptr<LogThread> thread = new_thread();
  AofWriter& writer = thread->writer();
  LARDER_TRY_ASSIGN(AofManifest manifest,
                    read_aof_manifest(environment_.files, writer.directory(), environment_.settings.append_file_name));
  LARDER_TRY_ASSIGN(std::shared_ptr<FileLock> lock, lock_aof(environment_.files, writer.directory(), manifest));
  remove_leftovers(writer.directory());
  LARDER_TRY(writer.open_without_base(std::move(manifest), std::move(lock)));
  warn_of_unnamed_files(writer);
  return thread;
}

Status AppendLog::begin_with_base(bool waits) {
  const bool needs_base = has_data();
  const bool is_complete = waits && !needs_base;
  LARDER_TRY_ASSIGN(std::unique_ptr<LogThread> thread, begin_without_base());
  AofWriter& writer = thread->writer();
  if (is_complete) LARDER_TRY(writer.adopt_base({}, false, writer.manifest().incremental.back().sequence));
  thread_ = std::move(thread);
  retry_at_ms_ = 0;
  begin_state(is_complete ? State::kOn : State::kBeginning);
  if (is_complete) return {};
  if (!needs_base) {
    adopt_nothing();
    return {};
  }
  rewrite_scheduled_ = true;
  cron();
  return {};
}

// There is nothing that a base would hold: only the manifest is missing.
void AppendLog::adopt_nothing() {
  rewrite_began_ms_ = environment_.clock.mono_ms();
  rewriting_ = walked_ = rotated_ = adopting_ = true;
  base_ = thread_->adopt_base({}, false, thread_->writer().manifest().incremental.back().sequence);
}

Status AppendLog::begin_move() {
  LARDER_TRY_ASSIGN(next_, begin_without_base());
  next_begun_group_ = last_group_;
  first_sequence_ = next_->writer().manifest().incremental.back().sequence;
  rotated_ = true;
  apply_sync_rule();
  next_->start(environment_.use_thread);
  next_report_ = next_->report();
  return {};
}

// The base is complete: what was written so far stays in the old folder.
void AppendLog::end_move() {
  environment_.log.notice("The append only log goes on in {}", next_->writer().directory());
  leave(std::exchange(thread_, std::move(next_)), 0);
  groups_before_ = std::max(groups_before_, next_begun_group_);
  report_ = std::exchange(next_report_, {});
  note_load();
}

void AppendLog::turn_off() {
  if (state_ == State::kOff) return;
  if (rewriting_) give_up_rewrite({ErrorCode::kCancelled, "the log was turned off"});
  rewrite_scheduled_ = false;
  end_group();
  groups_before_ = durable_group();
  if (thread_) {
    leave(std::move(thread_), last_group_);
  } else if (!leaving_.empty()) {
    leaving_.back().group = last_group_;
  } else {
    groups_before_ = last_group_;
  }
  state_ = State::kOff;
  only_once_ = began_at_start_ = false;
  behind_ = base_failed_ = false;
  base_failure_.clear();
  report_ = {};
}

Status AppendLog::finish() {
  turn_off();
  Status outcome;
  for (const Leaving& left : std::exchange(leaving_, {})) {
    const Status finished = left.thread->finish();
    note_left(left, finished);
    if (left.group > 0 && outcome.ok()) outcome = finished;
  }
  return outcome;
}

Status AppendLog::settle() {
  if (!keeps_log() || is_awaited()) return {};
  end_group();
  return thread_->settle();
}

// ---- A log that was turned off or left is written to its end

void AppendLog::leave(std::unique_ptr<LogThread> thread, uint64_t group) {
  thread->finish_later();
  leaving_.push_back({std::move(thread), group});
}

bool AppendLog::poll_leaving() {
  return std::erase_if(leaving_, [this](const Leaving& left) {
           if (!left.thread->changed()) return false;
           const LogThread::Report report = left.thread->report();
           if (report.finished) note_left(left, report.outcome);
           return report.finished;
         }) > 0;
}

void AppendLog::note_left(const Leaving& left, const Status& outcome) {
  if (!outcome.ok() && left.group > 0) {
    environment_.log.warning("The append only log was closed with changes that are not on the disk: {}",
                             outcome.to_string());
  }
  // A log that is off keeps nobody waiting.
  if (outcome.ok() || state_ == State::kOff) groups_before_ = std::max(groups_before_, left.group);
}

void AppendLog::apply_sync_rule() {
  const AofSyncRule rule = rule_of(environment_.settings.append_fsync);
  waits_for_disk_ = rule == AofSyncRule::kAlways;
  if (thread_) thread_->set_sync_rule(rule);
  if (next_) next_->set_sync_rule(rule);
}

void AppendLog::settings_changed() {
  if (state_ == State::kOff) return;
  const bool was_waited_for = waits_for_disk_;
  apply_sync_rule();
  // What was written under another rule may not be durable yet, and the writer may sleep. Also under kNever there are
  // replies that wait for what was written before.
  if (was_waited_for || rule_of(environment_.settings.append_fsync) != AofSyncRule::kNever) sync();
}

void AppendLog::sync() {
  if (thread_) thread_->sync();
  if (next_) next_->sync();
}

// ---- What the ticks changed

void AppendLog::select(uint16_t db) {
  if (building_.empty()) {
    building_.db_before = selected_db_;
    const int64_t now_s = environment_.clock.wall_s();
    if (environment_.settings.aof_timestamp_enabled && now_s != last_timestamp_s_) {
      last_timestamp_s_ = now_s;
      append_aof_timestamp(building_.bytes, now_s);
    }
  }
  if (selected_db_ == db) return;
  char digits[kInt64TextBytesMax];
  const Bytes argv[] = {kAofSelect, {digits, write_int64(digits, db)}};
  append_aof_command(building_.bytes, argv);
  selected_db_ = db;
}

void AppendLog::command(uint16_t db, std::span<const Bytes> argv) {
  begin_command(db);
  append_aof_command(building_.bytes, argv);
  end_command();
}

void AppendLog::encoded(uint16_t db, Bytes encoding, std::span<const Bytes>) {
  if (building_.empty() || selected_db_ != db || in_unit_) {
    begin_command(db);
  } else {
    ++building_.commands;  // nothing goes in front of one that follows in a tick
  }
  building_.bytes.append(encoding);
  end_command();
}

void AppendLog::begin_command(uint16_t db) {
  // Most units turn out to be one command, which needs no MULTI.
  if (in_unit_ && unit_commands_ == 1) {
    char* const room = building_.bytes.resize_gap(unit_begin_, 0, kMulti.size());
    std::copy(kMulti.begin(), kMulti.end(), room);
  }
  select(db);
  ++building_.commands;
  if (in_unit_ && unit_commands_++ == 0) {
    unit_begin_ = building_.bytes.size();
    unit_db_ = selected_db_;
  }
}

void AppendLog::end_command() {
  if (!in_unit_ && building_.bytes.size() >= kGroupBytes) submit();
}

void AppendLog::begin_unit() {
  in_unit_ = true;
  unit_commands_ = 0;
}

void AppendLog::end_unit() {
  in_unit_ = false;
  if (unit_commands_ > 1) building_.bytes.append(kExec);
  end_command();
}

void AppendLog::abandon_unit() {
  in_unit_ = false;
  if (unit_commands_ == 0) return;
  building_.bytes.truncate(unit_begin_);
  building_.commands -= unit_commands_;
  selected_db_ = unit_db_;
}

void AppendLog::submit() {
  building_.number = ++last_group_;
  building_.db_after = selected_db_;
  if (!thread_) {
    building_.bytes.truncate(kAofGroupLineBytes);
    building_.commands = 0;
    return;
  }
  if (next_) {
    AofGroup copy{AofGroup::with_room(building_.bytes.size()), building_.number, building_.commands,
                  building_.db_before, building_.db_after};
    copy.bytes.append(building_.bytes.bytes().substr(kAofGroupLineBytes));
    next_->submit(copy);
  }
  thread_->submit(building_);
  note_load();
}

// The unit is to stay whole, and goes on.
void AppendLog::submit_before_unit() {
  if (unit_commands_ == 0) return submit();
  if (building_.commands == unit_commands_) return;
  Buffer unit;
  unit.append(building_.bytes.bytes().substr(unit_begin_));
  building_.bytes.truncate(unit_begin_);
  building_.commands -= unit_commands_;
  const int32_t db = std::exchange(selected_db_, unit_db_);
  submit();
  selected_db_ = db;
  building_.db_before = unit_db_;
  building_.commands = unit_commands_;
  unit_begin_ = building_.bytes.size();
  building_.bytes.append(unit.bytes());
}

uint64_t AppendLog::end_group() {
  if (!building_.empty()) in_unit_ ? submit_before_unit() : submit();
  if (hastened_group_ > synced_group_ && hastened_group_ <= last_group_) {
    synced_group_ = last_group_;
    sync();
  }
  // Those who are answered meanwhile have seen nothing of the script, and cannot wait for what is written when it ends.
  return group_to_wait_for(in_unit_ ? last_group_ : current_group());
}

// Also for a tick that has only read: what it has seen may not be durable yet.
uint64_t AppendLog::reply_group() const { return group_to_wait_for(current_group()); }

uint64_t AppendLog::group_to_wait_for(uint64_t group) const {
  if (!waits_for_disk_ || !keeps_log() || failed()) return 0;
  return group > durable_group() ? group : 0;
}

void AppendLog::hasten(uint64_t group) { hastened_group_ = std::max(hastened_group_, group); }

uint64_t AppendLog::outstanding_bytes() const {
  return std::max(thread_ ? thread_->outstanding_bytes() : 0, next_ ? next_->outstanding_bytes() : 0);
}

void AppendLog::note_load() {
  const bool was_behind = behind_;
  if (!behind_ && outstanding_bytes() > LogThread::kOutstandingBytesMax) behind_ = true;
  if (behind_ && outstanding_bytes() <= LogThread::kOutstandingBytesMax / 2) behind_ = false;
  if (behind_ == was_behind && !next_) return;
  thread_->wake_when_half_empty(behind_);
  if (next_) next_->wake_when_half_empty(behind_);
}

// ---- What the writer has done

bool AppendLog::step() {
  if (environment_.use_thread) return false;
  bool left = false;
  for (const Leaving& leaving : leaving_) left |= leaving.thread->step();
  const bool moved = next_ && next_->step();
  return (thread_ && thread_->step()) || left || moved;
}

bool AppendLog::poll() {
  const bool changed = poll_leaving() || base_failed_ == base_failure_.empty();
  base_failed_ = !base_failure_.empty();
  const bool next_changed = next_ && next_->changed();
  if (!next_changed && (!thread_ || !thread_->changed())) return changed;
  const bool was_failed = report_.failed;
  report_ = thread_->report();
  if (next_) next_report_ = next_->report();
  note_load();
  note_failure_change(was_failed);
  rewrite_goes_on();
  base_failed_ = !base_failure_.empty();
  return true;
}

void AppendLog::note_failure_change(bool was_failed) {
  Log& log = environment_.log;
  if (report_.failed && !was_failed) {
    log.warning("Writing the append only log failed: {}. Requests that write are refused until it works again",
                report_.failure);
  } else if (!report_.failed && was_failed) {
    log.warning("The append only log works again: what was not on the disk was written to a new file");
  }
}

AppendLog::Figures AppendLog::figures() const {
  Figures figures = figures_;
  figures.current_bytes = report_.log_bytes;
  figures.pending_bytes = outstanding_bytes();
  figures.syncs = report_.syncs;
  figures.delayed_syncs = report_.delayed_syncs;
  if (rewriting_) figures.current_rewrite_s = (environment_.clock.mono_ms() - rewrite_began_ms_) / 1000;
  return figures;
}

// ---- Rewriting

std::string AppendLog::temporary_name() const {
  return temporary_prefix(environment_.settings) + std::to_string(os_process_id()) + std::string(kTemporarySuffix);
}

Status AppendLog::rewrite(bool later) {
  if (rewriting_) return {ErrorCode::kBusy, std::string(kRewriteInProgress.text())};
  if (producer_ == nullptr) return {ErrorCode::kUnsupported, "ERR Append only file rewriting is not available"};
  retry_at_ms_ = 0;  // somebody asks: failures before do not count
  if (later || producer_->is_busy() || must_await() || is_awaited()) {
    rewrite_scheduled_ = true;
    return {};
  }
  if (state_ != State::kOff) {
    begin_rewrite();
    return {};
  }
  only_once_ = true;
  Status begun = begin_with_base();
  if (!begun.ok()) only_once_ = false;
  return begun;
}

// The order to rotate and the start of the walk are the same moment: everything before it is in the base, and everything
// after it in the new file.
void AppendLog::begin_rewrite() {
  rewrite_scheduled_ = false;
  end_group();
  rewrite_began_ms_ = environment_.clock.mono_ms();
  walked_ = rotated_ = adopting_ = false;
  if (is_elsewhere()) {
    if (const Status begun = begin_move(); !begun.ok()) return end_rewrite(begun);
  } else {
    rotation_ = thread_->rotate();
  }
  rewriting_ = true;
  selected_db_ = -1;
  const std::string& directory = rewritten().writer().directory();
  const std::string path = join_path(directory, temporary_name());
  base_is_rdb_ = environment_.settings.aof_use_rdb_preamble;
  // The folder may have been removed: the writer makes it again, too, but later.
  (void)environment_.files.make_directory(directory);
  const Status begun = producer_->start(path, base_is_rdb_, [this](const Status& status) {
    walked_ = true;
    if (!rewriting_) return;
    if (!status.ok()) return end_rewrite(status);
    rewrite_goes_on();
  });
  if (!begun.ok()) return end_rewrite(begun);
  environment_.log.notice("Background append only file rewriting started");
}

void AppendLog::rewrite_goes_on() {
  if (!rewriting_) return;
  const LogThread::Report& report = next_ ? next_report_ : report_;
  if (next_ && report.failed) return give_up_rewrite({ErrorCode::kIo, report.failure});
  if (!rotated_ && report.rotations == rotation_) {
    if (!report.rotation.ok()) return give_up_rewrite(report.rotation);
    first_sequence_ = report.first_sequence;
    rotated_ = true;
  }
  if (walked_ && rotated_ && !adopting_) {
    adopting_ = true;
    base_ = rewritten().adopt_base(temporary_name(), base_is_rdb_, first_sequence_);
  }
  if (adopting_ && report.bases == base_) end_rewrite(report.base);
}

// The base is removed, how far it may be.
void AppendLog::give_up_rewrite(const Status& why) {
  if (!walked_) {
    producer_->cancel();
  } else if (!adopting_) {
    rewritten().drop_base(temporary_name());
  }
  end_rewrite(why);
}

void AppendLog::end_rewrite(const Status& outcome) {
  rewriting_ = false;
  if (next_ && outcome.ok()) end_move();
  if (next_) leave(std::move(next_), 0);
  if (is_beginning() && !outcome.ok()) rewrite_scheduled_ = true;
  if (outcome.code() == ErrorCode::kCancelled) {
    environment_.log.notice("Background append only file rewriting was given up");
    return;
  }
  figures_.last_rewrite_ok = outcome.ok();
  figures_.last_rewrite_s = (environment_.clock.mono_ms() - rewrite_began_ms_) / 1000;
  if (!outcome.ok()) return note_rewrite_failure(outcome);
  ++figures_.rewrites;
  figures_.rewrite_failures_in_a_row = 0;
  figures_.base_bytes = report_.log_bytes;
  if (is_beginning()) {
    state_ = State::kOn;
    groups_before_ = std::max(groups_before_, begun_group_);
    began_at_start_ = false;
    base_failure_.clear();
  }
  environment_.log.notice("Background append only file rewriting finished: {} bytes", report_.log_bytes);
}

void AppendLog::note_rewrite_failure(const Status& outcome) {
  const uint64_t failures = ++figures_.rewrite_failures_in_a_row;
  const int64_t wait_ms_max = is_beginning() ? kFirstBaseRetryMsMax : kRetryMsMax;
  retry_at_ms_ = environment_.clock.mono_ms() + std::min(kRetryMs << std::min<uint64_t>(failures - 1, 16), wait_ms_max);
  if (is_beginning()) base_failure_ = outcome.to_string();
  environment_.log.warning("Background append only file rewriting failed: {}", outcome.to_string());
}

void AppendLog::cron() {
  if (only_once_ && !rewriting_ && !rewrite_scheduled_) turn_off();
  if (is_awaited()) return begin_awaited();
  const bool may_begin = state_ == State::kOff && !must_await() && producer_ != nullptr && !producer_->is_busy();
  if (may_begin && rewrite_scheduled_) {
    rewrite_scheduled_ = false;
    if (const Status begun = rewrite(false); !begun.ok()) {
      environment_.log.warning("Background append only file rewriting failed: {}", begun.to_string());
    }
  }
  if (state_ == State::kOff || rewriting_ || producer_ == nullptr || report_.failed) return;
  const Settings& settings = environment_.settings;
  const auto grown_by = static_cast<double>(report_.log_bytes) - static_cast<double>(figures_.base_bytes);
  const double base_bytes = static_cast<double>(std::max<uint64_t>(figures_.base_bytes, 1));
  const bool grown = settings.aof_rewrite_percentage > 0 &&
                     report_.log_bytes > static_cast<uint64_t>(settings.aof_rewrite_min_bytes) &&
                     100 * grown_by / base_bytes >= static_cast<double>(settings.aof_rewrite_percentage);
  rewrite_scheduled_ |= report_.needs_base;
  if (!rewrite_scheduled_ && !grown) return;
  if (environment_.clock.mono_ms() < retry_at_ms_ || producer_->is_busy() || must_await()) return;
  if (!rewrite_scheduled_) environment_.log.notice("Starting automatic rewriting of the append only log");
  begin_rewrite();
}

}  // namespace larder
