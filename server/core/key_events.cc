#include "server/core/key_events.h"

#include <vector>

#include "storage/keyspace.h"

namespace larder {

void KeyEvents::expired(Keyspace& keyspace, Bytes key) {
  ++parts_.stats.expired_keys;
  tell(static_cast<uint16_t>(keyspace.index()), key, Event::kExpired, nullptr);
  propagate_removal(static_cast<uint16_t>(keyspace.index()), key);
}

void KeyEvents::fields_expired(Keyspace& keyspace, Bytes key, std::span<const Bytes> fields, bool key_removed) {
  const auto db = static_cast<uint16_t>(keyspace.index());
  parts_.stats.expired_fields += fields.size();
  tell(db, key, Event::kHExpired, nullptr);
  if (key_removed) tell(db, key, Event::kDel, nullptr);
  if (!parts_.propagation.active()) return;
  std::vector<Bytes> argv = {"HDEL", key};
  argv.insert(argv.end(), fields.begin(), fields.end());
  parts_.propagation.removal(db, argv);
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
  parts_.propagation.removal(db, argv);
}

}  // namespace larder
