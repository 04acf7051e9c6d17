#include "server/core/client_list.h"

#include <algorithm>

#include "base/assert.h"
#include "server/core/blocking_table.h"
#include "server/core/pubsub.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"

namespace larder {

Client::Client(uint64_t client_id, ClientLink& client_link) : id(client_id), link(&client_link) {}
Client::~Client() = default;

size_t Client::memory_bytes() const {
  size_t bytes = sizeof(Client) + peer.capacity() + local.capacity() + name.capacity() + lib_name.capacity() +
                 lib_version.capacity() + user.capacity();
  if (unread) bytes += sizeof(Buffer) + unread_held_bytes();
  bytes += progress.memory_bytes();
  if (queue_) bytes += sizeof(OutputQueue) + queue_->owed_bytes();
  if (transaction) bytes += transaction_bytes();
  if (blocked) {
    bytes += sizeof(BlockedState) + blocked->waiters.capacity() * sizeof(Waiter) + blocked->argument_bytes;
  }
  bytes += subscription_bytes(*this);
  if (tracking) {
    bytes += sizeof(TrackingState);
    for (const std::string& prefix : tracking->prefixes) bytes += sizeof(prefix) + prefix.capacity();
  }
  return bytes;
}

size_t Client::transaction_bytes() const {
  return sizeof(Transaction) + transaction->queued_bytes + transaction->watched_bytes;
}

Client& ClientList::add(ClientLink& link, const ClientOrigin& origin, int64_t now_ms) {
  auto client = std::make_unique<Client>(next_id_++, link);
  client->fd = origin.fd;
  client->peer = origin.peer;
  client->local = origin.local;
  client->connected_ms = now_ms;
  client->last_active_ms = now_ms;
  if (origin.is_unix_socket) client->flags |= kClientUnixSocket;
  if (origin.is_loopback) client->flags |= kClientLoopback;
  client->list_position = static_cast<uint32_t>(clients_.size());
  clients_.push_back(std::move(client));
  by_id_[clients_.back()->id] = clients_.back().get();
  return *clients_.back();
}

void ClientList::remove(Client& client) {
  const uint32_t at = client.list_position;
  LARDER_ASSERT(at < clients_.size() && clients_[at].get() == &client);
  by_id_.erase(client.id);
  if (at + 1 != clients_.size()) {
    std::swap(clients_[at], clients_.back());
    clients_[at]->list_position = at;
  }
  clients_.pop_back();
}

Client* ClientList::find(uint64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<Client*> ClientList::by_age() const {
  std::vector<Client*> sorted;
  sorted.reserve(clients_.size());
  for (const auto& client : clients_) sorted.push_back(client.get());
  std::sort(sorted.begin(), sorted.end(), [](const Client* a, const Client* b) { return a->id < b->id; });
  return sorted;
}

}  // namespace larder
