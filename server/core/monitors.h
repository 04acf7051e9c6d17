#pragma once

// MONITOR: clients that see every request that runs.
//
//     +1339518083.107412 [0 127.0.0.1:60866] "get" "k"
//
// Administrative commands are not shown, nor what a command marked as secret. A line is written once and goes to each monitor
// the way of a message (core/delivery.h), within the limits of the class `normal`.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "server/core/services.h"

namespace larder {

struct Client;

class Monitors {
 public:
  explicit Monitors(Services& services) : services_(services) {}

  bool empty() const { return clients_.empty(); }
  // Requires: it is not one yet.
  void add(Client& client);
  // Nothing happens when it is none.
  void remove(Client& client);

  // A request of `client` has run; `argv` without what is secret.
  void show(const Client& client, std::span<const Bytes> argv);

 private:
  Services& services_;
  std::vector<Client*> clients_;
  std::string line_;
};

}  // namespace larder
