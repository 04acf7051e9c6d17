#pragma once

// A listening socket, TCP or Unix.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/core/client.h"
#include "server/net/event_loop.h"

namespace larder {

struct ListenOptions {
  int64_t backlog = 511;
  int64_t keepalive_s = 300;  // 0: off
};

class Listener final : public Watcher {
 public:
  // Connections accepted in one turn of the loop; the rest wait for the next, so that a storm of them does not starve
  // the clients that are there.
  static constexpr size_t kAcceptsPerTurn = 256;

  // Called for each accepted socket, which is non-blocking and belongs to the callee.
  using AcceptCallback = std::function<void(int fd, const ClientOrigin& origin)>;

  // Binds to an address and port. `address` is a numeric address, a host name, or "*" for all of IPv4, "::*" for all of
  // IPv6.
  static Result<Listener*> listen_tcp(uv_loop_t* loop, const std::string& address, int64_t port,
                                      const ListenOptions& options, AcceptCallback callback);
  // Binds to a path; a socket file that is left over is replaced. `permissions` 0: as the umask says.
  static Result<Listener*> listen_unix(uv_loop_t* loop, const std::string& path, int64_t permissions,
                                       const ListenOptions& options, AcceptCallback callback);

  // How long no connection is accepted after the process ran out of descriptors. The one that waits keeps the socket
  // readable, so that trying on would take a whole core.
  static constexpr int64_t kAcceptPauseMs = 100;

  void on_ready(bool readable, bool writable) override;

 private:
  Listener(uv_loop_t* loop, ListenOptions options, AcceptCallback callback, std::string unix_path);
  void pause_accepting();
  ClientOrigin origin_of(int fd) const;

  uv_loop_t* loop_;
  ListenOptions options_;
  AcceptCallback callback_;
  std::string unix_path_;      // empty for TCP
  std::string paced_default_;  // congestion control of connections from elsewhere, where it is not the listener's
  Timer accept_again_;
};

}  // namespace larder
