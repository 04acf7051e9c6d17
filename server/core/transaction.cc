#include "server/core/transaction.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "server/core/client.h"

namespace larder {

void Transaction::queue(const Command& command, std::span<const Bytes> argv) {
  QueuedRequest& request = requests.emplace_back();
  request.command = &command;
  request.arguments.reserve(argv.size());
  for (const Bytes argument : argv) {
    request.arguments.emplace_back(argument);
    queued_bytes += argument.size() + sizeof(std::string);
  }
  queued_arguments += argv.size();
}

void Transaction::undo_some(size_t steps_max) {
  for (; steps_max > 0 && !watched.empty(); --steps_max) {
    table.unwatch(*this, watched.back());
    watched.pop_back();
  }
  while (steps_max > 0 && !requests.empty()) {
    std::vector<std::string>& arguments = requests.back().arguments;
    const size_t count = std::min(steps_max, arguments.size());
    arguments.resize(arguments.size() - count);
    queued_arguments -= count;
    steps_max -= count;
    if (arguments.empty()) requests.pop_back();
  }
}

Transaction& TransactionTable::transaction_of(Client& client) {
  if (!client.transaction) client.transaction = std::make_unique<Transaction>(*this);
  return *client.transaction;
}

void TransactionTable::watch(Client& client, uint16_t db, Bytes key, bool already_expired) {
  Transaction& transaction = transaction_of(client);
  // The table knows whether this client watches the key already: looking through the client's own list would make one
  // WATCH of many keys quadratic.
  std::vector<Watcher>& watchers = places_.find_or_add({db, key}).watchers;
  const auto is_this = [&](const Watcher& watcher) { return watcher.transaction == &transaction; };
  if (std::any_of(watchers.begin(), watchers.end(), is_this)) return;
  if (watchers.empty()) memory_bytes_ += sizeof(Place) + key.size();
  watchers.push_back({&transaction, already_expired});
  memory_bytes_ += sizeof(Watcher);
  if (transaction.watched.empty()) ++watching_clients_;
  transaction.watched.push_back({db, std::string(key)});
  transaction.watched_bytes += sizeof(WatchedKey) + key.size();
}

void TransactionTable::unwatch(Transaction& transaction, const WatchedKey& watched) {
  Place* const place = places_.find({watched.db, watched.key});
  LARDER_ASSERT(place != nullptr);
  const auto is_this = [&](const Watcher& watcher) { return watcher.transaction == &transaction; };
  memory_bytes_ -= std::erase_if(place->watchers, is_this) * sizeof(Watcher);
  if (!place->watchers.empty()) return;
  memory_bytes_ -= sizeof(Place) + place->key.size();
  places_.remove(*place);
}

void TransactionTable::open(Client& client) {
  transaction_of(client).open = true;
  client.gate |= kGateTransaction;
}

// Null when there is none. A flush asks nothing about keys that nobody else watches: it finds them marked.
std::unique_ptr<Transaction> TransactionTable::detach(Client& client) {
  client.gate &= ~kGateTransaction;
  if (!client.transaction) return nullptr;
  if (!client.transaction->watched.empty()) --watching_clients_;
  client.transaction->watch_broken = true;
  return std::move(client.transaction);
}

std::unique_ptr<Transaction> TransactionTable::take_requests(Client& client) {
  std::unique_ptr<Transaction> ended = detach(client);
  LARDER_ASSERT(ended != nullptr);
  if (ended->watched.size() <= LeftoverQueue::kAtOnceMax) {
    for (; !ended->watched.empty(); ended->watched.pop_back()) unwatch(*ended, ended->watched.back());
    return ended;
  }
  auto requests = std::make_unique<Transaction>(*this);
  requests->requests.swap(ended->requests);
  requests->queued_arguments = std::exchange(ended->queued_arguments, 0);
  leftovers_.add(std::move(ended));
  return requests;
}

void TransactionTable::key_changed(uint16_t db, Bytes key, bool has_expired) {
  Place* const place = places_.find({db, key});
  if (place == nullptr) return;
  if (!has_expired) return break_all(place->watchers);
  // Who began to watch the key when it had expired already forgives its removal, once.
  for (Watcher& watcher : place->watchers) {
    if (!std::exchange(watcher.was_expired, false)) watcher.transaction->watch_broken = true;
  }
}

bool TransactionTable::all_broken(const std::vector<Watcher>& watchers) {
  return std::all_of(watchers.begin(), watchers.end(),
                     [](const Watcher& watcher) { return watcher.transaction->watch_broken; });
}

void TransactionTable::break_all(const std::vector<Watcher>& watchers) {
  for (const Watcher& watcher : watchers) watcher.transaction->watch_broken = true;
}

}  // namespace larder
