#pragma once

// What follows from a change of a key, whoever caused it: a command (through CommandContext::changed), the clock
// (expiry) or the memory limit (eviction). This is the one place; storage speaks through the observer interface, the
// commands through their context.

#include <cstdint>

#include "base/bytes.h"
#include "server/core/blocking_table.h"
#include "server/core/delivery.h"
#include "server/core/events.h"
#include "server/core/notifications.h"
#include "server/core/propagation.h"
#include "server/core/server_stats.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"
#include "storage/keyspace_observer.h"

namespace larder {

class KeyEvents final : public KeyspaceObserver {
 public:
  // Whom it concerns. All outlive this.
  struct Parts {
    ServerStats& stats;
    TransactionTable& transactions;
    BlockingTable& blocking;
    Propagation& propagation;
    Notifications& notifications;
    Tracking& tracking;
    Delivery& delivery;
  };
  explicit KeyEvents(const Parts& parts) : parts_(parts) {}

  // A command changed the key, in so many ways as save points count.
  void changed(uint16_t db, Bytes key, Event event, uint64_t changes) {
    parts_.stats.dirty += changes;
    tell(db, key, event, parts_.delivery.running());
  }
  // A command changed what a stream's groups know.
  void groups_changed(uint16_t db, Bytes key, Event event, uint64_t changes) {
    parts_.stats.dirty += changes;
    tell_waiting_and_subscribed(db, key, event);
  }

  void expired(Keyspace& keyspace, Bytes key) override;
  void fields_expired(Keyspace& keyspace, Bytes key, std::span<const Bytes> fields, bool key_removed) override;
  void evicted(Keyspace& keyspace, Bytes key) override;
  // Told only while notifications of the class `n` are wanted.
  void created(Keyspace& keyspace, Bytes key) override;

 private:
  // `by` is the client whose request it was, null for the server's own doing: that is no change of a command, which
  // would be repeated.
  void tell(uint16_t db, Bytes key, Event event, const Client* by) {
    if (!parts_.transactions.empty()) [[unlikely]]
      parts_.transactions.key_changed(db, key, event == Event::kExpired);
    if (parts_.tracking.active()) [[unlikely]]
      parts_.tracking.key_changed(key, by);
    tell_waiting_and_subscribed(db, key, event);
  }
  void tell_waiting_and_subscribed(uint16_t db, Bytes key, Event event) {
    if (!parts_.blocking.empty()) [[unlikely]]
      parts_.blocking.key_changed(db, key);
    if (parts_.notifications.active()) [[unlikely]]
      parts_.notifications.tell(db, key, event);
  }
  // A key that the server removed by itself: repeated as DEL.
  void propagate_removal(uint16_t db, Bytes key);

  Parts parts_;
};

}  // namespace larder
