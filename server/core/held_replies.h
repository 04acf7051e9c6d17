#pragma once

// Clients whose replies wait for the log: what is in their queues is marked with the number of a group (OutputQueue), and
// goes out when that group is durable.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "server/core/client.h"

namespace larder {

class HeldReplies {
 public:
  // What is appended to the client's queue from now on waits for group `number`.
  void hold(Client& client, uint64_t number) {
    client.queue().hold_until(number);
    if (client.flags & kClientRepliesHeld) return;
    client.flags |= kClientRepliesHeld;
    clients_.push_back(&client);
  }

  // The groups up to `number` are durable: whoever may be sent something is woken.
  void release(uint64_t number) {
    std::erase_if(clients_, [number](Client* client) {
      const bool released = !client->queue_ || client->queue_->release(number);
      if (released) client->flags &= ~kClientRepliesHeld;
      client->link->wake();
      return released;
    });
  }

  void forget(Client& client) {
    if (client.flags & kClientRepliesHeld) std::erase(clients_, &client);
  }
  bool empty() const { return clients_.empty(); }

 private:
  std::vector<Client*> clients_;
};

}  // namespace larder
