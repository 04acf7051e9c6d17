#pragma once

// All connected clients: by id, and in the order of their arrival for CLIENT LIST.

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "server/core/client.h"

namespace larder {

class ClientList {
 public:
  // Creates a client with the next id. The list owns it.
  Client& add(ClientLink& link, const ClientOrigin& origin, int64_t now_ms);
  // Destroys the client.
  void remove(Client& client);

  Client* find(uint64_t id) const;
  size_t count() const { return clients_.size(); }
  // In no particular order; valid until a client is added or removed.
  std::span<const std::unique_ptr<Client>> all() const { return clients_; }
  // Clients sorted by id, oldest first.
  std::vector<Client*> by_age() const;

 private:
  std::vector<std::unique_ptr<Client>> clients_;
  std::unordered_map<uint64_t, Client*> by_id_;
  uint64_t next_id_ = 1;
};

}  // namespace larder
