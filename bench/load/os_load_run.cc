// Blocking writes, and reads after epoll says so. Requests are copies of one encoded template and replies are scanned, not
// built, so that a request costs less here than in the server: measured at 7.4 us of CPU for each request without
// pipelining and 0.8 us with 16 in flight, against 18 us and 1.7 us of redis-benchmark 7.0 on the same machine.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "bench/load/load_connection.h"
#include "bench/load/load_run.h"
#include "protocol/reply_reader.h"

namespace larder::load {
namespace {

constexpr int kEventsPerWait = 256;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStallMs = 30'000;
// A thread looks at least this often whether the run is to end; then it waits so long for the replies that are due.
constexpr int64_t kLookMs = 1000;
constexpr int64_t kIdleLookMs = 1'000'000;
// How far before the next request is due the thread stops sleeping.
constexpr int64_t kSpinNs = 2'000'000;
// A server that does not keep up with --rate gets this many times --duration for what was due in it.
constexpr double kCatchUpDurations = 2;

struct LoadConnection {
  Descriptor fd;
  ReplyScanner scanner;
  uint64_t in_flight = 0;
  int64_t sent_ns = 0;         // closed loop
  std::deque<int64_t> due_ns;  // open loop: of the requests in flight
  bool is_subscriber = false;
};

// What the threads of a test share.
struct Shared {
  Shared(size_t thread_count, const LoadObserver& who_looks) : observer(who_looks), results(thread_count) {}

  const LoadObserver& observer;
  std::mutex mutex;
  std::vector<LoadResult> results;  // as of about a second ago
  std::atomic<bool> stops{false};   // one of them failed, or the user has enough
};

// One thread of a test.
class LoadRun {
 public:
  LoadRun(const LoadOptions& options, const Workload& workload, const Clock& clock, size_t thread, Shared& shared);

  Status open();
  Status run();
  LoadResult& result() { return result_; }

 private:
  bool is_open_loop() const { return options_.rate > 0; }
  Status add_connection(LoadConnection& connection);
  Status subscribe(LoadConnection& connection);
  Status reopen(LoadConnection& connection);
  Status send(LoadConnection& connection, uint64_t count);
  Status send_next(LoadConnection& connection);
  Status send_due();
  Status receive(LoadConnection& connection);
  Status wait();
  bool is_given_up(int ready, int timeout_ms);
  uint64_t record(LoadConnection& connection, uint64_t replies);
  void end_warmup(int64_t now_ns);
  bool is_over(int64_t now_ns) const;
  bool gives_up() const;
  double due_s() const;
  uint64_t unsent() const;
  uint64_t requests_left() const;
  void report(int64_t now_ns);

  const LoadOptions& options_;
  const Clock& clock_;
  const size_t thread_;
  Shared& shared_;
  RequestSource source_;
  Descriptor epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<LoadConnection> connections_;
  std::vector<LoadConnection> subscribers_;
  uint64_t requests_wanted_;
  uint64_t busy_connections_ = 0;  // with requests in flight
  uint64_t issued_ = 0;
  bool warming_up_ = false;
  int64_t start_ns_ = 0;  // of what counts
  int64_t reported_ns_ = 0;
  int64_t silent_since_ns_ = 0;  // requests wait, and looks at the connections found nothing since; 0: not so
  double due_interval_ns_ = 0;
  double next_due_ns_ = 0;
  size_t next_connection_ = 0;
  Buffer request_;
  std::array<char, kLoadReadBytes> input_;
  LoadResult result_;
};

// The part of a total that one of several threads takes.
int64_t share_of(int64_t total, size_t thread, int64_t threads) {
  return total / threads + (static_cast<int64_t>(thread) < total % threads ? 1 : 0);
}

LoadRun::LoadRun(const LoadOptions& options, const Workload& workload, const Clock& clock, size_t thread,
                 Shared& shared)
    : options_(options),
      clock_(clock),
      thread_(thread),
      shared_(shared),
      source_(workload, options, thread, static_cast<uint64_t>(options.threads)),
      connections_(static_cast<size_t>(share_of(options.clients, thread, options.threads))),
      requests_wanted_(static_cast<uint64_t>(share_of(options.requests, thread, options.threads))) {
  if (thread == 0) subscribers_ = std::vector<LoadConnection>(static_cast<size_t>(subscribers_of(workload, options)));
  if (is_open_loop()) due_interval_ns_ = 1e9 * static_cast<double>(options.threads) / options.rate;
}

Status LoadRun::add_connection(LoadConnection& connection) {
  LARDER_TRY_ASSIGN(connection.fd, open_connection(options_));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &event) != 0) return os_error(errno, "epoll_ctl");
  return Status();
}

Status LoadRun::reopen(LoadConnection& connection) {
  connection.fd = Descriptor();  // epoll forgets it with this
  connection.scanner = ReplyScanner();
  return add_connection(connection);
}

// To every channel that the workload publishes to.
Status LoadRun::subscribe(LoadConnection& connection) {
  connection.is_subscriber = true;
  const auto added = call(connection.fd.get(), {"PSUBSCRIBE", "channel:*"});
  return added ? Status() : Status(added.error().code, added.error().message);
}

Status LoadRun::open() {
  for (LoadConnection& connection : connections_) LARDER_TRY(add_connection(connection));
  for (LoadConnection& connection : subscribers_) {
    LARDER_TRY(add_connection(connection));
    LARDER_TRY(subscribe(connection));
  }
  return Status();
}

bool LoadRun::is_over(int64_t now_ns) const {
  return options_.duration_s > 0 && !warming_up_ &&
         static_cast<double>(now_ns - start_ns_) >= options_.duration_s * 1e9;
}

// Whether an open loop is so far behind that it sends no more.
bool LoadRun::gives_up() const {
  if (options_.duration_s <= 0 || !is_open_loop() || warming_up_) return false;
  return static_cast<double>(clock_.mono_ns() - start_ns_) >= kCatchUpDurations * options_.duration_s * 1e9;
}

// How long the requests sent were due, the pause behind the last one included: N of them at a rate are due in N / rate.
double LoadRun::due_s() const {
  const double all_s = static_cast<double>(issued_) * due_interval_ns_ / 1e9;
  return options_.duration_s > 0 ? std::min(all_s, options_.duration_s) : all_s;
}

// What was due in time and was not sent.
uint64_t LoadRun::unsent() const {
  if (options_.duration_s <= 0 || !is_open_loop() || shared_.stops) return 0;
  const double left_ns = static_cast<double>(start_ns_) + options_.duration_s * 1e9 - next_due_ns_;
  return left_ns > 0 ? static_cast<uint64_t>(left_ns / due_interval_ns_) : 0;
}

uint64_t LoadRun::requests_left() const {
  if (shared_.stops.load(std::memory_order_relaxed) || gives_up()) return 0;
  if (warming_up_) return static_cast<uint64_t>(options_.pipeline);
  // What was due in time is sent, however late.
  const int64_t at_ns = is_open_loop() ? static_cast<int64_t>(next_due_ns_) : clock_.mono_ns();
  if (options_.duration_s > 0) return is_over(at_ns) ? 0 : static_cast<uint64_t>(options_.pipeline);
  return requests_wanted_ - issued_;
}

Status LoadRun::send(LoadConnection& connection, uint64_t count) {
  request_.clear();
  for (uint64_t i = 0; i < count; ++i) source_.append_to(request_);
  issued_ += count;
  if (connection.in_flight == 0) ++busy_connections_;
  connection.in_flight += count;
  return write_all(connection.fd.get(), request_.bytes());
}

Status LoadRun::send_next(LoadConnection& connection) {
  const uint64_t count = std::min<uint64_t>(requests_left(), static_cast<uint64_t>(options_.pipeline));
  if (count == 0) return Status();
  connection.sent_ns = clock_.mono_ns();
  return send(connection, count);
}

// What is due goes to the connections by turns. What finds none with room stays due.
Status LoadRun::send_due() {
  const auto now_ns = static_cast<double>(clock_.mono_ns());
  while (next_due_ns_ <= now_ns && requests_left() > 0) {
    size_t tried = 0;
    while (connections_[next_connection_].in_flight >= static_cast<uint64_t>(options_.pipeline)) {
      next_connection_ = (next_connection_ + 1) % connections_.size();
      if (++tried == connections_.size()) return Status();
    }
    LoadConnection& connection = connections_[next_connection_];
    next_connection_ = (next_connection_ + 1) % connections_.size();
    connection.due_ns.push_back(static_cast<int64_t>(next_due_ns_));
    next_due_ns_ += due_interval_ns_;
    LARDER_TRY(send(connection, 1));
  }
  return Status();
}

// Returns how many of the replies count: what the warm-up sent does not, whenever it is answered.
uint64_t LoadRun::record(LoadConnection& connection, uint64_t replies) {
  const int64_t now_ns = clock_.mono_ns();
  if (!is_open_loop()) {
    if (connection.sent_ns < start_ns_) return 0;
    result_.requests += replies;
    result_.latency_us.record_many(static_cast<uint64_t>((now_ns - connection.sent_ns) / 1000), replies);
    return replies;
  }
  uint64_t counted = 0;
  for (; replies > 0; --replies) {
    const int64_t due_ns = connection.due_ns.front();
    connection.due_ns.pop_front();
    if (due_ns < start_ns_) continue;
    ++counted;
    result_.latency_us.record(static_cast<uint64_t>((now_ns - due_ns) / 1000));
  }
  result_.requests += counted;
  return counted;
}

Status LoadRun::receive(LoadConnection& connection) {
  const ssize_t count = recv(connection.fd.get(), input_.data(), input_.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Status();
  if (count <= 0) return Status(ErrorCode::kDisconnected, "the server closed the connection");
  ReplyScanner::Counts completed;
  if (!connection.scanner.feed({input_.data(), static_cast<size_t>(count)}, &completed)) {
    return Status(ErrorCode::kCorruption, "the server's bytes are not RESP");
  }
  if (connection.is_subscriber) {
    result_.messages += completed.replies + completed.pushes;
    return Status();
  }
  if (completed.replies > connection.in_flight) return Status(ErrorCode::kCorruption, "more replies than requests");
  // Figures of refused requests would say nothing of the server.
  if (completed.errors > 0) {
    return Status(ErrorCode::kInvalidArgument, "error from server: " + connection.scanner.first_error());
  }
  connection.in_flight -= completed.replies;
  // Of replies that arrive together and count in part it is not known which were null.
  result_.nulls += std::min(completed.nulls, record(connection, completed.replies));
  if (connection.in_flight > 0) return Status();
  if (completed.replies > 0) --busy_connections_;
  if (completed.replies > 0 && !options_.keeps_connections) LARDER_TRY(reopen(connection));
  return is_open_loop() ? Status() : send_next(connection);
}

// Whether nothing came for too long. An open loop that waits for a free connection looks again at once, so the time counts, not the
// looks.
bool LoadRun::is_given_up(int ready, int timeout_ms) {
  if (ready != 0 || busy_connections_ == 0) {
    silent_since_ns_ = 0;
    return false;
  }
  const int64_t now_ns = clock_.mono_ns();
  if (silent_since_ns_ == 0) silent_since_ns_ = now_ns - int64_t{timeout_ms} * 1'000'000;
  return now_ns - silent_since_ns_ >= kStallMs * 1'000'000;
}

// Until something came, or a request is due.
Status LoadRun::wait() {
  int timeout_ms = kLookMs;
  if (is_open_loop() && requests_left() > 0) {
    const double until_due_ns = next_due_ns_ - static_cast<double>(clock_.mono_ns());
    timeout_ms = static_cast<int>(std::clamp((until_due_ns - kSpinNs) / 1e6, 0.0, double{kLookMs}));
  }
  std::array<epoll_event, kEventsPerWait> events;
  const int ready = epoll_wait(epoll_.get(), events.data(), kEventsPerWait, timeout_ms);
  if (ready < 0 && errno != EINTR) return os_error(errno, "epoll_wait");
  if (ready == 0 && timeout_ms == kLookMs && shared_.stops) {
    busy_connections_ = 0;  // the run ends without the replies that do not come
    return Status();
  }
  if (is_given_up(ready, timeout_ms)) return Status(ErrorCode::kTimeout, "no reply for 30 seconds");
  for (int i = 0; i < ready; ++i) {
    LARDER_TRY(receive(*static_cast<LoadConnection*>(events[static_cast<size_t>(i)].data.ptr)));
  }
  return Status();
}

void LoadRun::end_warmup(int64_t now_ns) {
  if (static_cast<double>(now_ns - start_ns_) < options_.warmup_s * 1e9) return;
  warming_up_ = false;
  if (thread_ == 0) shared_.observer.counting_starts();
  const int64_t later_ns = clock_.mono_ns();
  // The rate stands still while others look. What is due next is the first that counts, however late it is sent.
  next_due_ns_ += static_cast<double>(later_ns - now_ns);
  start_ns_ = is_open_loop() ? std::min(later_ns, static_cast<int64_t>(next_due_ns_)) : later_ns;
  issued_ = 0;
  result_ = LoadResult();
}

void LoadRun::report(int64_t now_ns) {
  reported_ns_ = now_ns;
  LoadResult all;
  {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.results[thread_] = result_;
    if (thread_ != 0) return;
    for (const LoadResult& one : shared_.results) all.add_parallel(one);
  }
  shared_.observer.progress(all);
}

Status LoadRun::run() {
  start_ns_ = reported_ns_ = clock_.mono_ns();
  // The threads of a rate take turns; together they would send in bursts.
  next_due_ns_ = static_cast<double>(start_ns_) +
                 due_interval_ns_ * static_cast<double>(thread_) / static_cast<double>(options_.threads);
  warming_up_ = options_.warmup_s > 0;
  if (!is_open_loop()) {
    for (LoadConnection& connection : connections_) LARDER_TRY(send_next(connection));
  }
  while (busy_connections_ > 0 || requests_left() > 0) {
    if (is_open_loop()) LARDER_TRY(send_due());
    LARDER_TRY(wait());
    const int64_t now_ns = clock_.mono_ns();
    if (warming_up_) end_warmup(now_ns);
    result_.elapsed_s = static_cast<double>(now_ns - start_ns_) / 1e9;
    if (now_ns - reported_ns_ >= kSecondNs) report(now_ns);
    if (thread_ == 0 && shared_.observer.interrupted()) shared_.stops = true;
  }
  result_.unsent = unsent();
  if (is_open_loop() && !shared_.stops) result_.elapsed_s = std::max(result_.elapsed_s, due_s());
  return Status();
}

}  // namespace

void LoadResult::add_parallel(const LoadResult& other) {
  requests += other.requests;
  nulls += other.nulls;
  messages += other.messages;
  unsent += other.unsent;
  elapsed_s = std::max(elapsed_s, other.elapsed_s);
  latency_us.merge(other.latency_us);
}

void LoadResult::add_round(const LoadResult& other) {
  const double before_s = elapsed_s;
  add_parallel(other);
  elapsed_s = before_s + other.elapsed_s;
}

namespace {

// What the server said unasked, such as that it takes no more clients; empty if nothing.
std::string last_words(int fd) {
  std::array<char, 256> said;
  const ssize_t count = recv(fd, said.data(), said.size(), MSG_DONTWAIT);
  if (count <= 1 || said[0] != '-') return "";
  const Bytes line(said.data() + 1, static_cast<size_t>(count) - 1);
  return ": " + std::string(line.substr(0, line.find('\r')));
}

}  // namespace

Status hold_idle_connections(const LoadOptions& options, const std::function<void()>& opened) {
  raise_descriptor_limit(options.clients);
  const Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  std::vector<Descriptor> connections;
  for (int64_t i = 0; i < options.clients; ++i) {
    LARDER_TRY_ASSIGN(Descriptor fd, open_connection(options));
    epoll_event event{};
    event.events = EPOLLRDHUP;
    event.data.fd = fd.get();
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) return os_error(errno, "epoll_ctl");
    connections.push_back(std::move(fd));
  }
  opened();
  const SystemClock clock;
  const double end_ns = static_cast<double>(clock.mono_ns()) + options.duration_s * 1e9;
  while (true) {
    const double left_ms = (end_ns - static_cast<double>(clock.mono_ns())) / 1e6;
    const int timeout_ms =
        options.duration_s > 0 ? static_cast<int>(std::clamp(left_ms, 0.0, double{kIdleLookMs})) : -1;
    epoll_event event;
    const int ready = epoll_wait(epoll.get(), &event, 1, timeout_ms);
    // A program that was stopped and goes on has seen a signal, too.
    if (ready < 0 && errno != EINTR) return os_error(errno, "epoll_wait");
    if (ready > 0)
      return Status(ErrorCode::kDisconnected, "the server closed an idle connection" + last_words(event.data.fd));
    if (options.duration_s > 0 && left_ms <= 0) return Status();
  }
}

Result<LoadResult> run_load(const LoadOptions& options, const Workload& workload, const Clock& clock,
                            const LoadObserver& observer) {
  raise_descriptor_limit(options.clients);
  const auto count = static_cast<size_t>(std::min(options.threads, options.clients));
  Shared shared(count, observer);
  LoadOptions divided = options;
  divided.threads = static_cast<int64_t>(count);
  std::vector<std::unique_ptr<LoadRun>> runs;
  for (size_t i = 0; i < count; ++i) {
    runs.push_back(std::make_unique<LoadRun>(divided, workload, clock, i, shared));
    LARDER_TRY(runs.back()->open());
  }
  if (options.warmup_s <= 0) observer.counting_starts();
  std::vector<Status> outcomes(count);
  const auto run_one = [&](size_t i) {
    outcomes[i] = runs[i]->run();
    if (!outcomes[i].ok()) shared.stops = true;
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i) threads.emplace_back(run_one, i);
  run_one(0);
  for (std::thread& thread : threads) thread.join();
  LoadResult all;
  for (size_t i = 0; i < count; ++i) {
    LARDER_TRY(outcomes[i]);
    all.add_parallel(runs[i]->result());
  }
  return all;
}

}  // namespace larder::load
