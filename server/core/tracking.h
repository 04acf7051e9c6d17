#pragma once

// Client-side caching: clients keep what they have read and are told when it changes (CLIENT TRACKING).
//
// Two ways to know whom to tell.
//   - By default the server remembers which keys a client has read, and tells it once: the change takes the client off the
//     key's list, until it reads the key again. The keys of a request are found by find_keys(), after it has run: the same
//     answer for every command, also for keys that are not there, and no cost in the look-up of keys. The list is bounded
//     by tracking-table-max-keys; a key that must leave it is invalidated, as if it had changed.
//   - With BCAST the server remembers nothing: a client names prefixes and is told of every change of a key that begins
//     so. These are collected, each key once, and told at the end of the tick, together.
//
//     table     TrackedKey { name, readers: ids, sorted }         found by name
//     prefixes  PrefixGroup { clients, changed keys of this tick } found by their lengths that occur
//
// Clients are listed by id, and who has gone is noticed when its turn comes (or when a list has doubled): so nothing need
// be searched at a disconnect. With the last of them, and with a flush, the whole table goes: it is freed in pieces
// (core/leftovers.h), as are the prefixes of one that had very many.
//
// Databases are not told apart: clients are told by the key's name.
//
// Invalidations are pushes (RESP3), or messages of the channel __redis__:invalidate for a RESP2 connection that another
// client redirects to (REDIRECT). The order is that of core/delivery.h.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "server/core/leftovers.h"
#include "server/core/name_table.h"
#include "server/core/registry.h"
#include "server/core/services.h"

namespace larder {

struct Client;
class Tracking;

enum TrackingMode : uint32_t {
  kTrackBroadcast = 1u << 0,
  kTrackOptIn = 1u << 1,
  kTrackOptOut = 1u << 2,
  kTrackNoLoop = 1u << 3,
};

// One client's tracking.
struct TrackingState final : Leftover {
  TrackingState(Tracking& owner, Client& tracker) : tracking(owner), client(&tracker) {}
  size_t steps_left() const override { return prefixes.size(); }
  void undo_some(size_t steps_max) override;

  Tracking& tracking;
  Client* client;                     // null: it tracks no longer
  uint32_t modes = 0;                 // TrackingMode
  bool caching_given = false;         // CLIENT CACHING, for the next request
  bool redirection_broken = false;    // the client that it redirects to is gone
  uint64_t redirection = 0;           // id, 0: to itself
  std::vector<std::string> prefixes;  // with BCAST; one empty prefix for all keys
};

class Tracking {
 public:
  Tracking(Services& services, uint64_t hash_seed) : services_(services), hash_seed_(hash_seed) {}

  // Whether any client tracks: while false, nothing below needs to be called.
  bool active() const { return client_count_ > 0; }

  // CLIENT TRACKING ON, with options that fit together and to what the client has. Prefixes are added to those it has.
  void enable(Client& client, uint32_t modes, uint64_t redirection, std::span<const Bytes> prefixes);
  // CLIENT TRACKING OFF, RESET, disconnect. Nothing happens when the client does not track.
  void disable(Client& client);

  // `asker`'s request has run: a command (perhaps one of many inside a transaction or script), or all of it.
  void command_ran(Client& asker, const Command& command, std::span<const Bytes> argv);
  void request_ended(Client& asker, const Command& command);

  // The key has changed or gone. `by` is the client whose request did it, null for the server's own doing.
  void key_changed(Bytes key, const Client* by);
  // All keys may have changed.
  void database_changed();
  // The end of a tick: what the broadcasting clients are owed.
  void send_broadcasts() {
    if (broadcasts_pending_) flush_broadcasts();
  }
  // tracking-table-max-keys may be lower now.
  void shrink_to_limit();

  size_t client_count() const { return client_count_; }
  size_t key_count() const { return table_->size(); }
  // Pairs of a key and a client that has read it.
  size_t item_count() const { return item_count_; }
  // Those that no client has any more are counted until they are undone.
  size_t prefix_count() const { return prefixes_.size(); }
  size_t memory_bytes() const;

 private:
  struct TrackedKey {
    std::string name;
    uint64_t hash = 0;
    std::vector<uint64_t> readers;  // ids, sorted
  };
  using TrackedKeys = NameTable<TrackedKey>;
  class ForgottenKeys;
  struct PrefixGroup {
    std::vector<TrackingState*> trackers;
    // Keys that changed in this tick, and the id of the client that did it last, 0 for none.
    std::map<std::string, uint64_t, std::less<>> changed;
  };

  friend struct TrackingState;
  void remember(Client& client, Bytes key);
  void forget_all_keys();
  void leave_prefix(const TrackingState& state, const std::string& prefix);
  void drop_gone_readers(TrackedKey& key);
  void invalidate(TrackedKey& key, const Client* by);
  void collect_broadcast(Bytes key, const Client* by);
  void flush_broadcasts();
  void send_group(const PrefixGroup& group);
  Bytes encode_keys(const PrefixGroup& group, uint64_t without_id);
  void send_keys(Client& client, Bytes keys);
  void send_null(Client& client);
  Client* receiver_of(Client& client);
  void send_framed(Client& client, Client& receiver, Bytes keys);

  Services& services_;
  const uint64_t hash_seed_;
  std::unique_ptr<TrackedKeys> table_ = std::make_unique<TrackedKeys>(hash_seed_);
  size_t item_count_ = 0;
  size_t name_bytes_ = 0;  // of the tracked keys
  size_t client_count_ = 0;
  std::map<std::string, PrefixGroup, std::less<>> prefixes_;
  std::map<size_t, size_t> prefix_lengths_;  // how many prefixes have this length
  bool broadcasts_pending_ = false;
  std::vector<KeyPosition> positions_;
  Buffer keys_;
  Buffer frame_;
};

}  // namespace larder
