#pragma once

// The server on real sockets: listeners, connections, and the turn of the loop that drives the tick.
//
//     poll: descriptors become ready        -> lists of readable and of woken connections
//     turn: receive for each readable one   -> requests in the tick
//           tick.run()                      -> replies
//           one send per connection         -> the rest goes to the connection's queue
//           a share of the woken connections is flushed, background work gets what is left of its interval

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/core/server.h"
#include "server/net/connection.h"
#include "server/net/event_loop.h"
#include "server/net/listener.h"

namespace larder {

class NetServer final : public RequestPump {
 public:
  // `loop` and `server` outlive this.
  NetServer(EventLoop& loop, Server& server);
  ~NetServer() override;

  // Opens every configured address. An address with a leading '-' may fail.
  Status listen();
  // Serves until a shutdown is asked for.
  void run();
  // Ends run() after the current turn.
  void request_shutdown();

  EventLoop& loop() { return loop_; }
  Server& server() { return server_; }

  // Serves everybody but the client whose script runs: looks at all sockets once, without waiting.
  [[nodiscard]] bool serve_others() override;

  // For connections.
  void mark_ready(Connection& connection);
  void mark_woken(Connection& connection);
  void count_sent(Client& client, size_t bytes);
  // The connection is about to be destroyed.
  void forget(Connection& connection);

 private:
  void accept(int fd, const ClientOrigin& origin);
  bool turn();
  void count_turn(int64_t turn_ns, uint64_t tick_ns_before);
  // Whether there is more to do at once.
  bool run_background(int64_t now_us);
  void receive_all(Tick& tick);
  void receive(Connection& connection, Tick& tick);
  void send_all(Tick& tick);
  void send_turn(Tick& tick, const Tick::Turn& turn);
  void release_others();
  void look_at_sockets();
  void flush_woken();
  void keep_background_going();
  void end_wait_for_background();
  void close_everything();

  EventLoop& loop_;
  Server& server_;
  std::vector<Listener*> listeners_;
  std::vector<std::string> unix_paths_;
  std::vector<Connection*> ready_;
  std::vector<Connection*> woken_;
  std::unique_ptr<Timer> cron_;
  std::unique_ptr<Timer> background_;
  int64_t background_due_us_ = 0;
  bool background_ticking_ = false;  // the timer runs: an idle server without keys to expire wakes for cron alone
  bool shutting_down_ = false;
};

}  // namespace larder
