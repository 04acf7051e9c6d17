#include "server/core/notifications.h"

#include "base/number_text.h"
#include "server/core/pubsub.h"

namespace larder {

void Notifications::tell(uint16_t db, Bytes key, Event event) {
  if (pubsub_.nobody_listens()) return;
  for (; event != Event::kCount; event = facts_of(event).then) {
    const EventFacts& facts = facts_of(event);
    if (!wants(facts.notify_class)) continue;
    if (wants(kNotifyKeyspace)) publish("__keyspace@", db, key, facts.name);
    if (wants(kNotifyKeyevent)) publish("__keyevent@", db, facts.name, key);
  }
}

void Notifications::publish(Bytes space, uint16_t db, Bytes channel_end, Bytes message) {
  constexpr size_t kKeptChannelBytes = 1024;
  char digits[kInt64TextBytesMax];
  channel_.clear();
  channel_.append(space);
  channel_.append({digits, write_uint64(digits, db)});
  channel_.append("__:");
  channel_.append(channel_end);
  pubsub_.publish(channel_.bytes(), message);
  channel_.clear();
  channel_.shrink(kKeptChannelBytes);
}

}  // namespace larder
