#pragma once

// Who waits for which key: the state behind CommandContext::block().
//
//   WaitPlace (database, key)          found by hash; one for each key that somebody waits for
//     └─ WaitQueue (type, sharing)     those who wait for the same kind of thing; a key with BLPOP and BZPOPMIN has two
//          └─ Waiter ⇄ Waiter ⇄ ...    oldest first; one for each client and key, in the client's BlockedState
//
// A change of a key costs one look-up here, and only while anybody waits at all; a place whose key changed is put on the
// list of ready places, once, and wake_up.h works that list off when the command, transaction or script has ended. So
// 10,000 clients that wait for one key cost a change of it no more than one does. Joining is O(keys), leaving too: a
// waiter is unlinked where it is. Nobody waits for that: a client that goes on, or away, leaves its state behind with no client in
// it, and the waiters of very many keys are unlinked in pieces (core/leftovers.h).
//
// Clients that wait with a timeout are ordered by their deadline; the server's background work asks overdue().

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "server/core/blocking.h"
#include "server/core/leftovers.h"
#include "server/core/name_table.h"

namespace larder {

class BlockingTable;
struct BlockedState;
struct Client;
struct Command;
struct WaitPlace;
struct WaitQueue;

struct Waiter {
  BlockedState* state = nullptr;
  WaitQueue* queue = nullptr;
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
};

struct WaitQueue {
  WaitPlace* place = nullptr;
  ValueType type = ValueType::kList;
  WaitSharing sharing = WaitSharing::kCompete;
  bool wakes_on_removal = false;
  std::string group;
  Waiter* first = nullptr;
  Waiter* last = nullptr;
  size_t count = 0;
};

struct WaitPlace {
  uint16_t db = 0;
  std::string key;
  uint64_t hash = 0;
  bool is_ready = false;    // on the list of ready places
  bool is_visited = false;  // between next_ready() and done_with()
  std::vector<std::unique_ptr<WaitQueue>> queues;
};

// Of one waiting client: Client::blocked.
struct BlockedState final : Leftover {
  using Deadlines = std::multimap<int64_t, Client*>;

  BlockedState(BlockingTable& owner, Client& waiting) : table(owner), client(&waiting) {}
  size_t steps_left() const override { return waiters.size() + arguments.size(); }
  void undo_some(size_t steps_max) override;

  BlockingTable& table;
  Client* client;  // null: it waits no longer
  const Command* command = nullptr;
  std::vector<std::string> arguments;
  size_t argument_bytes = 0;    // what they take, of memory
  std::vector<Waiter> waiters;  // never moves: the queues refer to them
  int64_t deadline_ms = 0;      // wall clock; 0: none
  Deadlines::iterator deadline_at;
  uint64_t note = 0;  // BlockRequest::note
  bool answers_timeout = false;
  bool is_over = false;        // the request runs for the last time
  bool is_unanswered = false;  // CLIENT REPLY OFF or SKIP held for the request
  bool found_nothing = false;  // its latest try ended in block() again
};

class BlockingTable {
 public:
  // The queue holds nothing of this table when the table goes.
  BlockingTable(uint64_t hash_seed, LeftoverQueue& leftovers) : leftovers_(leftovers), places_(hash_seed) {}
  BlockingTable(const BlockingTable&) = delete;
  BlockingTable& operator=(const BlockingTable&) = delete;

  // True while nobody waits.
  bool empty() const { return places_.empty(); }

  // The client waits from now on. When it waits already (its request was tried again) it keeps its place.
  void wait(Client& client, const Command& command, std::span<const Bytes> argv, const BlockRequest& request);
  // The client waits no longer; nothing for one that does not. What it has sent since may be looked at.
  void release(Client& client);
  // The client is about to be destroyed.
  void forget(Client& client);

  // The value of the key changed, or its existence.
  void key_changed(uint16_t db, Bytes key);
  // More of the log is durable.
  void log_changed() { key_changed(kLogDatabase, {}); }
  // All keys of the database may have changed.
  void database_changed(uint16_t db);

  bool has_ready() const { return !ready_.empty(); }
  // Takes the place off the list that has been on it longest. Requires: has_ready(). The place and its queues stay
  // until done_with(), even when everybody leaves.
  WaitPlace& next_ready();
  void done_with(WaitPlace& place);

  // A client whose deadline is reached, or null.
  Client* overdue(int64_t now_ms) const;
  size_t timeout_count() const { return deadlines_.size(); }
  // Keys; those that nobody waits for any more are counted until they are undone.
  size_t key_count() const { return places_.size(); }
  // Keys whose removal wakes somebody too.
  size_t key_count_on_removal() const;

  // Ids of clients that have been released and may have sent more meanwhile; the list is the caller's.
  std::vector<uint64_t> take_released() { return std::move(released_); }
  bool has_released() const { return !released_.empty(); }

 private:
  friend struct BlockedState;
  // Those who wait for the log wait at a place of a database that does not exist.
  static constexpr uint16_t kLogDatabase = UINT16_MAX;

  static void join(BlockedState& state, WaitPlace& place, const BlockRequest& request);
  static WaitQueue& queue_for(WaitPlace& place, const BlockRequest& request);
  void make_ready(WaitPlace& place);
  void leave(Waiter& waiter);
  void drop_if_unused(WaitPlace& place);

  LeftoverQueue& leftovers_;
  NameTable<WaitPlace, ByDatabaseAndKey> places_;
  std::deque<WaitPlace*> ready_;
  BlockedState::Deadlines deadlines_;
  std::vector<uint64_t> released_;
};

}  // namespace larder
