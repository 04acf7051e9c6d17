#pragma once

// A whole server in the test's own process: every command, a simulated clock, a file system in memory, fixed seeds, and
// any number of clients whose sockets are two strings.
//
//     InProcessServer server;
//     auto& client = server.connect();
//     EXPECT_EQ(client.call("SET", "k", "v", "PX", "100"), "+OK\r\n");
//     server.advance_ms(100);
//     EXPECT_EQ(client.call("GET", "k"), "$-1\r\n");
//
// A turn does what server/net does in a turn of its loop, step by step, through the same Tick: receive from every client
// that has sent something, run, send, flush the queues, work in the background. Only the sockets differ: what one takes
// and gives at once can be set, so that slow readers and requests in pieces are ordinary cases.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory_file_system.h"
#include "base/worker.h"
#include "protocol/reply_reader.h"
#include "server/core/server.h"

namespace larder::testing {

struct InProcessOptions {
  std::vector<std::string> arguments = {};  // as on the command line: {"--requirepass", "x"}
  uint64_t seed = 1;
  // A file system that outlives the server, to start on what another one left; null: one of its own.
  MemoryFileSystem* files = nullptr;
  int64_t wall_start_us = SimulatedClock::kDefaultStartUs;
  // Commands of the test's own, beside all others.
  std::vector<CommandFamily> families = {};
};

class InProcessServer final : private RequestPump {
 public:
  class Connection;

  explicit InProcessServer(const InProcessOptions& options = {});
  ~InProcessServer() override;
  InProcessServer(const InProcessServer&) = delete;
  InProcessServer& operator=(const InProcessServer&) = delete;

  // Why the server's arguments were refused, or empty. Without a server nothing else may be called.
  const std::string& start_error() const { return start_error_; }

  // A client from the loopback interface, or from elsewhere. Lives as long as this object, also when it is closed.
  Connection& connect();
  Connection& connect(const ClientOrigin& origin);

  // One turn of the loop. True when there is more to do at once.
  bool run_turn();
  // Turns until nothing is left to do.
  void run();
  // Time passes in small steps, with the background work and the periodic work that fall due in each.
  void advance_ms(int64_t duration_ms);

  Server& server() { return *server_; }
  Services& services() { return server_->services(); }
  SimulatedClock& clock() { return clock_; }
  MemoryFileSystem& files() { return files_; }
  const std::string& log_text() const { return log_sink_.text(); }
  bool shutdown_requested() const { return process_.shutdown_requested; }

 private:
  struct Process final : ProcessControl {
    explicit Process(SimulatedClock& simulated_clock) : clock(simulated_clock) {}
    void request_shutdown() override { shutdown_requested = true; }
    void wake_loop() override {}
    void sleep_us(int64_t duration_us) override { clock.advance_us(duration_us); }
    uint64_t resident_bytes() const override { return 64 * 1024 * 1024; }
    SimulatedClock& clock;
    bool shutdown_requested = false;
  };

  // While a script runs, time passes by this much at every look, so that it becomes busy under a simulated clock.
  static constexpr int64_t kScriptStepMs = 5;
  void script_is_running() override { clock_.advance_ms(kScriptStepMs); }
  [[nodiscard]] bool serve_others() override;
  void receive_all(Tick& tick);
  void run_tick(Tick& tick);
  void send_turn(Tick& tick, const Tick::Turn& turn);
  void flush_woken();
  void mark_ready(Connection& connection);
  void mark_woken(Connection& connection);

  SimulatedClock clock_;
  MemoryFileSystem own_files_;
  MemoryFileSystem& files_;
  MemoryLogSink log_sink_;
  Log log_;
  Process process_{clock_};
  ImmediateDisposal disposal_;
  InlineWorker snapshot_worker_;
  std::string start_error_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> ready_;
  std::vector<Connection*> woken_;
  int64_t cron_due_ms_ = 0;
};

// The client's end of a simulated connection, and the server's link to it.
class InProcessServer::Connection final : public ClientLink {
 public:
  static constexpr size_t kUnlimited = SIZE_MAX;

  explicit Connection(InProcessServer& owner) : owner_(owner) {}

  // Puts bytes on the wire; the server receives them in its next turn.
  void send(Bytes bytes);
  void send_request(std::initializer_list<Bytes> arguments);
  void send_request(const std::vector<std::string>& arguments);
  // Sends a request, lets the server work, and takes everything that it has sent.
  template <class... Words>
  std::string call(const Words&... words) {
    send_request({Bytes(words)...});
    owner_.run();
    return take();
  }
  // The same, as a value. Requires: exactly one reply arrives.
  template <class... Words>
  Reply ask(const Words&... words) {
    return parse_one(call(words...));
  }

  // Takes what has arrived from the server; makes room for more when the amount is limited.
  std::string take();
  const std::string& arrived() const { return arrived_; }

  // How many bytes the server receives at a time from now on.
  void set_receive_bytes(size_t bytes) { receive_bytes_ = bytes; }
  // How many bytes may have arrived and wait to be taken before the socket takes no more: a reader that is slow.
  void set_window_bytes(size_t bytes) { window_bytes_ = bytes; }

  // Closes from this side.
  void close();
  // The server has closed it.
  bool closed() const { return client_ == nullptr; }
  // Requires: !closed().
  Client& client() { return *client_; }

  void wake() override { owner_.mark_woken(*this); }

 private:
  friend class InProcessServer;
  static Reply parse_one(Bytes bytes);
  bool reads() const;
  void receive(Tick& tick);
  void send_reply(Bytes bytes);
  void flush_queue();
  void settle();
  size_t room() const { return window_bytes_ - std::min(window_bytes_, arrived_.size()); }
  void deliver(Bytes bytes);

  InProcessServer& owner_;
  Client* client_ = nullptr;
  std::string sent_;  // by the test, not received by the server
  std::string arrived_;
  size_t receive_bytes_ = kUnlimited;
  size_t window_bytes_ = kUnlimited;
  bool in_ready_list_ = false;
  bool in_woken_list_ = false;
};

}  // namespace larder::testing
