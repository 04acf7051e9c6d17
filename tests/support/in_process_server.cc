#include "tests/support/in_process_server.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "server/command/all_families.h"
#include "server/config/command_line.h"
#include "server/core/server_stats.h"
#include "server/script/script_engine.h"

namespace larder::testing {
namespace {

// A loop that does not come to rest is a defect of the server; the test must say so and not hang.
constexpr int kTurnsMax = 1000000;
// advance_ms() looks at the server at most so often, however long the time.
constexpr int64_t kAdvanceStepsMax = 2000;

ServerIdentity test_identity(const Clock& clock) {
  ServerIdentity identity;
  identity.run_id = std::string(40, 'a');
  identity.executable = "/test/larder-server";
  identity.os = "Test 1.0 x86_64";
  identity.process_id = 4242;
  identity.started_ms = clock.wall_ms();
  return identity;
}

}  // namespace

InProcessServer::InProcessServer(const InProcessOptions& options)
    : clock_(options.wall_start_us),
      files_(options.files != nullptr ? *options.files : own_files_),
      log_(log_sink_, clock_, LogLevel::kDebug) {
  std::vector<std::string> words = {"larder-server"};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  Result<CommandLine> command_line = parse_command_line(static_cast<int>(argv.size()), argv.data(), files_);
  if (!command_line) {
    start_error_ = command_line.error().message;
    return;
  }
  const Server::Environment environment{clock_,           files_,       log_,  process_, disposal_,
                                        snapshot_worker_, options.seed, false, false};
  std::vector<CommandFamily> families(all_families().begin(), all_families().end());
  families.insert(families.end(), options.families.begin(), options.families.end());
  server_ = std::make_unique<Server>(environment, command_line->settings, families, test_identity(clock_));
  server_->set_scripting(make_script_engine(server_->services(), server_->dispatcher()));
  server_->set_request_pump(this);
  cron_due_ms_ = clock_.mono_ms() + Server::kCronIntervalMs;
  server_->load_data();
}

InProcessServer::~InProcessServer() {
  for (const auto& connection : connections_) connection->close();
}

InProcessServer::Connection& InProcessServer::connect() {
  ClientOrigin origin;
  origin.peer = "127.0.0.1:" + std::to_string(40000 + connections_.size());
  origin.local = "127.0.0.1:6379";
  origin.fd = static_cast<int>(8 + connections_.size());
  origin.is_loopback = true;
  return connect(origin);
}

InProcessServer::Connection& InProcessServer::connect(const ClientOrigin& origin) {
  connections_.push_back(std::make_unique<Connection>(*this));
  Connection& connection = *connections_.back();
  std::string refusal;
  connection.client_ = server_->connect(connection, origin, refusal);
  if (connection.client_ == nullptr) connection.arrived_ = refusal;
  return connection;
}

void InProcessServer::mark_ready(Connection& connection) {
  if (connection.in_ready_list_) return;
  connection.in_ready_list_ = true;
  ready_.push_back(&connection);
}

void InProcessServer::mark_woken(Connection& connection) {
  if (connection.in_woken_list_) return;
  connection.in_woken_list_ = true;
  woken_.push_back(&connection);
}

bool InProcessServer::run_turn() {
  receive_all(server_->tick());
  run_tick(server_->tick());
  server_->look_at_log();
  flush_woken();
  bool more = server_->background() != Server::Background::kDone;
  more |= server_->resume_held();
  return more || !woken_.empty() ||
         std::any_of(ready_.begin(), ready_.end(), [](const Connection* ready) { return ready->reads(); });
}

void InProcessServer::run() {
  int turns = 0;
  while (run_turn()) LARDER_ASSERT(++turns < kTurnsMax);
}

void InProcessServer::advance_ms(int64_t duration_ms) {
  const int64_t end_ms = clock_.mono_ms() + duration_ms;
  const int64_t step_ms = std::max(Server::kBackgroundIntervalMs, duration_ms / kAdvanceStepsMax);
  run();
  while (clock_.mono_ms() < end_ms) {
    clock_.advance_ms(std::min(step_ms, end_ms - clock_.mono_ms()));
    if (clock_.mono_ms() >= cron_due_ms_) {
      server_->cron();
      cron_due_ms_ = clock_.mono_ms() + Server::kCronIntervalMs;
    }
    run();
  }
}

void InProcessServer::receive_all(Tick& tick) {
  std::vector<Connection*> still_ready;
  for (Connection* connection : ready_) {
    if (connection->reads() && connection->client_->turn == Client::kNoTurn) connection->receive(tick);
    connection->in_ready_list_ = !connection->closed() && !connection->sent_.empty();
    if (connection->in_ready_list_) still_ready.push_back(connection);
  }
  ready_ = std::move(still_ready);
}

void InProcessServer::send_turn(Tick& tick, const Tick::Turn& turn) {
  auto& connection = static_cast<Connection&>(*turn.client->link);
  connection.send_reply(tick.take_output(turn));
  if (turn.client->queued_bytes() > 0 || turn.client->wants_close() || turn.held) mark_woken(connection);
}

void InProcessServer::run_tick(Tick& tick) {
  if (tick.turns().empty()) return;
  tick.run(clock_.wall_ms());
  for (const Tick::Turn& turn : tick.turns()) {
    if (turn.client != nullptr) send_turn(tick, turn);
  }
  tick.finish();
}

// What server/net does in its place, step by step.
bool InProcessServer::serve_others() {
  Tick& outer = server_->tick();
  outer.end_group();
  for (uint32_t i = 0; i < outer.turns().size(); ++i) {
    Client* client = outer.turns()[i].client;
    if (client == nullptr || i == outer.running_turn()) continue;
    send_turn(outer, outer.turns()[i]);
    outer.release(i);
    server_->busy_tick().resume(*client);
  }
  server_->resume_postponed(server_->busy_tick());
  receive_all(server_->busy_tick());
  run_tick(server_->busy_tick());
  server_->look_at_log();
  flush_woken();
  return !process_.shutdown_requested;
}

void InProcessServer::flush_woken() {
  std::vector<Connection*> woken;
  woken.swap(woken_);
  for (Connection* connection : woken) connection->in_woken_list_ = false;
  for (Connection* connection : woken) {
    if (connection->closed()) continue;
    if (connection->client_->turn != Client::kNoTurn) {
      mark_woken(*connection);  // its script runs on
      continue;
    }
    connection->flush_queue();
    connection->settle();
  }
}

void InProcessServer::Connection::send(Bytes bytes) {
  sent_ += bytes;
  if (!closed()) owner_.mark_ready(*this);
}

void InProcessServer::Connection::send_request(std::initializer_list<Bytes> arguments) {
  send_request(std::vector<std::string>(arguments.begin(), arguments.end()));
}

void InProcessServer::Connection::send_request(const std::vector<std::string>& arguments) {
  std::string request = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    request += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  send(request);
}

std::string InProcessServer::Connection::take() {
  std::string taken = std::move(arrived_);
  arrived_.clear();
  if (!closed() && client_->queued_bytes() > 0) wake();
  return taken;
}

void InProcessServer::Connection::close() {
  if (closed()) return;
  Client& client = *client_;
  client_ = nullptr;
  owner_.server_->disconnect(client);
}

Reply InProcessServer::Connection::parse_one(Bytes bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  Reply reply;
  LARDER_ASSERT(reader.next(&reply) == ReplyOutcome::kReply && reader.idle());
  return reply;
}

// Whether the server would receive now.
bool InProcessServer::Connection::reads() const { return !closed() && !sent_.empty() && client_->takes_input(); }

void InProcessServer::Connection::receive(Tick& tick) {
  const Tick::Room room = tick.input_room(*client_);
  const size_t count = std::min({room.bytes, sent_.size(), receive_bytes_});
  std::copy_n(sent_.data(), count, room.at);
  sent_.erase(0, count);
  tick.received(*client_, count);
}

void InProcessServer::Connection::deliver(Bytes bytes) {
  arrived_ += bytes;
  client_->bytes_out += bytes.size();
  owner_.services().stats.net_output_bytes += bytes.size();
}

void InProcessServer::Connection::send_reply(Bytes bytes) {
  if (client_->queued_bytes() == 0) {
    const Bytes fits = bytes.substr(0, room());
    deliver(fits);
    bytes.remove_prefix(fits.size());
  }
  if (!bytes.empty()) Tick::give_back(*client_, bytes);
}

void InProcessServer::Connection::flush_queue() {
  while (client_->sendable_bytes() > 0 && room() > 0) {
    std::array<Bytes, 4> pieces;
    const size_t count = client_->queue_->gather(pieces);
    size_t sent = 0;
    for (size_t i = 0; i < count && room() > 0; ++i) {
      const Bytes fits = pieces[i].substr(0, room());
      deliver(fits);
      sent += fits.size();
    }
    client_->queue_->consume(sent);
  }
  if (client_->queued_bytes() == 0) client_->queue_.reset();
}

void InProcessServer::Connection::settle() {
  // Also when the queue has just become empty: that ends the time over the soft limit, and is counted.
  owner_.server_->check_output_limits(*client_);
  const bool done = client_->queued_bytes() == 0 && (client_->gate & kGateClosing);
  if (done || (client_->flags & kClientCloseNow)) close();
}

}  // namespace larder::testing
