#pragma once

// maxmemory-clients: how much all clients' buffers together may hold, and who goes when it is more.
//
// A client is measured when it has had a turn or got a message, and the sum is kept; so asking whether the limit holds
// costs one comparison, whatever the number of clients. What was measured may have been sent since, so before anybody is
// closed, all are measured anew. The largest go first, until the limit holds; those with CLIENT NO-EVICT stay. Without a
// limit, which is the default, nothing is measured.

#include <cstdint>

#include "server/core/services.h"

namespace larder {

struct Client;

class ClientMemory {
 public:
  explicit ClientMemory(Services& services) : services_(services) {}

  // maxmemory-clients (or maxmemory, of which it may be a percentage) has changed.
  void apply_settings();
  bool is_set() const { return limit_bytes_ > 0; }
  // Its buffers may have grown or shrunk.
  void measure(Client& client) {
    if (is_set()) [[unlikely]]
      remeasure(client);
  }
  void forget(Client& client);
  // Closes the largest clients while the limit does not hold.
  void enforce() {
    if (is_set() && measured_bytes_ > limit_bytes_) [[unlikely]]
      evict();
  }

 private:
  void remeasure(Client& client);
  void evict();

  Services& services_;
  uint64_t limit_bytes_ = 0;
  uint64_t measured_bytes_ = 0;  // the sum over all clients
};

}  // namespace larder
