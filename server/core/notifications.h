#pragma once

// Keyspace notifications: what happens to keys, told through pub/sub to whoever listens.
//
//     __keyspace@0__:user:17   "expire"          with K: the key names the channel
//     __keyevent@0__:expire    "user:17"         with E: the event names the channel
//
// Which classes of events are told is the option notify-keyspace-events. Off, which is the default, a change costs one
// test; on, but with nobody listening to anything, one more.

#include <cstdint>

#include "base/buffer.h"
#include "base/bytes.h"
#include "server/config/settings.h"
#include "server/core/events.h"

namespace larder {

class PubSub;

class Notifications {
 public:
  // Both outlive this.
  Notifications(PubSub& pubsub, const Settings& settings) : pubsub_(pubsub), settings_(settings) {}

  bool active() const { return settings_.notify_classes != 0; }
  // Whether events of this class are told at all.
  bool wants(NotifyClass events) const { return (settings_.notify_classes & events) != 0; }
  // Tells the event, and the one that belongs behind it (SET with a time to live: "set", then "expire").
  void tell(uint16_t db, Bytes key, Event event);

 private:
  void publish(Bytes space, uint16_t db, Bytes channel_end, Bytes message);

  PubSub& pubsub_;
  const Settings& settings_;
  Buffer channel_;
};

}  // namespace larder
