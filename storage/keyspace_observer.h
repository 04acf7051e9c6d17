// The one outward voice of storage: what happens to keys without a command asking for it. What a command does to a key,
// the command itself tells (`ctx.changed`), because only it knows under which name. Implemented once, by server/core.
#pragma once

#include <span>

#include "base/bytes.h"

namespace larder {

class Keyspace;

class KeyspaceObserver {
 public:
  virtual ~KeyspaceObserver() = default;
  // The key reached its deadline and is about to be removed from `keyspace`: by a command that came across it, or by the
  // expiry index. `key` is valid during the call. The keyspace must not be changed from within.
  virtual void expired(Keyspace& keyspace, Bytes key) = 0;
  // Fields of the hash at `key` reached their deadlines and are removed; the last one took the key along if
  // `key_removed`. Names and key are valid during the call. Same rules.
  virtual void fields_expired(Keyspace& keyspace, Bytes key, std::span<const Bytes> fields, bool key_removed) = 0;
  // The key is about to be removed to make room. Same rules.
  virtual void evicted(Keyspace& keyspace, Bytes key) = 0;
  // A key that was not there is there now; its value may be written only afterwards. Told while Store::set_tells_created()
  // is on. Same rules.
  virtual void created(Keyspace&, Bytes) {}
};

}  // namespace larder
