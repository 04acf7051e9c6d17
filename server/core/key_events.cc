#include "server/core/key_events.h"

#include "storage/keyspace.h"

namespace larder {

void KeyEvents::expired(Keyspace& keyspace, Bytes key) {
  ++stats_.expired_keys;
  changed(static_cast<uint16_t>(keyspace.index()), key, Event::kExpired);
  propagate_removal(static_cast<uint16_t>(keyspace.index()), key);
}

void KeyEvents::evicted(Keyspace& keyspace, Bytes key) {
  ++stats_.evicted_keys;
  changed(static_cast<uint16_t>(keyspace.index()), key, Event::kEvicted);
  propagate_removal(static_cast<uint16_t>(keyspace.index()), key);
}

void KeyEvents::propagate_removal(uint16_t db, Bytes key) {
  if (!propagation_.active()) return;
  const Bytes argv[] = {"DEL", key};
  propagation_.command(db, argv);
}

}  // namespace larder
