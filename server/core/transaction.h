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

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"

namespace larder {

struct Client;
struct Command;
class Keyspace;

struct QueuedRequest {
  const Command* command = nullptr;
  std::vector<std::string> arguments;
};

struct WatchedKey {
  uint16_t db = 0;
  std::string key;
  bool was_expired = false;  // its deadline had passed when it was watched: its removal alone is no change
};

struct Transaction {
  std::vector<QueuedRequest> requests;
  size_t queued_bytes = 0;
  uint32_t request_flags = 0;  // CommandFlag of all requests together
  std::vector<WatchedKey> watched;
  size_t watched_bytes = 0;
  bool open = false;             // MULTI was given
  bool watches_expired = false;  // a key was_expired
  bool aborted = false;          // a request could not be queued: EXEC answers EXECABORT
  bool watch_broken = false;     // a watched key changed: EXEC answers null
};

class TransactionTable {
 public:
  bool empty() const { return watchers_.empty(); }

  void watch(Client& client, uint16_t db, Bytes key, bool already_expired);
  void unwatch_all(Client& client);

  // `has_expired`: it is removed because its deadline has passed, which is news only to those who saw it alive.
  void key_changed(uint16_t db, Bytes key, bool has_expired = false);
  // A flush: every watched key of the database that exists (or, with another database swapped in, may change).
  // `exists` tells whether the key was there; it is not asked where all watchers know of a change already.
  template <typename Exists>
  void database_changed(uint16_t db, Exists exists) {
    for (auto& [place, clients] : watchers_) {
      if (place.db == db && !all_broken(clients) && exists(place.key)) break_all(clients);
    }
  }
  size_t watching_clients() const { return watching_clients_; }
  size_t watched_key_count() const { return watchers_.size(); }
  // Of the table; what each client remembers of it is the client's.
  size_t memory_bytes() const { return memory_bytes_; }

  // MULTI: from now on the client's requests are queued.
  static void open(Client& client);
  // The end of a transaction, however it came: nothing is queued or watched any more, and its memory is given back.
  void close(Client& client);

 private:
  struct Place {
    uint16_t db = 0;
    std::string key;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    size_t operator()(const Place& place) const;
  };
  static bool all_broken(const std::vector<Client*>& clients);
  static void break_all(const std::vector<Client*>& clients);
  static bool forgives_removal(Client& client, uint16_t db, Bytes key);

  std::unordered_map<Place, std::vector<Client*>, PlaceHash> watchers_;
  size_t watching_clients_ = 0;
  size_t memory_bytes_ = 0;
};

}  // namespace larder
