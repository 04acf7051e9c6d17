#include "server/core/log_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.h"
#include "base/os_process.h"

namespace larder {

LogThread::LogThread(FileSystem& files, const Clock& clock, AofWriter::Options options, std::function<void()> wake)
    : clock_(clock), writer_(files, std::move(options)), wake_(std::move(wake)) {}

LogThread::~LogThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LogThread::start(bool use_thread) {
  last_sync_us_ = last_claim_us_ = clock_.mono_us();
  publish();
  if (use_thread) thread_ = std::thread([this] { run(); });
}

// ---- The loop's side

void LogThread::set_sync_rule(AofSyncRule rule) { sync_rule_ = rule; }

void LogThread::submit(AofGroup& group) {
  LARDER_ASSERT(!group.empty());
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    const bool had_enough = has_enough();
    const uint64_t bytes = put_in_queue(group);
    queued_bytes_ += bytes;
    queued_commands_ += std::exchange(group.commands, 0);
    wakes = thread_waits_ && !had_enough && has_enough();
    outstanding_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  if (wakes) work_.notify_one();
}

// Moves the commands to the end of the queue; returns by how many bytes it has grown.
uint64_t LogThread::put_in_queue(AofGroup& group) {
  const bool gathers = sync_rule_ != AofSyncRule::kAlways;
  const Bytes commands = group.bytes.bytes().substr(kAofGroupLineBytes);
  uint64_t bytes = commands.size();
  // Under kAlways all that waits is one group, whatever its memory: it shares a sync.
  const bool has_room = !queue_.empty() && queue_.back().order == Order::kAppend &&
                        (!gathers || queue_.back().group.bytes.free_bytes() >= commands.size());
  if (!has_room) {
    Job job;
    job.group.db_before = group.db_before;
    bytes += kAofGroupLineBytes;
    if (gathers && commands.size() <= kGatherBytes) {
      job.group.bytes = writer_.buffers().take(kAofGroupLineBytes);
    } else {
      job.group.bytes.swap(group.bytes);
      // Others will be gathered behind it: likely as many bytes as the last time.
      group.bytes = AofGroup::with_room(std::min(gathered_bytes_, kGatherBytes));
    }
    queue_.push_back(std::move(job));
  }
  AofGroup& last = queue_.back().group;
  if (group.bytes.size() > kAofGroupLineBytes) last.bytes.append(group.bytes.bytes().substr(kAofGroupLineBytes));
  group.bytes.truncate(kAofGroupLineBytes);
  last.number = group.number;
  last.db_after = group.db_after;
  last.commands += group.commands;
  return bytes;
}

void LogThread::push(Job job) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  work_.notify_one();
}

void LogThread::sync() {
  Job job;
  job.order = Order::kSync;
  ++ordered_syncs_;
  push(std::move(job));
}

uint64_t LogThread::rotate() {
  Job job;
  job.order = Order::kRotate;
  push(std::move(job));
  return ++ordered_rotations_;
}

uint64_t LogThread::adopt_base(std::string temporary_name, bool is_rdb, uint64_t first_sequence) {
  Job job;
  job.order = Order::kAdoptBase;
  job.temporary_name = std::move(temporary_name);
  job.is_rdb = is_rdb;
  job.first_sequence = first_sequence;
  push(std::move(job));
  return ++ordered_bases_;
}

void LogThread::drop_base(std::string temporary_name) {
  Job job;
  job.order = Order::kDropBase;
  job.temporary_name = std::move(temporary_name);
  push(std::move(job));
}

Status LogThread::settle() {
  sync();
  if (!thread_.joinable()) {
    while (step()) {
    }
  }
  std::unique_lock lock(mutex_);
  published_.wait(lock, [this] { return report_.failed || report_.ordered_syncs == ordered_syncs_; });
  return report_.failed ? Status(ErrorCode::kIo, report_.failure) : Status();
}

void LogThread::finish_later() {
  Job job;
  job.order = Order::kFinish;
  push(std::move(job));
}

LogThread::Report LogThread::report() {
  const std::lock_guard lock(mutex_);
  seen_version_ = version_.load(std::memory_order_acquire);
  Report copy = report_;
  copy.outstanding_bytes = outstanding_bytes();
  return copy;
}

Status LogThread::finish() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    work_.notify_one();
    thread_.join();
  }
  Job job;
  while (take_job(job)) do_job(job);
  if (!report_.finished) finish_writing();
  publish();
  return report_.outcome;
}

// ---- The writer's side

bool LogThread::take_job(Job& job) {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) return false;
  job = std::move(queue_.front());
  queue_.pop_front();
  if (job.order == Order::kAppend) {
    gathered_bytes_ = job.group.bytes.size();
    queued_bytes_ -= std::min(queued_bytes_, gathered_bytes_);
    gathered_commands_ = job.group.commands;
    queued_commands_ -= gathered_commands_;
    job.is_behind = queued_bytes_ > kBehindBytes;
  }
  if (queue_.empty()) queued_bytes_ = 0;
  return true;
}

void LogThread::run() {
  bool interrupts = true;
  while (true) {
    // Nobody waits for a group that is written later, but all for the loop, which may have the same core.
    const bool is_awaited = sync_rule_ == AofSyncRule::kAlways;
    if (is_awaited != interrupts) os_interrupt_others(interrupts = is_awaited);
    const int64_t due_us = do_what_is_due();
    {
      std::unique_lock lock(mutex_);
      thread_waits_ = true;
      wait_for_job(lock, due_us);
      gather(lock);
      thread_waits_ = false;
      if (stopping_) return;
    }
    Job job;
    if (take_job(job)) do_job(job);
    if (job.order == Order::kFinish) return;
  }
}

void LogThread::wait_for_job(std::unique_lock<std::mutex>& lock, int64_t due_us) {
  bytes_wanted_ = commands_wanted_ = 1;
  const auto has_work = [this] { return stopping_ || !queue_.empty(); };
  if (due_us < 0) {
    work_.wait(lock, has_work);
  } else {
    work_.wait_for(lock, std::chrono::microseconds(due_us), has_work);
  }
}

void LogThread::gather(std::unique_lock<std::mutex>& lock) {
  const bool answers = sync_rule_ == AofSyncRule::kAlways;
  int64_t wait_us = kGatherUs;
  bytes_wanted_ = kGatherBytes;
  commands_wanted_ = UINT64_MAX;
  if (answers) {
    wait_us = patience_.wait_us(clock_.mono_us());
    if (wait_us == 0) return;
    commands_wanted_ = patience_.expected();
  }
  const auto ends = [this] {
    return stopping_ || queue_.size() != 1 || queue_.front().order != Order::kAppend || has_enough();
  };
  work_.wait_for(lock, std::chrono::microseconds(wait_us), ends);
  if (answers) patience_.waited(has_enough());
}

bool LogThread::step() {
  if (report_.finished) return false;
  do_what_is_due();
  Job job;
  if (!take_job(job)) return false;
  do_job(job);
  if (!report_.finished) do_what_is_due();
  return true;
}

void LogThread::do_job(Job& job) {
  writer_.set_sync_rule(sync_rule_);
  switch (job.order) {
    case Order::kAppend: {
      writer_.set_avoids_cache(!job.is_behind);
      const Status appended = writer_.append(std::move(job.group));
      if (appended.ok() && sync_rule_ == AofSyncRule::kAlways) sync_and_time();
      break;
    }
    case Order::kSync: {
      if (!writer_.failed() && writer_.durable_number() < writer_.written_number()) sync_and_time();
      const std::lock_guard lock(mutex_);
      ++report_.ordered_syncs;
      break;
    }
    case Order::kRotate: {
      Result<uint64_t> rotated = writer_.rotate();
      const std::lock_guard lock(mutex_);
      ++report_.rotations;
      report_.rotation = rotated.status();
      report_.first_sequence = rotated.ok() ? *rotated : 0;
      break;
    }
    case Order::kAdoptBase: {
      Status adopted = writer_.adopt_base(job.temporary_name, job.is_rdb, job.first_sequence);
      const std::lock_guard lock(mutex_);
      ++report_.bases;
      report_.base = std::move(adopted);
      break;
    }
    case Order::kDropBase:
      writer_.remove_temporary(job.temporary_name);
      break;
    case Order::kFinish:
      finish_writing();
      break;
  }
  publish();
}

void LogThread::finish_writing() {
  if (writer_.failed()) (void)writer_.heal();
  Status closed = writer_.failed() ? writer_.failure() : writer_.close();
  writer_.remove_unnamed_files();
  const std::lock_guard lock(mutex_);
  report_.finished = true;
  report_.outcome = std::move(closed);
}

void LogThread::sync_and_time() {
  const int64_t begin_us = clock_.mono_us();
  const Status synced = writer_.sync();
  last_sync_us_ = clock_.mono_us();
  ++syncs_;
  {
    const std::lock_guard lock(mutex_);
    patience_.synced(gathered_commands_, queued_commands_, last_sync_us_ - begin_us, last_sync_us_);
  }
  if (synced.ok() && last_sync_us_ - begin_us > kSyncIntervalUs) ++delayed_syncs_;
}

int64_t LogThread::do_what_is_due() {
  const int64_t now_us = clock_.mono_us();
  writer_.set_sync_rule(sync_rule_);
  if (writer_.failed()) {
    if (now_us >= next_heal_us_) {
      (void)writer_.heal();
      next_heal_us_ = clock_.mono_us() + kHealIntervalUs;
      publish();
    }
    return writer_.failed() ? std::max<int64_t>(next_heal_us_ - now_us, 0) : 0;
  }
  if (writer_.has_unsynced()) {
    if (sync_rule_ == AofSyncRule::kNever) return -1;
    const bool due = now_us - last_sync_us_ >= kSyncIntervalUs || writer_.kept_bytes() >= kUnsyncedBytesMax ||
                     sync_rule_ == AofSyncRule::kAlways;
    if (!due) return kSyncIntervalUs - (now_us - last_sync_us_);
    sync_and_time();
    last_claim_us_ = last_sync_us_;
    publish();
    return kSyncIntervalUs;
  }
  if (!writer_.has_unclaimed()) return -1;
  // Only when nothing has come for a while: the next group would say it without a line of its own.
  const int64_t rest_us = kSyncIntervalUs - (now_us - std::max(last_sync_us_, last_claim_us_));
  if (rest_us > 0) return rest_us;
  (void)writer_.claim();
  writer_.buffers().release();
  last_claim_us_ = now_us;
  publish();
  return -1;
}

void LogThread::publish() {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    const uint64_t outstanding = queued_bytes_ + writer_.kept_bytes();
    outstanding_bytes_.store(outstanding, std::memory_order_relaxed);
    const bool advanced = writer_.durable_number() != report_.durable_number;
    wakes = writer_.failed() != report_.failed;
    wakes |= advanced;
    wakes |= wake_when_half_empty_ && outstanding <= kOutstandingBytesMax / 2;
    wakes |= report_.rotations + report_.bases != reported_orders_ || report_.finished;
    reported_orders_ = report_.rotations + report_.bases;
    report_.written_number = writer_.written_number();
    report_.durable_number = writer_.durable_number();
    report_.log_bytes = writer_.log_bytes();
    report_.syncs = syncs_;
    report_.delayed_syncs = delayed_syncs_;
    report_.failed = writer_.failed();
    report_.needs_base = writer_.needs_base();
    report_.failure = writer_.failed() ? writer_.failure().to_string() : std::string();
    version_.fetch_add(1, std::memory_order_release);
  }
  published_.notify_all();
  if (wakes) wake_();
}

}  // namespace larder
