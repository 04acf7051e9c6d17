#include "server/core/client_memory.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "server/config/settings.h"
#include "server/core/client_list.h"
#include "server/core/memory_limit.h"
#include "server/core/server_stats.h"

namespace larder {

void ClientMemory::apply_settings() {
  const int64_t configured = services_.settings.maxmemory_clients_bytes;
  // A negative value is a percentage of maxmemory.
  limit_bytes_ = configured >= 0 ? static_cast<uint64_t>(configured)
                                 : services_.memory_limit.limit_bytes() / 100 * static_cast<uint64_t>(-configured);
  for (const auto& client : services_.clients.all()) measure(*client);
}

void ClientMemory::remeasure(Client& client) {
  const size_t bytes = client.memory_bytes();
  measured_bytes_ += bytes - client.measured_bytes;
  client.measured_bytes = bytes;
}

void ClientMemory::forget(Client& client) {
  measured_bytes_ -= client.measured_bytes;
  client.measured_bytes = 0;
}

void ClientMemory::evict() {
  std::vector<Client*> largest;
  for (const auto& client : services_.clients.all()) {
    remeasure(*client);
    const bool stays = (client->flags & (kClientNoEvict | kClientReplica | kClientCloseNow)) != 0;
    if (!stays) largest.push_back(client.get());
  }
  std::sort(largest.begin(), largest.end(),
            [](const Client* a, const Client* b) { return a->measured_bytes > b->measured_bytes; });
  for (Client* client : largest) {
    if (measured_bytes_ <= limit_bytes_) return;
    services_.log.notice("Evicting client id={} addr={}: clients hold more than maxmemory-clients, this one {} bytes",
                         client->id, client->peer, client->measured_bytes);
    ++services_.stats.evicted_clients;
    forget(*client);
    client->close_now();
  }
}

}  // namespace larder
