#pragma once

// Ends the waiting of clients whose blocking command found nothing (see blocking.h): because a key has changed, because
// the time is over, or because CLIENT UNBLOCK says so.

#include <cstdint>

#include "server/core/services.h"

namespace larder {

class Dispatcher;
struct Client;

// Runs the requests again that wait for the keys that changed, oldest first, and those that wait for what these change in
// turn, until nothing is ready. While clients are paused it does nothing; the keys stay ready. Requires: no command is
// running.
void serve_waiting(Services& services, Dispatcher& dispatcher);

// Answers the clients whose timeout has passed, as their commands do then. At most `clients_max`; true when more are due.
bool time_out_waiting(Services& services, Dispatcher& dispatcher, int64_t now_ms, size_t clients_max);

enum class UnblockReply : uint8_t {
  kAsTimedOut,
  kError,  // UNBLOCKED
};
// Requires: the client waits.
void unblock(Services& services, Dispatcher& dispatcher, Client& client, UnblockReply how);

}  // namespace larder
