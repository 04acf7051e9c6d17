#include "server/core/key_events.h"

#include "storage/keyspace.h"

namespace larder {

void KeyEvents::expired(Keyspace& keyspace, Bytes key) {
  ++parts_.stats.expired_keys;
  tell(static_cast<uint16_t>(keyspace.index()), key, Event::kExpired, nullptr);
  propagate_removal(static_cast<uint16_t>(keyspace.index()), key);
}

void KeyEvents::evicted(Keyspace& keyspace, Bytes key) {
  ++parts_.stats.evicted_keys;
  tell(static_cast<uint16_t>(keyspace.index()), key, Event::kEvicted, nullptr);
  propagate_removal(static_cast<uint16_t>(keyspace.index()), key);
}

void KeyEvents::created(Keyspace& keyspace, Bytes key) {
  parts_.notifications.tell(static_cast<uint16_t>(keyspace.index()), key, Event::kNew);
}

void KeyEvents::propagate_removal(uint16_t db, Bytes key) {
  if (!parts_.propagation.active()) return;
  const Bytes argv[] = {"DEL", key};
  parts_.propagation.command(db, argv);
}

}  // namespace larder
