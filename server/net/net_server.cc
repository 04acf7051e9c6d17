#include "server/net/net_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace larder {
namespace {

// A turn sends to this share of the connections that are owed something, within these bounds. A message to many goes out
// over several turns: other clients do not wait for all of it, and what is published meanwhile joins what is still to be
// sent. With 50 subscribers and one message at a time that saves five of six system calls.
constexpr size_t kFlushShare = 8;
constexpr size_t kFlushesMin = 8;
constexpr size_t kFlushesMax = 256;
// The same in time, for large values: one of a megabyte takes some 200 us.
constexpr int64_t kFlushBudgetUs = 500;

Connection* connection_of(Client& client) { return static_cast<Connection*>(client.link); }

}  // namespace

NetServer::NetServer(EventLoop& loop, Server& server) : loop_(loop), server_(server) {
  loop_.on_turn([this] { return turn(); });
  cron_ = std::make_unique<Timer>(loop_.raw(), [this] {
    server_.cron();
    if (server_.background_pending()) keep_background_going();
  });
  cron_->start(Server::kCronIntervalMs, Server::kCronIntervalMs);
  background_ = std::make_unique<Timer>(loop_.raw(), [this] { end_wait_for_background(); });
  keep_background_going();
}

NetServer::~NetServer() { close_everything(); }

Status NetServer::listen() {
  const Settings& settings = server_.settings();
  const ListenOptions options{settings.tcp_backlog, settings.tcp_keepalive_s};
  const auto on_accept = [this](int fd, const ClientOrigin& origin) { accept(fd, origin); };
  for (const std::string& configured : settings.bind) {
    if (settings.port == 0) break;
    const bool optional = !configured.empty() && configured[0] == '-';
    const std::string address = optional ? configured.substr(1) : configured;
    Result<Listener*> listener = Listener::listen_tcp(loop_.raw(), address, settings.port, options, on_accept);
    if (listener) {
      listeners_.push_back(*listener);
    } else if (!optional) {
      return listener.error();
    }
  }
  if (!settings.unix_socket.empty()) {
    Result<Listener*> listener =
        Listener::listen_unix(loop_.raw(), settings.unix_socket, settings.unix_socket_permissions, options, on_accept);
    if (!listener) return listener.error();
    listeners_.push_back(*listener);
    unix_paths_.push_back(settings.unix_socket);
  }
  if (listeners_.empty()) return Status(ErrorCode::kInvalidArgument, "no address to listen on");
  return Status();
}

void NetServer::accept(int fd, const ClientOrigin& origin) {
  auto connection = std::make_unique<Connection>(*this);
  std::string refusal;
  Client* client = server_.connect(*connection, origin, refusal);
  if (client == nullptr) {
    // Best effort: the socket is new, so its buffer takes a line.
    [[maybe_unused]] const ssize_t sent = send(fd, refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
    return;
  }
  connection.release()->open(fd, *client);
}

void NetServer::run() { loop_.run(); }

void NetServer::request_shutdown() {
  shutting_down_ = true;
  loop_.hurry();
}

void NetServer::mark_ready(Connection& connection) {
  if (connection.in_ready_list) return;
  connection.in_ready_list = true;
  ready_.push_back(&connection);
}

void NetServer::mark_woken(Connection& connection) {
  if (connection.in_woken_list) return;
  connection.in_woken_list = true;
  woken_.push_back(&connection);
}

void NetServer::count_sent(Client& client, size_t bytes) {
  client.bytes_out += bytes;
  ServerStats& stats = server_.services().stats;
  stats.net_output_bytes += bytes;
  ++stats.writes_processed;
}

bool NetServer::turn() {
  const Clock& clock = server_.services().clock;
  const int64_t started_ns = clock.mono_ns();
  const uint64_t tick_ns_before = server_.services().stats.tick_ns;
  receive_all(server_.tick());
  if (!server_.tick().turns().empty()) {
    server_.tick().run(clock.wall_ms());
    send_all(server_.tick());
    server_.tick().finish();
    keep_background_going();  // the requests may have given it work
  }
  if (shutting_down_) server_.finish();
  server_.look_at_log();
  flush_woken();
  if (shutting_down_) {
    loop_.stop();
    return true;
  }
  int64_t now_ns = clock.mono_ns();
  bool more = false;
  if (now_ns / 1000 >= background_due_us_) {
    more = run_background(now_ns / 1000);
    now_ns = clock.mono_ns();
  }
  count_turn(now_ns - started_ns, tick_ns_before);
  more |= server_.resume_held();
  return more || !woken_.empty() || !ready_.empty();
}

// What of the turn was not the execution of requests, which the tick has counted.
void NetServer::count_turn(int64_t turn_ns, uint64_t tick_ns_before) {
  ServerStats& stats = server_.services().stats;
  // CONFIG RESETSTAT may have come in between.
  const uint64_t tick_ns = stats.tick_ns - std::min(stats.tick_ns, tick_ns_before);
  const auto all_ns = static_cast<uint64_t>(turn_ns);
  stats.turn_rest_ns += all_ns - std::min(all_ns, tick_ns);
}

bool NetServer::run_background(int64_t now_us) {
  const Server::Background left = server_.background();
  const bool is_done = left == Server::Background::kDone;
  background_due_us_ = now_us + (is_done ? Server::kBackgroundIntervalMs * 1000 : Server::kBackgroundBudgetUs);
  if (left == Server::Background::kLater) {
    background_ticking_ = true;
    background_->start(1, Server::kBackgroundIntervalMs);
  }
  if (background_ticking_ && is_done && !server_.background_pending()) {
    background_->stop();
    background_ticking_ = false;
  }
  return left == Server::Background::kMore;
}

// turn() does the work. The timer may come while the loop does not wait, behind a long turn; or a little before the work is due.
void NetServer::end_wait_for_background() {
  const int64_t left_us = background_due_us_ - server_.services().clock.mono_us();
  if (left_us <= 0) return loop_.hurry();
  background_->start((left_us + 999) / 1000, Server::kBackgroundIntervalMs);
}

void NetServer::keep_background_going() {
  if (background_ticking_) return;
  background_ticking_ = true;
  background_->start(Server::kBackgroundIntervalMs, Server::kBackgroundIntervalMs);
}

// Those that do not fit into this tick stay in front for the next; those that may have more come behind them. Whoever is in the middle
// of a large value comes after all others, as a piece of it takes as long as hundreds of requests; but one of these in every tick.
void NetServer::receive_all(Tick& tick) {
  const size_t end = ready_.size();
  size_t i = 0;
  size_t large = 0;  // so many of them are in front
  for (; i < end && !tick.full(); ++i) {
    Connection* connection = ready_[i];
    if (connection == nullptr) continue;
    if (connection->client()->unread_needed > Tick::kTurnInputBytes) {
      ready_[large++] = connection;
    } else {
      receive(*connection, tick);
    }
  }
  size_t received = 0;
  for (; received < large && (received == 0 || !tick.full()); ++received) {
    if (ready_[received] != nullptr) receive(*ready_[received], tick);
  }
  ready_.erase(ready_.begin() + static_cast<ptrdiff_t>(large), ready_.begin() + static_cast<ptrdiff_t>(i));
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<ptrdiff_t>(received));
}

// One that takes no input now is marked again when it does.
void NetServer::receive(Connection& connection, Tick& tick) {
  connection.in_ready_list = false;
  const Client& client = *connection.client();
  if (client.turn == Client::kNoTurn && client.takes_input()) connection.receive(tick);
  if (connection.client() != nullptr && client.takes_input() && connection.may_have_input()) mark_ready(connection);
}

void NetServer::send_all(Tick& tick) {
  for (const Tick::Turn& turn : tick.turns()) {
    if (turn.client != nullptr) send_turn(tick, turn);
  }
}

void NetServer::send_turn(Tick& tick, const Tick::Turn& turn) {
  Connection* connection = connection_of(*turn.client);
  connection->send_reply(tick.take_output(turn));
  if (turn.client->queued_bytes() > 0 || turn.client->wants_close() || turn.held) mark_woken(*connection);
}

// The loop itself cannot turn inside a turn, so the sockets are looked at with poll().
bool NetServer::serve_others() {
  release_others();
  look_at_sockets();
  Tick& tick = server_.busy_tick();
  server_.resume_postponed(tick);
  receive_all(tick);
  if (!tick.turns().empty()) {
    tick.run(server_.services().clock.wall_ms());
    send_all(tick);
    tick.finish();
  }
  server_.look_at_log();  // their replies may wait for it
  flush_woken();
  return !shutting_down_;
}

// Clients that have a turn in the tick of the running script, before or behind it: they get the replies that are ready, and
// what they still wait for is executed (or refused) in the other tick.
void NetServer::release_others() {
  Tick& tick = server_.tick();
  tick.end_group();
  for (uint32_t i = 0; i < tick.turns().size(); ++i) {
    Client* client = tick.turns()[i].client;
    if (client == nullptr || i == tick.running_turn()) continue;
    send_turn(tick, tick.turns()[i]);
    tick.release(i);
    server_.busy_tick().resume(*client);
  }
}

void NetServer::look_at_sockets() {
  std::vector<pollfd> looked_at;
  std::vector<Watcher*> watchers;
  for (Listener* listener : listeners_) {
    watchers.push_back(listener);
    looked_at.push_back({listener->fd(), POLLIN, 0});
  }
  for (const auto& client : server_.services().clients.all()) {
    const bool reads = client->turn == Client::kNoTurn && !(client->gate & (kGateClosing | kGateBlocked)) &&
                       !(client->flags & kClientHeld);
    const short events = static_cast<short>((reads ? POLLIN : 0) | (client->queued_bytes() > 0 ? POLLOUT : 0));
    if (events == 0) continue;
    watchers.push_back(connection_of(*client));
    looked_at.push_back({connection_of(*client)->fd(), events, 0});
  }
  if (poll(looked_at.data(), looked_at.size(), 0) <= 0) return;
  for (size_t i = 0; i < looked_at.size(); ++i) {
    const short events = looked_at[i].revents;
    if (events != 0) watchers[i]->on_ready((events & ~POLLOUT) != 0, (events & POLLOUT) != 0);
  }
}

// In the order in which they were woken; those beyond the share, or behind the time, stay in front for the next turn.
void NetServer::flush_woken() {
  size_t count = std::clamp(woken_.size() / kFlushShare, kFlushesMin, kFlushesMax);
  if (shutting_down_) count = woken_.size();
  count = std::min(count, woken_.size());
  const Clock& clock = server_.services().clock;
  const int64_t end_us = clock.mono_us() + kFlushBudgetUs;
  size_t flushed = 0;
  // Others are woken meanwhile, and those that go leave a null behind.
  for (bool has_time = true; flushed < count && has_time; ++flushed) {
    Connection* connection = std::exchange(woken_[flushed], nullptr);
    if (connection == nullptr) continue;
    connection->in_woken_list = false;
    if (connection->client()->turn != Client::kNoTurn) {
      mark_woken(*connection);  // its script runs on: it is looked at when that has ended
      continue;
    }
    connection->flush_queue();
    connection->settle();
    has_time = shutting_down_ || clock.mono_us() < end_us;
  }
  woken_.erase(woken_.begin(), woken_.begin() + static_cast<ptrdiff_t>(flushed));
}

void NetServer::forget(Connection& connection) {
  if (connection.in_ready_list)
    std::replace(ready_.begin(), ready_.end(), &connection, static_cast<Connection*>(nullptr));
  if (connection.in_woken_list)
    std::replace(woken_.begin(), woken_.end(), &connection, static_cast<Connection*>(nullptr));
  server_.disconnect(*connection.client());
  keep_background_going();  // it may have left much behind
}

void NetServer::close_everything() {
  const ClientList& clients = server_.services().clients;
  while (clients.count() > 0) connection_of(*clients.all().back())->close();
  for (Listener* listener : listeners_) listener->close_and_destroy();
  listeners_.clear();
  for (const std::string& path : unix_paths_) unlink(path.c_str());
  unix_paths_.clear();
}

}  // namespace larder
