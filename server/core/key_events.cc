#include "server/core/key_events.h"

#include "storage/keyspace.h"

namespace larder {

void KeyEvents::expired(Keyspace& keyspace, Bytes key) {
  ++stats_.expired_keys;
  changed(static_cast<uint16_t>(keyspace.index()), key, Event::kExpired);
}

void KeyEvents::evicted(Keyspace& keyspace, Bytes key) {
  ++stats_.evicted_keys;
  changed(static_cast<uint16_t>(keyspace.index()), key, Event::kEvicted);
}

}  // namespace larder
