#pragma once

// MULTI, EXEC and WATCH.
//
// Between MULTI and EXEC the dispatcher checks each request as if it were to run and puts a copy of its arguments into
// the client's Transaction; EXEC runs them through the dispatcher one after the other. An error while queueing marks the
// transaction as aborted.
//
// WATCH is optimistic: the table below maps a watched key to the clients that watch it, and a change of the key
// (`ctx.changed`, expiry, eviction, a flush) marks those clients' transactions dirty. With nobody watching, a change
// costs one test of `empty()`.
//
// The table refers to transactions, not to clients: one that has ended (EXEC, UNWATCH, a disconnect) goes as a whole, and when it
// watched very much, its places in the table are taken back in pieces (core/leftovers.h). What is marked there meanwhile, nobody
// reads.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "server/core/leftovers.h"
#include "server/core/name_table.h"

namespace larder {

struct Client;
struct Command;
class Keyspace;
class TransactionTable;

struct QueuedRequest {
  const Command* command = nullptr;
  std::vector<std::string> arguments;
};

struct WatchedKey {
  uint16_t db = 0;
  std::string key;
};

struct Transaction final : Leftover {
  explicit Transaction(TransactionTable& owner) : table(owner) {}
  // Puts a request behind the others, with a copy of its arguments.
  void queue(const Command& command, std::span<const Bytes> argv);

  size_t steps_left() const override { return watched.size() + queued_arguments; }
  void undo_some(size_t steps_max) override;

  TransactionTable& table;
  std::vector<QueuedRequest> requests;
  size_t queued_arguments = 0;
  size_t queued_bytes = 0;
  uint32_t request_flags = 0;  // CommandFlag of all requests together
  std::vector<WatchedKey> watched;
  size_t watched_bytes = 0;
  bool open = false;          // MULTI was given
  bool aborted = false;       // a request could not be queued: EXEC answers EXECABORT
  bool watch_broken = false;  // a watched key changed: EXEC answers null
};

class TransactionTable {
 public:
  // `hash_seed` is drawn at random: names come from clients. The queue holds nothing of this table when the table goes.
  TransactionTable(uint64_t hash_seed, LeftoverQueue& leftovers) : leftovers_(leftovers), places_(hash_seed) {}
  TransactionTable(const TransactionTable&) = delete;
  TransactionTable& operator=(const TransactionTable&) = delete;

  bool empty() const { return places_.empty(); }

  void watch(Client& client, uint16_t db, Bytes key, bool already_expired);

  // `has_expired`: it is removed because its deadline has passed, which is news only to those who saw it alive.
  void key_changed(uint16_t db, Bytes key, bool has_expired = false);
  // A flush: every watched key of the database that exists (or, with another database swapped in, may change).
  // `exists` tells whether the key was there; it is not asked where all watchers know of a change already.
  template <typename Exists>
  void database_changed(uint16_t db, Exists exists) {
    places_.for_each([&](const Place& place) {
      if (place.db == db && !all_broken(place.watchers) && exists(place.key)) break_all(place.watchers);
    });
  }
  size_t watching_clients() const { return watching_clients_; }
  // Those of transactions that have ended are counted until they are undone.
  size_t watched_key_count() const { return places_.size(); }
  // Of the table; what each client remembers of it is the client's.
  size_t memory_bytes() const { return empty() ? 0 : memory_bytes_ + places_.table_bytes(); }

  // MULTI: from now on the client's requests are queued.
  void open(Client& client);
  // The end of a transaction or of what a client watches, however it came: nothing is queued or watched any more.
  void close(Client& client) { leftovers_.add(detach(client)); }
  // The same, but the requests are still to run, and are the caller's until they have: see spent(). Requires: it is open.
  std::unique_ptr<Transaction> take_requests(Client& client);
  void spent(std::unique_ptr<Transaction> requests) { leftovers_.add(std::move(requests)); }

 private:
  friend struct Transaction;
  struct Watcher {
    Transaction* transaction;
    bool was_expired;  // the key, when it was watched: its removal alone is no change
  };
  struct Place {
    uint16_t db = 0;
    std::string key;
    uint64_t hash = 0;
    std::vector<Watcher> watchers;
  };

  Transaction& transaction_of(Client& client);
  std::unique_ptr<Transaction> detach(Client& client);
  void unwatch(Transaction& transaction, const WatchedKey& watched);
  static bool all_broken(const std::vector<Watcher>& watchers);
  static void break_all(const std::vector<Watcher>& watchers);

  LeftoverQueue& leftovers_;
  NameTable<Place, ByDatabaseAndKey> places_;
  size_t watching_clients_ = 0;
  size_t memory_bytes_ = 0;
};

}  // namespace larder
