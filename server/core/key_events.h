#pragma once

// What follows from a change of a key, whoever caused it: a command (through CommandContext::changed), the clock
// (expiry) or the memory limit (eviction). This is the one place; storage speaks through the observer interface, the
// commands through their context.

#include <cstdint>

#include "base/bytes.h"
#include "server/core/blocking_table.h"
#include "server/core/events.h"
#include "server/core/propagation.h"
#include "server/core/server_stats.h"
#include "server/core/transaction.h"
#include "storage/keyspace_observer.h"

namespace larder {

class KeyEvents final : public KeyspaceObserver {
 public:
  // All outlive this.
  KeyEvents(ServerStats& stats, TransactionTable& transactions, BlockingTable& blocking, Propagation& propagation)
      : stats_(stats), transactions_(transactions), blocking_(blocking), propagation_(propagation) {}

  // A command changed the key.
  void changed(uint16_t db, Bytes key, [[maybe_unused]] Event event) {
    ++stats_.dirty;
    if (!transactions_.empty()) [[unlikely]]
      transactions_.key_changed(db, key);
    if (!blocking_.empty()) [[unlikely]]
      blocking_.key_changed(db, key);
  }

  void expired(Keyspace& keyspace, Bytes key) override;
  void evicted(Keyspace& keyspace, Bytes key) override;

 private:
  // A key that the server removed by itself: repeated as DEL.
  void propagate_removal(uint16_t db, Bytes key);

  ServerStats& stats_;
  TransactionTable& transactions_;
  BlockingTable& blocking_;
  Propagation& propagation_;
};

}  // namespace larder
