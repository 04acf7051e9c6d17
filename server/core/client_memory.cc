#include "server/core/client_memory.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "base/log.h"
#include "server/config/settings.h"
#include "server/core/client_list.h"
#include "server/core/memory_limit.h"
#include "server/core/server_stats.h"

namespace larder {
namespace {

// So many of a bucket are compared for its largest.
constexpr size_t kComparedMax = 16;

}  // namespace

void ClientMemory::apply_settings() {
  const int64_t configured = services_.settings.maxmemory_clients_bytes;
  // A negative value is a percentage of maxmemory.
  limit_bytes_ = configured >= 0 ? static_cast<uint64_t>(configured)
                                 : services_.memory_limit.limit_bytes() / 100 * static_cast<uint64_t>(-configured);
  if (is_set()) {
    count_all();
    return;
  }
  measured_bytes_ = 0;
  for (const auto& client : services_.clients.all()) {
    client->measured_bytes = 0;
    put_into(Client::kNoBucket, *client);
  }
}

uint64_t ClientMemory::count_all() {
  uint64_t sum = 0;
  for (const auto& client : services_.clients.all()) sum += count(*client);
  return sum;
}

uint64_t ClientMemory::count(Client& client) {
  measure(client);
  const size_t bytes = client.memory_bytes();
  const size_t counted = bytes - client.stored_bytes();
  counted_bytes_ += counted - client.counted_bytes;
  client.counted_bytes = counted;
  return bytes;
}

void ClientMemory::remeasure(Client& client) {
  // One that is about to be closed holds nothing that closing another would have to make up for.
  const size_t bytes = (client.flags & kClientCloseNow) ? 0 : client.memory_bytes();
  measured_bytes_ += bytes - client.measured_bytes;
  client.measured_bytes = bytes;
  const bool stays = (client.flags & (kClientNoEvict | kClientReplica | kClientCloseNow)) != 0;
  put_into(stays ? Client::kNoBucket : static_cast<uint8_t>(std::bit_width(bytes)), client);
}

void ClientMemory::put_into(uint8_t bucket, Client& client) {
  if (bucket == client.memory_bucket) return;
  if (client.memory_bucket != Client::kNoBucket) {
    std::vector<Client*>& before = buckets_[client.memory_bucket];
    LARDER_ASSERT(before[client.memory_position] == &client);
    before[client.memory_position] = before.back();
    before.back()->memory_position = client.memory_position;
    before.pop_back();
  }
  client.memory_bucket = bucket;
  if (bucket == Client::kNoBucket) return;
  client.memory_position = static_cast<uint32_t>(buckets_[bucket].size());
  buckets_[bucket].push_back(&client);
}

void ClientMemory::forget(Client& client) {
  counted_bytes_ -= client.counted_bytes;
  client.counted_bytes = client.counted_buffer_bytes = 0;
  measured_bytes_ -= client.measured_bytes;
  client.measured_bytes = 0;
  put_into(Client::kNoBucket, client);
}

// Measured anew, as others may have changed what it holds. Null when none is left in this bucket.
Client* ClientMemory::largest_of(size_t bucket) {
  Client* largest = nullptr;
  const std::vector<Client*>& clients = buckets_[bucket];
  for (size_t compared = 0, from = 0; compared < kComparedMax && from < clients.size(); ++compared) {
    Client* client = clients[from];
    remeasure(*client);
    if (client->memory_bucket != bucket) continue;  // another is in its place now
    if (largest == nullptr || client->measured_bytes > largest->measured_bytes) largest = client;
    ++from;
  }
  return largest;
}

void ClientMemory::evict() {
  for (size_t bucket = kBuckets; bucket-- > 0;) {
    while (measured_bytes_ > limit_bytes_ && !buckets_[bucket].empty()) {
      Client* client = largest_of(bucket);
      if (client == nullptr) continue;
      services_.log.notice("Evicting client id={} addr={}: clients hold more than maxmemory-clients, this one {} bytes",
                           client->id, client->peer, client->measured_bytes);
      ++services_.stats.evicted_clients;
      client->close_now();
      remeasure(*client);
    }
  }
}

}  // namespace larder
