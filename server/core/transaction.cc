#include "server/core/transaction.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "server/core/client.h"

namespace larder {
namespace {

// Of a watched key, besides its name: the place in the table, and a node's links.
constexpr size_t kWatchedPlaceBytes = sizeof(std::string) + sizeof(std::vector<Client*>) + 4 * sizeof(void*);

}  // namespace

size_t TransactionTable::PlaceHash::operator()(const Place& place) const {
  return std::hash<std::string>()(place.key) ^ (place.db * 0x9e3779b97f4a7c15ull);
}

void TransactionTable::watch(Client& client, uint16_t db, Bytes key, bool already_expired) {
  if (!client.transaction) client.transaction = std::make_unique<Transaction>();
  // The table knows whether this client watches the key already: looking through the client's own list would make one
  // WATCH of many keys quadratic.
  std::vector<Client*>& watchers = watchers_[Place{db, std::string(key)}];
  if (std::find(watchers.begin(), watchers.end(), &client) != watchers.end()) return;
  if (watchers.empty()) memory_bytes_ += kWatchedPlaceBytes + key.size();
  watchers.push_back(&client);
  memory_bytes_ += sizeof(Client*);
  if (client.transaction->watched.empty()) ++watching_clients_;
  client.transaction->watched.push_back({db, std::string(key), already_expired});
  client.transaction->watched_bytes += sizeof(WatchedKey) + key.size();
  client.transaction->watches_expired |= already_expired;
}

void TransactionTable::unwatch_all(Client& client) {
  if (!client.transaction) return;
  if (!client.transaction->watched.empty()) --watching_clients_;
  for (const WatchedKey& entry : client.transaction->watched) {
    const auto place = watchers_.find(Place{entry.db, entry.key});
    if (place == watchers_.end()) continue;
    memory_bytes_ -= std::erase(place->second, &client) * sizeof(Client*);
    if (!place->second.empty()) continue;
    memory_bytes_ -= kWatchedPlaceBytes + entry.key.size();
    watchers_.erase(place);
  }
  client.transaction->watched.clear();
  client.transaction->watched_bytes = 0;
  client.transaction->watches_expired = false;
  client.transaction->watch_broken = false;
}

void TransactionTable::open(Client& client) {
  if (!client.transaction) client.transaction = std::make_unique<Transaction>();
  client.transaction->open = true;
  client.gate |= kGateTransaction;
}

void TransactionTable::close(Client& client) {
  unwatch_all(client);
  client.gate &= ~kGateTransaction;
  client.transaction.reset();
}

// Whether the key was expired already when the client began to watch it, and the client has not been told of its removal.
bool TransactionTable::forgives_removal(Client& client, uint16_t db, Bytes key) {
  if (!client.transaction->watches_expired) return false;
  for (WatchedKey& watched : client.transaction->watched) {
    if (watched.db == db && watched.key == key) return std::exchange(watched.was_expired, false);
  }
  return false;
}

void TransactionTable::key_changed(uint16_t db, Bytes key, bool has_expired) {
  const auto place = watchers_.find(Place{db, std::string(key)});
  if (place == watchers_.end()) return;
  if (!has_expired) return break_all(place->second);
  for (Client* client : place->second) {
    if (!forgives_removal(*client, db, key)) client->transaction->watch_broken = true;
  }
}

bool TransactionTable::all_broken(const std::vector<Client*>& clients) {
  return std::all_of(clients.begin(), clients.end(),
                     [](const Client* client) { return client->transaction->watch_broken; });
}

void TransactionTable::break_all(const std::vector<Client*>& clients) {
  for (Client* client : clients) client->transaction->watch_broken = true;
}

}  // namespace larder
