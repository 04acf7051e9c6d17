#pragma once

// What all clients together hold: for maxmemory, which counts it, and for maxmemory-clients, which limits it.
//
// A client's buffers are counted when it has had a turn, got a message or was sent something, and the sum is kept; so asking for it
// costs nothing, whatever the number of clients. The rest of it (names, subscriptions), and what changes without its doing, is looked
// at when it comes, in slices by the cron, and by count_all() when somebody asks for figures.
//
// Under maxmemory-clients each client is measured whole at those times, and those that may be closed are kept in buckets by
// the power of two that they hold. So the largest are found without a look at the others, and a tick in which nobody may be closed
// (CLIENT NO-EVICT) costs nothing. Within a bucket only some are compared. Without a limit, which is the default, there are no
// buckets.

#include <array>
#include <cstdint>
#include <vector>

#include "server/core/client.h"
#include "server/core/services.h"

namespace larder {

class ClientMemory {
 public:
  explicit ClientMemory(Services& services) : services_(services) {}

  // maxmemory-clients (or maxmemory, of which it may be a percentage) has changed.
  void apply_settings();
  bool is_set() const { return limit_bytes_ > 0; }
  // Its buffers may have grown or shrunk.
  void measure(Client& client) {
    const size_t buffer_bytes = client.buffer_bytes();
    const size_t more = buffer_bytes - client.counted_buffer_bytes;
    counted_bytes_ += more;
    client.counted_bytes += more;
    client.counted_buffer_bytes = buffer_bytes;
    if (is_set()) [[unlikely]]
      remeasure(client);
  }
  // All of it may have. Returns what it holds, with what the store counts, too (once for all clients).
  uint64_t count(Client& client);
  uint64_t count_all();
  // As measured, without what the store counts.
  uint64_t counted_bytes() const { return counted_bytes_; }
  void forget(Client& client);
  // Closes the largest clients while the limit does not hold.
  void enforce() {
    if (is_set() && measured_bytes_ > limit_bytes_) [[unlikely]]
      evict();
  }

 private:
  static constexpr size_t kBuckets = 64;

  void remeasure(Client& client);
  void put_into(uint8_t bucket, Client& client);
  Client* largest_of(size_t bucket);
  void evict();

  Services& services_;
  uint64_t limit_bytes_ = 0;
  uint64_t counted_bytes_ = 0;
  uint64_t measured_bytes_ = 0;                         // the sum over all clients, with a limit
  std::array<std::vector<Client*>, kBuckets> buckets_;  // [n]: clients that hold 2^(n-1) bytes and more
};

}  // namespace larder
