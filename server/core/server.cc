#include "server/core/server.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "server/core/wake_up.h"

namespace larder {
namespace {

// Clients are looked at in slices (for those that are idle, and for what they hold), so that ten thousand of them never cost one long look.
constexpr size_t kClientsPerCron = 1024;

// Work of one step of the background loop, between two looks at the clock.
constexpr size_t kExpiryStepsPerLook = 64;
constexpr size_t kFreedEntriesPerLook = 256;
constexpr size_t kLeftoverStepsPerLook = 128;
// How long a turn of the loop loads data: clients only wait for LOADING meanwhile.
constexpr int64_t kLoadBudgetUs = 5000;
// What a snapshot takes before the other work has its turn.
constexpr int64_t kSnapshotSliceUs = 100;
constexpr size_t kQueueStepsPerLook = 64;
constexpr size_t kTimeoutsPerLook = 64;

StoreOptions store_options(const Server::Environment& environment, const Settings& settings, Random& random,
                           KeyspaceObserver& observer) {
  StoreOptions options;
  options.database_count = static_cast<int>(settings.databases);
  options.hash_seed = random.next();
  options.random_seed = random.next();
  options.observer = &observer;
  options.disposal = &environment.disposal;
  return options;
}

// The log draws its salts from a seed of its own, so that a simulation's other draws do not depend on it.
constexpr uint64_t kLogSeedOffset = 0x6c6f67;

}  // namespace

Server::Server(const Environment& environment, const Settings& settings, std::span<const CommandFamily> families,
               ServerIdentity identity)
    : settings_(settings),
      identity_(std::move(identity)),
      random_(environment.random_seed),
      clock_(environment.clock),
      log_(environment.log),
      registry_(families),
      transactions_(random_.next(), leftovers_),
      blocking_(random_.next(), leftovers_),
      delivery_(services_),
      pubsub_(delivery_, leftovers_, random_.next()),
      notifications_(pubsub_, settings_),
      monitors_(services_),
      tracking_(services_, random_.next()),
      client_memory_(services_),
      key_events_({stats_, transactions_, blocking_, propagation_, notifications_, tracking_, delivery_}),
      store_(store_options(environment, settings_, random_, key_events_)),
      options_(settings_),
      append_log_({clock_, environment.files, log_, environment.process, settings_,
                   environment.random_seed + kLogSeedOffset, environment.use_threads}),
      memory_limit_(services_),
      services_{
          clock_,
          random_,
          environment.files,
          log_,
          store_,
          settings_,
          options_,
          registry_,
          clients_,
          stats_,
          slowlog_,
          latency_,
          transactions_,
          blocking_,
          key_events_,
          propagation_,
          append_log_,
          held_replies_,
          flushed_,
          leftovers_,
          memory_limit_,
          snapshots_,
          saves_,
          loading_,
          pause_,
          environment.process,
          identity_,
          tick_,
          delivery_,
          pubsub_,
          notifications_,
          monitors_,
          tracking_,
          client_memory_,
      },
      snapshots_(services_, environment.snapshot_worker),
      saves_(services_, snapshots_),
      loading_(clock_),
      log_base_(snapshots_, services_),
      defragmentation_(clock_, store_, settings_, stats_),
      dispatcher_(services_, environment.use_cycle_counter),
      tick_(services_, dispatcher_),
      busy_tick_(services_, dispatcher_) {
  for (const RenamedCommand& renamed : settings_.renamed_commands) {
    if (!registry_.rename(renamed.name, renamed.new_name)) {
      log_.warning("rename-command: cannot rename '{}' to '{}'", renamed.name, renamed.new_name);
    }
  }
  apply_settings();
  append_log_.set_base_producer(&log_base_);
  options_.subscribe({"appendonly"}, [this] { return follow_append_only(); });
  options_.subscribe({"appendfsync"}, [this] {
    append_log_.settings_changed();
    return Status();
  });
  options_.subscribe({"maxmemory", "maxmemory-policy", "maxmemory-samples", "maxmemory-clients", "lfu-log-factor",
                      "lfu-decay-time", "slowlog-max-len", "notify-keyspace-events", "tracking-table-max-keys"},
                     [this] {
                       apply_settings();
                       tracking_.shrink_to_limit();
                       return Status();
                     });
}

Server::~Server() {
  propagation_.set_sink(nullptr);
  // While everything is there that a rewrite needs to be given up.
  (void)append_log_.finish();
  // Replies that are sent while they are written read from the store, which goes before the clients.
  leftovers_.clear();
  for (const auto& client : clients_.all()) {
    if (client->queue_) client->queue_->clear();
  }
}

void Server::finish() {
  propagation_.set_sink(nullptr);
  const Status finished = append_log_.finish();
  if (finished.ok()) held_replies_.release(append_log_.durable_group());
}

Status Server::follow_append_only() {
  // A log that began now would lack what is not loaded yet: it follows when everything is.
  if (loading_.active()) return {};
  const bool is_on = append_log_.keeps_log();
  if (settings_.append_only == is_on) return {};
  if (settings_.append_only) {
    LARDER_TRY(append_log_.turn_on());
    propagation_.set_sink(&append_log_);
  } else {
    propagation_.set_sink(nullptr);
    append_log_.turn_off();
    held_replies_.release(append_log_.durable_group());
    blocking_.log_changed();
  }
  apply_log_state();
  return {};
}

void Server::look_at_log() {
  while (append_log_.step()) {
  }
  const bool changed = append_log_.poll();
  if (!changed && append_log_.is_behind() == dispatcher_.has_gate(kServerLogBehind)) return;
  if (!held_replies_.empty()) held_replies_.release(append_log_.durable_group());
  apply_log_state();
  if (blocking_.empty()) return;
  blocking_.log_changed();
  // Whoever waits for the log while a script runs is served when that has ended, and not with BUSY.
  if (dispatcher_.has_gate(kServerBusy)) return;
  dispatcher_.start_clock();
  serve_waiting(services_, dispatcher_);
}

void Server::apply_log_state() {
  const bool was_behind = dispatcher_.has_gate(kServerLogBehind);
  dispatcher_.set_gate(kServerLogFailed, append_log_.failed());
  dispatcher_.set_gate(kServerLogBehind, append_log_.is_behind() && !append_log_.failed());
  resume_requested_ |= was_behind && !dispatcher_.has_gate(kServerLogBehind);
}

void Server::set_scripting(std::unique_ptr<Scripting> scripting) {
  scripting_ = std::move(scripting);
  services_.scripting = scripting_.get();
}

void Server::apply_settings() {
  const bool frequency = settings_.maxmemory_policy == MaxmemoryPolicy::kAllkeysLfu ||
                         settings_.maxmemory_policy == MaxmemoryPolicy::kVolatileLfu;
  store_.access().set_tracking(
      frequency ? AccessTracking::kFrequency : AccessTracking::kRecency,
      {static_cast<uint32_t>(settings_.lfu_log_factor), static_cast<uint32_t>(settings_.lfu_decay_time_min)});
  slowlog_.set_max_entries(static_cast<size_t>(settings_.slowlog_max_len));
  memory_limit_.apply_settings();
  client_memory_.apply_settings();
  store_.set_tells_created(notifications_.wants(kNotifyNew));
  dispatcher_.set_gate(kServerMemoryLimited, memory_limit_.is_set());
}

Client* Server::connect(ClientLink& link, const ClientOrigin& origin, std::string& refusal) {
  if (clients_.count() >= static_cast<size_t>(settings_.maxclients)) {
    ++stats_.connections_rejected;
    refusal = "-" + std::string(kMaxClients.text()) + "\r\n";
    return nullptr;
  }
  if (settings_.protected_mode && settings_.requirepass.empty() && !origin.is_loopback && !origin.is_unix_socket) {
    ++stats_.connections_rejected;
    refusal = "-" + std::string(kProtectedMode.text()) + "\r\n";
    return nullptr;
  }
  ++stats_.connections_received;
  Client& client = clients_.add(link, origin, clock_.wall_ms());
  if (!settings_.requirepass.empty()) client.gate |= kGateUnauthenticated;
  client_memory_.count(client);
  return &client;
}

void Server::disconnect(Client& client) {
  tick_.forget(client);
  busy_tick_.forget(client);
  transactions_.close(client);
  blocking_.forget(client);
  pubsub_.forget(client);
  held_replies_.forget(client);
  tracking_.disable(client);
  monitors_.remove(client);
  client_memory_.forget(client);
  leftovers_.add(std::move(client.queue_));
  clients_.remove(client);
}

void Server::load_data() {
  saves_.remove_unfinished();
  if (settings_.append_only) return load_log();
  Result<std::unique_ptr<LoadTask>> task = open_snapshot();
  if (!task) return fail_loading("Can't open the data file " + saves_.path(), task.error());
  if (*task) begin_loading(std::move(*task), saves_.path(), [] { return Status(); });
}

// Null when there is no such file.
Result<std::unique_ptr<LoadTask>> Server::open_snapshot() {
  RdbLoadOptions load;
  load.now_ms = clock_.wall_ms();
  load.limits = rdb_limits(settings_);
  Result<std::unique_ptr<RdbLoadTask>> task = RdbLoadTask::open(services_.files, saves_.path(), store_, load);
  if (task) {
    load_functions_too((*task)->loader(), services_);
    return std::unique_ptr<LoadTask>(std::move(*task));
  }
  if (task.error().code == ErrorCode::kNotFound) return std::unique_ptr<LoadTask>();
  return task.error();
}

void Server::load_log() {
  auto task = std::make_unique<AofLoad>(services_, dispatcher_);
  AofLoad* load = task.get();
  Result<bool> found = load->open();
  if (!found) return fail_loading("Can't load the append only log", found.error());
  if (*found) {
    const std::string name = load->name();
    return begin_loading(std::move(task), name, [this, place = load->place()]() -> Status {
      LARDER_TRY(append_log_.start(place->manifest, place->resume));
      propagation_.set_sink(&append_log_);
      return Status();
    });
  }
  task.reset();
  // No log yet. If there is a snapshot, it is where the log begins.
  const auto begin_log = [this]() -> Status {
    LARDER_TRY(append_log_.turn_on_at_start());
    propagation_.set_sink(&append_log_);
    apply_log_state();
    return Status();
  };
  Result<std::unique_ptr<LoadTask>> snapshot = open_snapshot();
  if (!snapshot) return fail_loading("Can't open the data file " + saves_.path(), snapshot.error());
  if (*snapshot) {
    log_.notice("There is no append only log yet: it begins with the data of {}", saves_.path());
    return begin_loading(std::move(*snapshot), saves_.path(), begin_log);
  }
  if (const Status begun = begin_log(); !begun.ok()) fail_loading("Can't begin the append only log", begun.error());
}

void Server::fail_loading(const std::string& what, const Error& error) {
  log_.warning("{}: {}. Exiting.", what, error.to_string());
  end_unloaded(services_, dispatcher_);
}

void Server::begin_loading(std::unique_ptr<LoadTask> task, const std::string& what, std::function<Status()> loaded) {
  dispatcher_.set_gate(kServerLoading, true);
  log_.notice("Loading {} ({} bytes)", what, task->bytes_total());
  task->on_progress([this] { answer_loading(); });
  const int64_t started_us = clock_.mono_us();
  loading_.begin(std::move(task), [this, what, started_us, loaded = std::move(loaded)](const Status& status) {
    dispatcher_.set_gate(kServerLoading, false);
    saves_.note_loaded();
    if (status.ok()) {
      Status begun = loaded();
      if (begun.ok()) begun = follow_append_only();
      if (!begun.ok()) fail_loading("Can't begin the append only log", begun.error());
      log_.notice("DB loaded from {}: {} keys in {} ms, {} were expired", what, loading_.last_keys_loaded(),
                  (clock_.mono_us() - started_us) / 1000, loading_.last_keys_expired());
      return;
    }
    log_.warning(
        "{} cannot be loaded: {}. Nothing was changed on disk; larder-check-rdb or larder-check-aof tells more. "
        "Exiting.",
        what, status.to_string());
    end_unloaded(services_, dispatcher_);
  });
}

// A step may be long, because a collection is loaded as a whole. Clients are told of the load meanwhile.
void Server::answer_loading() {
  const int64_t now_us = clock_.mono_us();
  if (services_.pump == nullptr || dispatcher_.has_gate(kServerEnding)) return;
  if (now_us < answer_loading_at_us_) return;
  answer_loading_at_us_ = now_us + kLoadBudgetUs;
  // One that is told to end does so behind this step.
  (void)services_.pump->serve_others();
}

bool Server::prepare_shutdown() {
  if (!load_failed() && !saves_.save_at_shutdown({}).ok()) return false;
  dispatcher_.set_gate(kServerEnding, true);
  return true;
}

Server::Background Server::background() {
  const int64_t deadline_us = clock_.mono_us() + kBackgroundBudgetUs;
  const bool serves = stats_.commands_processed != commands_before_background_;
  commands_before_background_ = stats_.commands_processed;
  const int64_t now_ms = clock_.wall_ms();
  store_.set_now(now_ms);
  dispatcher_.set_now_ms(now_ms);
  update_pause(now_ms);
  if (loading_.active()) {
    answer_loading_at_us_ = clock_.mono_us() + kLoadBudgetUs;
    loading_.work(answer_loading_at_us_);
    tidy_while_loading();
    return Background::kMore;
  }
  bool more = true;
  // Of a snapshot, which has a turn each time, whatever the others took.
  bool more_of_snapshot = true;
  int64_t snapshot_deadline_us = INT64_MAX;
  while (more) {
    more = tidy_some();
    more |= leftovers_.undo_some(kLeftoverStepsPerLook);
    if (memory_limit_.exceeded()) memory_limit_.make_room(now_ms);
    if (settings_.active_expiry && !append_log_.failed()) more |= expire_some(now_ms);
    more |= time_out_waiting(services_, dispatcher_, now_ms, kTimeoutsPerLook);
    if (const int64_t now_us = clock_.mono_us(); more_of_snapshot && now_us < snapshot_deadline_us) {
      if (snapshot_deadline_us == INT64_MAX) snapshot_deadline_us = serves ? now_us + kSnapshotBudgetUs : deadline_us;
      more_of_snapshot = snapshots_.background(std::min(snapshot_deadline_us, now_us + kSnapshotSliceUs));
      more |= more_of_snapshot;
    }
    more |= defragmentation_.work(deadline_us);
    if (services_.scripting != nullptr) more |= services_.scripting->clean_some();
    if (clock_.mono_us() >= deadline_us) break;
  }
  if (deadline_us - clock_.mono_us() > kBackgroundBudgetUs / 2 && !memory_limit_.is_behind()) use_huge_page();
  dispatcher_.set_gate(kServerSnapshotFailed, saves_.refuses_writes());
  // Keys that expired, and what came while clients were paused.
  if (blocking_.has_ready()) {
    dispatcher_.start_clock();
    serve_waiting(services_, dispatcher_);
  }
  propagation_.end_group();
  tracking_.send_broadcasts();
  client_memory_.enforce();
  if (more) return Background::kMore;
  return more_of_snapshot || memory_limit_.is_behind() ? Background::kLater : Background::kDone;
}

// What commands have deleted. True when there is more.
bool Server::tidy_some() {
  bool more = flushed_.free_some(kFreedEntriesPerLook);
  more |= store_.free_some(kFreedEntriesPerLook);
  more |= store_.give_back_some();
  more |= store_.evictor().maintain(kQueueStepsPerLook);
  return more;
}

// Else a load needed the memory of all that the commands of a log have ever deleted. Freeing is quicker than making, so it has as
// much time.
void Server::tidy_while_loading() {
  const int64_t deadline_us = clock_.mono_us() + kLoadBudgetUs;
  bool more = true;
  while (more && clock_.mono_us() < deadline_us) {
    more = tidy_some();
    if (store_.expiry_mode() == ExpiryMode::kKeep) more |= expire_some(clock_.wall_ms());
  }
}

void Server::use_huge_page() {
  const int64_t now_us = clock_.mono_us();
  if (!settings_.huge_pages || now_us < huge_page_due_us_) return;
  // What grows quickly has enough to do: requests would wait for both.
  const uint64_t chunks_before = std::exchange(chunks_seen_, store_.chunk_count());
  if (chunks_seen_ > chunks_before) {
    huge_page_due_us_ = now_us + kGrowthPauseUs;
    return;
  }
  store_.use_huge_page();
  huge_page_due_us_ = now_us + (store_.is_refused_huge_pages() ? kHugePageRefusedUs : kHugePageIntervalUs);
}

bool Server::background_pending() {
  if (dispatcher_.has_gate(kServerPaused) || !flushed_.empty() || store_.has_garbage() || store_.has_surplus())
    return true;
  if (blocking_.timeout_count() > 0 || !leftovers_.empty()) return true;
  // To the end, else the page that is ready would wait for the next request.
  if (settings_.huge_pages && store_.wants_huge_page()) return true;
  if (snapshots_.pending() || loading_.active() || defragmentation_.is_running()) return true;
  if (services_.scripting != nullptr && services_.scripting->is_cleaning()) return true;
  if (!settings_.active_expiry) return false;
  for (int db = 0; db < store_.database_count(); ++db) {
    if (store_.database(db).has_expiry_items()) return true;
  }
  return false;
}

// One round over the databases; each gets the same number of steps. True when a database has more that is due.
bool Server::expire_some(int64_t now_ms) {
  bool more = false;
  for (int db = 0; db < store_.database_count(); ++db) {
    Keyspace& keyspace = store_.database(db);
    if (!keyspace.has_expiry_items()) continue;
    more |= keyspace.advance_expiry(now_ms, kExpiryStepsPerLook).more_due;
  }
  return more;
}

void Server::cron() {
  const int64_t now_ms = clock_.wall_ms();
  stats_.ops.sample(stats_.commands_processed, now_ms);
  stats_.input.sample(stats_.net_input_bytes, now_ms);
  stats_.output.sample(stats_.net_output_bytes, now_ms);
  stats_.tick_rate.sample(stats_.ticks, now_ms);
  stats_.tick_time_us.sample(stats_.turn_us(), now_ms);
  memory_limit_.count_shared();
  look_at_clients(now_ms);
  stats_.memory_peak_bytes = std::max(stats_.memory_peak_bytes, memory_bytes());
  if (!loading_.active()) saves_.cron();
  dispatcher_.set_gate(kServerSnapshotFailed, saves_.refuses_writes());
  defragmentation_.cron();
  append_log_.cron();
}

uint64_t Server::memory_bytes() const { return memory_limit_.used_bytes(); }

void Server::look_at_clients(int64_t now_ms) {
  const auto all = clients_.all();
  for (size_t i = 0; i < std::min(kClientsPerCron, all.size()); ++i) {
    client_cursor_ = client_cursor_ + 1 < all.size() ? client_cursor_ + 1 : 0;
    Client& client = *all[client_cursor_];
    if (client.queued_bytes() > 0) check_output_limits(client);
    client_memory_.count(client);
    const bool exempt = (client.flags & (kClientReplica | kClientPubsub)) || (client.gate & kGateBlocked);
    if (settings_.timeout_s == 0 || exempt) continue;
    if (now_ms - client.last_active_ms > settings_.timeout_s * 1000) {
      log_.verbose("Closing idle client {}", client.peer);
      client.close_now();
    }
  }
}

void Server::update_pause(int64_t now_ms) {
  if (!dispatcher_.has_gate(kServerPaused) || pause_.active(now_ms)) return;
  pause_.mode = PauseState::Mode::kNone;
  store_.pause_removal(false);
  dispatcher_.set_gate(kServerPaused, false);
  resume_requested_ = true;
}

bool Server::resume_held() {
  // From now on they wait for room alone.
  const auto release = [this](Client& client) {
    if ((client.flags & (kClientHeld | kClientPostponed)) != kClientHeld) return;
    client.flags |= kClientPostponed;
    resumable_.push_back(client.id);
  };
  if (resume_requested_) {
    resume_requested_ = false;
    for (const auto& client : clients_.all()) release(*client);
  }
  if (blocking_.has_released()) {
    for (const uint64_t id : blocking_.take_released()) {
      if (Client* client = clients_.find(id); client != nullptr) release(*client);
    }
  }
  resume_postponed(tick_);
  return !tick_.turns().empty();
}

void Server::resume_postponed(Tick& tick) {
  tick_.take_postponed(resumable_);
  busy_tick_.take_postponed(resumable_);
  for (; !resumable_.empty() && !tick.half_full(); resumable_.pop_front()) {
    Client* client = clients_.find(resumable_.front());
    if (client == nullptr || !(client->flags & kClientHeld)) continue;
    tick.resume(*client);
    client->link->wake();  // it is read from again
  }
}

}  // namespace larder
