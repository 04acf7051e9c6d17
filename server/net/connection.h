#pragma once

// One socket of a client: receives into the tick, sends what the tick and other clients produce.
//
// An idle connection owns no buffers: this object, its Client, and what the kernel holds are all there is.

#include "server/core/client.h"
#include "server/core/tick.h"
#include "server/net/event_loop.h"

namespace larder {

class NetServer;

class Connection final : public Watcher, public ClientLink {
 public:
  explicit Connection(NetServer& net) : net_(net) { tell_of_input_once(); }
  ~Connection() override = default;

  // Starts reading. `client` is this connection's client.
  void open(int fd, Client& client);
  Client* client() const { return client_; }

  // Receives what is there, once, into the tick. Closes the connection at its end or on an error.
  void receive(Tick& tick);
  // Something is there that was not received: it is not told again.
  bool may_have_input() const { return may_have_input_; }
  // Sends `bytes` if nothing is queued before them, else or what is left over goes to the queue.
  void send_reply(Bytes bytes);
  // Sends from the queue until it is empty or the socket is full.
  void flush_queue();
  // After sending: closes if the client is done, adjusts what is watched.
  void settle();
  void close();

  void on_ready(bool readable, bool writable) override;
  void wake() override;

  // Marks of the current turn, kept by NetServer.
  bool in_ready_list = false;
  bool in_woken_list = false;

 private:
  void watch_for_what_is_due();

  NetServer& net_;
  Client* client_ = nullptr;
  bool may_have_input_ = false;
  bool input_ended_ = false;  // the other side has shut down its sending half
  bool wants_write_ = false;  // the socket was full
};

}  // namespace larder
