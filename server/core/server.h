#pragma once

// A whole server without sockets: the parts, wired together, and what happens besides requests.
//
// The side with the sockets (server/net, or a test with a simulated clock) owns a Server, tells it of clients that come
// and go, drives its tick, and calls background() after each tick and at least every kBackgroundIntervalMs, and cron()
// every kCronIntervalMs. Everything else happens inside.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/log.h"
#include "base/random.h"
#include "server/config/option_table.h"
#include "server/config/settings.h"
#include "server/core/aof_load.h"
#include "server/core/append_log.h"
#include "server/core/blocking_table.h"
#include "server/core/client_list.h"
#include "server/core/client_memory.h"
#include "server/core/defragmentation.h"
#include "server/core/delivery.h"
#include "server/core/dispatcher.h"
#include "server/core/flush_queue.h"
#include "server/core/held_replies.h"
#include "server/core/key_events.h"
#include "server/core/leftovers.h"
#include "server/core/loading.h"
#include "server/core/log_base.h"
#include "server/core/memory_limit.h"
#include "server/core/monitors.h"
#include "server/core/notifications.h"
#include "server/core/pause.h"
#include "server/core/propagation.h"
#include "server/core/pubsub.h"
#include "server/core/registry.h"
#include "server/core/save_control.h"
#include "server/core/scripting.h"
#include "server/core/server_stats.h"
#include "server/core/services.h"
#include "server/core/snapshot.h"
#include "server/core/tick.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"
#include "server/observe/latency_monitor.h"
#include "server/observe/slowlog.h"
#include "storage/disposal.h"
#include "storage/keyspace.h"

namespace larder {

class Server {
 public:
  static constexpr int64_t kBackgroundIntervalMs = 5;
  static constexpr int64_t kCronIntervalMs = 100;
  // What background work may take of one tick.
  static constexpr int64_t kBackgroundBudgetUs = 500;
  // What of it a snapshot takes while requests are served: they wait for it.
  static constexpr int64_t kSnapshotBudgetUs = 200;
  // Moving 2 MB of the data set into a huge page takes 0.3 to 0.9 ms: not behind work that has taken half of the budget, nor while
  // there is more to evict than there was time for. A system that had none is asked again after ten seconds.
  static constexpr int64_t kHugePageIntervalUs = 20'000;
  static constexpr int64_t kHugePageRefusedUs = 10'000'000;
  // None is moved while the data set grows by more than a chunk in this time.
  static constexpr int64_t kGrowthPauseUs = 1'000'000;

  // What is injected. References outlive the server.
  struct Environment {
    Clock& clock;
    FileSystem& files;
    Log& log;
    ProcessControl& process;
    Disposal& disposal;
    Worker& snapshot_worker;  // compresses and writes snapshots
    uint64_t random_seed = 0;
    bool use_cycle_counter = true;  // false under a simulated clock
    bool use_threads = true;        // false: what threads would do is done by look_at_log()
  };

  Server(const Environment& environment, const Settings& settings, std::span<const CommandFamily> families,
         ServerIdentity identity);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Tick& tick() { return tick_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  Services& services() { return services_; }
  Settings& settings() { return settings_; }

  // Starts to load what the data directory holds; clients are answered with LOADING until it is done. Without data there
  // is nothing to do. When the data cannot be loaded, the server shuts down and load_failed() says so.
  void load_data();
  bool load_failed() const { return loading_.failed(); }
  // The process is told to end (a signal): saves if save points are configured. False: that failed, and it should not end.
  bool prepare_shutdown();
  // Waits until everything is on the disk as configured, and answers who waits for that. Before the end.
  void finish();

  // Scripts, and who serves the other clients while one of them runs. Before the first request; the pump outlives the
  // server.
  void set_scripting(std::unique_ptr<Scripting> scripting);
  void set_request_pump(RequestPump* pump) { services_.pump = pump; }
  // The tick that runs inside a tick, while a script makes the server busy. Its clients are others than those that have a
  // turn in tick(): see Tick::release().
  Tick& busy_tick() { return busy_tick_; }

  // A connection came in. Null when it is refused; `refusal` is then what to send before closing it, a complete reply.
  Client* connect(ClientLink& link, const ClientOrigin& origin, std::string& refusal);
  void disconnect(Client& client);

  // Judges what a client is owed against the limits of its class; marks it for closing when they are exceeded.
  void check_output_limits(Client& client) { larder::check_output_limits(services_, client); }

  enum class Background : uint8_t { kDone, kLater, kMore };
  // Expiry and the other work between ticks, within kBackgroundBudgetUs. kMore: more of it is due at once. kLater: a snapshot or
  // eviction has had its share and wants to go on when kBackgroundBudgetUs have passed since it began.
  Background background();
  // True while background() has to be called at its interval: keys may expire, a pause may end. Otherwise the calls
  // after ticks and with cron() are enough.
  bool background_pending();
  // Learns what the log's writer has done: once a turn of the loop, before replies are sent, and as often as others are
  // served while a script runs.
  void look_at_log();
  // Slow periodic work: rates, idle clients, the pause's end.
  void cron();
  // Takes up clients that were held (paused, blocked) and are no longer, and those that a tick has postponed, as far as
  // the next one has room for them. Behind each tick, when its output is sent. True when there are any.
  bool resume_held();
  // The latter alone, into the tick that serves others while a script runs.
  void resume_postponed(Tick& tick);
  // Bytes of data and of the tick's buffers.
  uint64_t memory_bytes() const;

 private:
  void apply_settings();
  Status follow_append_only();
  void apply_log_state();
  bool tidy_some();
  void tidy_while_loading();
  void use_huge_page();
  bool expire_some(int64_t now_ms);
  // `loaded` is called when the task has ended well, before the first request.
  void begin_loading(std::unique_ptr<LoadTask> task, const std::string& what, std::function<Status()> loaded);
  Result<std::unique_ptr<LoadTask>> open_snapshot();
  void load_log();
  void fail_loading(const std::string& what, const Error& error);
  void answer_loading();
  void look_at_clients(int64_t now_ms);
  void update_pause(int64_t now_ms);

  Settings settings_;
  ServerIdentity identity_;
  Random random_;
  Clock& clock_;
  Log& log_;
  Registry registry_;
  ClientList clients_;
  ServerStats stats_;
  Slowlog slowlog_;
  LatencyMonitor latency_;
  TransactionTable transactions_;
  BlockingTable blocking_;
  PauseState pause_;
  Propagation propagation_;
  Delivery delivery_;
  PubSub pubsub_;
  HeldReplies held_replies_;
  Notifications notifications_;
  Monitors monitors_;
  Tracking tracking_;
  ClientMemory client_memory_;
  KeyEvents key_events_;
  Store store_;
  FlushQueue flushed_;
  LeftoverQueue leftovers_;  // behind the tables that they refer to
  OptionTable options_;
  AppendLog append_log_;
  MemoryLimit memory_limit_;
  Services services_;
  Snapshots snapshots_;
  SaveControl saves_;
  Loading loading_;
  SnapshotBase log_base_;
  Defragmentation defragmentation_;
  Dispatcher dispatcher_;
  Tick tick_;
  Tick busy_tick_;
  std::unique_ptr<Scripting> scripting_;
  size_t client_cursor_ = 0;
  uint64_t commands_before_background_ = 0;
  bool resume_requested_ = false;
  std::deque<uint64_t> resumable_;  // ids of clients that wait for room in a tick
  int64_t answer_loading_at_us_ = 0;
  int64_t huge_page_due_us_ = 0;
  uint64_t chunks_seen_ = 0;  // of the store, then
};

}  // namespace larder
