#pragma once

// Runs an AofWriter away from the loop: a bounded queue of groups and of orders between them, and a thread that empties it.
//
//     loop                                         writer thread
//     submit(group): merges into what waits   ->   append (one write for all that waited), sync as the rule says
//     rotate(), adopt_base(): in order with it ->  files and manifest
//     report(), when changed() says so        <-   what is written, durable, failed; wake() ends the loop's wait
//
// Without a thread (tests, simulations) the owner calls step() and everything happens there, in the same order and with the
// same times, by the injected clock.
//
// Bounds: outstanding_bytes() is what waits and what is kept until it is safe. Whoever submits stops admitting writes
// beyond kOutstandingBytesMax and is woken when it is half of that.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "persistence/aof_writer.h"
#include "server/core/sync_patience.h"

namespace larder {

class LogThread {
 public:
  static constexpr uint64_t kOutstandingBytesMax = 64 * 1024 * 1024;
  // Unless replies wait for it, the writer lets changes gather for so long, or until so much is there: each wake-up costs
  // both threads about 5 us.
  static constexpr int64_t kGatherUs = 5000;
  static constexpr uint64_t kGatherBytes = 1024 * 1024;
  // With kEverySecond: how long, or how many bytes, a group may go without a sync.
  static constexpr int64_t kSyncIntervalUs = 1'000'000;
  static constexpr uint64_t kUnsyncedBytesMax = 8 * 1024 * 1024;
  // When so much waits behind what is being written, the disk is slow: what comes goes through the system's cache.
  static constexpr uint64_t kBehindBytes = 2 * 1024 * 1024;
  static constexpr int64_t kHealIntervalUs = 1'000'000;

  struct Report {
    uint64_t written_number = 0;
    uint64_t durable_number = 0;
    uint64_t outstanding_bytes = 0;
    uint64_t log_bytes = 0;
    uint64_t syncs = 0;
    uint64_t delayed_syncs = 0;  // those that took longer than the time between two
    uint64_t ordered_syncs = 0;  // by sync(): tried, or the log has failed
    bool failed = false;
    bool needs_base = false;  // AofWriter::needs_base()
    std::string failure;
    // The latest rotation and the latest base, and how many there were.
    uint64_t rotations = 0;
    Status rotation;
    uint64_t first_sequence = 0;  // of the files since that rotation
    uint64_t bases = 0;
    Status base;
    bool finished = false;  // and how; nothing follows
    Status outcome;
  };

  // `wake` may be called from the thread. Everything borrowed outlives this.
  LogThread(FileSystem& files, const Clock& clock, AofWriter::Options options, std::function<void()> wake);
  // Ends the thread; what was not drained is not written.
  ~LogThread();
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

  // To be opened before start().
  AofWriter& writer() { return writer_; }
  // With a thread of its own, or stepped by the owner.
  void start(bool use_thread);

  void set_sync_rule(AofSyncRule rule);
  // Takes the commands of `group` away, leaving a group with room. Requires: !group.empty().
  void submit(AofGroup& group);
  // What was submitted is to be durable soon.
  void sync();
  // These return what report() counts in `rotations` and `bases` when it has been done.
  uint64_t rotate();
  uint64_t adopt_base(std::string temporary_name, bool is_rdb, uint64_t first_sequence);
  // A base that is not adopted is removed.
  void drop_base(std::string temporary_name);
  // Whoever submits has stopped until outstanding_bytes() is half of its bound.
  void wake_when_half_empty(bool wanted) { wake_when_half_empty_ = wanted; }

  // True when report() would differ from the last one taken.
  bool changed() const { return version_.load(std::memory_order_acquire) != seen_version_; }
  Report report();
  uint64_t outstanding_bytes() const { return outstanding_bytes_.load(std::memory_order_relaxed); }

  // Without a thread: does what is due. True when there is more.
  bool step();
  // Waits until everything that was submitted is durable. Not ok: the disk fails.
  Status settle();
  // When the queue is empty, syncs, closes the file and ends the thread: report() says when, and what came of it. Nothing is
  // submitted any more.
  void finish_later();
  // The same, and waits for it. The error of the last attempt when not everything is durable.
  Status finish();

 private:
  enum class Order : uint8_t { kAppend, kSync, kRotate, kAdoptBase, kDropBase, kFinish };
  struct Job {
    Order order = Order::kAppend;
    AofGroup group;
    bool is_behind = false;
    std::string temporary_name;
    bool is_rdb = true;
    uint64_t first_sequence = 0;
  };

  uint64_t put_in_queue(AofGroup& group);
  void push(Job job);
  void run();
  // Waits for a job; at most `due_us`, if not negative.
  void wait_for_job(std::unique_lock<std::mutex>& lock, int64_t due_us);
  // Waits until it is worth the while to write what is in the queue.
  void gather(std::unique_lock<std::mutex>& lock);
  bool has_enough() const { return queued_bytes_ >= bytes_wanted_ || queued_commands_ >= commands_wanted_; }
  bool take_job(Job& job);
  void do_job(Job& job);
  void finish_writing();
  // Syncs, claims, heals when it is time. Returns in how many microseconds something is due next, or -1.
  int64_t do_what_is_due();
  void sync_and_time();
  void publish();

  const Clock& clock_;
  AofWriter writer_;
  const std::function<void()> wake_;
  std::thread thread_;

  std::mutex mutex_;  // of what follows
  std::condition_variable work_;
  std::condition_variable published_;
  std::deque<Job> queue_;
  uint64_t queued_bytes_ = 0;
  uint64_t queued_commands_ = 0;
  uint64_t gathered_bytes_ = 0;  // of the last group that was taken
  uint64_t gathered_commands_ = 0;
  // What wakes the writer while it waits: either.
  uint64_t bytes_wanted_ = 1;
  uint64_t commands_wanted_ = 1;
  bool thread_waits_ = false;
  bool stopping_ = false;
  Report report_;
  uint64_t reported_orders_ = 0;  // rotations and bases that the loop was woken for

  std::atomic<AofSyncRule> sync_rule_{AofSyncRule::kEverySecond};
  std::atomic<uint64_t> outstanding_bytes_{0};
  std::atomic<uint64_t> version_{0};
  std::atomic<bool> wake_when_half_empty_{false};
  uint64_t seen_version_ = 0;  // by the loop
  uint64_t ordered_syncs_ = 0;
  uint64_t ordered_rotations_ = 0;
  uint64_t ordered_bases_ = 0;

  // Of the side that writes.
  int64_t last_sync_us_ = 0;
  SyncPatience patience_;
  int64_t last_claim_us_ = 0;
  int64_t next_heal_us_ = 0;
  uint64_t syncs_ = 0;
  uint64_t delayed_syncs_ = 0;
};

}  // namespace larder
