#include "server/core/context.h"

#include <algorithm>

#include "server/core/blocking_table.h"
#include "server/core/key_events.h"
#include "server/core/notifications.h"
#include "server/core/propagation.h"
#include "server/core/transaction.h"

namespace larder {

void KeyAccess::prefetch(std::span<const Bytes> keys, size_t step) {
  uint64_t hashes[kPrefetchKeysMax];
  size_t count = 0;
  for (size_t i = 0; i < keys.size() && count < kPrefetchKeysMax; i += step) {
    hashes[count] = hashed(Key{keys[i]}).hash;
    keyspace().prefetch_bucket(hashes[count++]);
  }
  size_t beyond = 0;
  for (size_t i = 0; i < count; ++i) {
    if (keyspace().prefetch_entry(hashes[i]) == Prefetched::kBeyond) hashes[beyond++] = hashes[i];
  }
  for (size_t i = 0; i < beyond; ++i) keyspace().prefetch_beyond(hashes[i]);
}

void KeyAccess::missed(Key key) {
  ++services_.stats.keyspace_misses;
  if (services_.notifications.wants(kNotifyMiss)) services_.notifications.tell(client_.db, key.bytes, Event::kKeyMiss);
}

void CommandContext::changed_in(uint16_t db, Bytes key, Event event, uint64_t changes) {
  services_.key_events.changed(db, key, event, changes);
}

void CommandContext::groups_changed(Bytes key, Event event, uint64_t changes) {
  services_.key_events.groups_changed(client_.db, key, event, changes);
}

void CommandContext::propagate_as(std::span<const Bytes> argv) {
  replaced_ = true;
  services_.propagation.command(client_.db, argv);
}

bool CommandContext::propagates() const { return services_.propagation.active(); }

bool CommandContext::may_block() const { return !(client_.flags & kClientDenyBlocking); }

void CommandContext::block(const BlockRequest& request) {
  if (may_block()) return services_.blocking.wait(client_, *command_, argv_, request);
  if (request.denied_reply == DeniedReply::kNull) return reply_.null();
  reply_.null_array();
}

void CommandContext::database_changing(uint16_t db) {
  Keyspace& keyspace = services_.store.database(db);
  // Nothing changes for anybody where nothing is. FLUSHALL asks for each of the databases, and the tables are those of all.
  if (keyspace.size() == 0) return;
  if (!services_.blocking.empty()) services_.blocking.database_changed(db);
  if (services_.transactions.empty()) return;
  services_.transactions.database_changed(
      db, [&](Bytes key) { return keyspace.contains(services_.store.hashed(key), now_ms()); });
}

}  // namespace larder
