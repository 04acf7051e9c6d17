#pragma once

// The keys of the client's database as one command sees them.
//
// A thin layer over Keyspace: it knows the time of the command, uses the hash of the first key that the tick's prefetch
// stage computed already, counts hits and misses, and honours CLIENT NO-TOUCH. Everything returned is valid until the
// next change of the keyspace, as Keyspace says.

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "protocol/arg_types.h"
#include "protocol/error_text.h"
#include "server/core/client.h"
#include "server/core/server_stats.h"
#include "server/core/services.h"
#include "storage/keyspace.h"
#include "storage/string_value.h"

namespace larder {

// The wire text of a failed look-up. Requires: the look-up found another type (a missing key is no error by itself).
inline ErrorText error_text(LookupError error) {
  LARDER_ASSERT(error == LookupError::kWrongType);
  return kWrongType;
}

class KeyAccess {
 public:
  KeyAccess(Services& services, Client& client, int64_t now_ms)
      : services_(services), client_(client), now_ms_(now_ms) {}

  int64_t now_ms() const { return now_ms_; }
  // The database that the client has selected, and any other.
  Keyspace& keyspace() { return services_.store.database(client_.db); }
  Keyspace& keyspace(int db) { return services_.store.database(db); }

  HashedKey hashed(Key key) const {
    if (key.bytes.data() == first_key_) return {key.bytes, first_key_hash_};
    return services_.store.hashed(key.bytes);
  }

  // A value for reading. Counts a hit or a miss.
  template <class Value>
  Lookup<Value> read(Key key) {
    auto value = keyspace().read<Value>(hashed(key), now_ms_, touch());
    count(!value.missing(), key);
    return value;
  }
  // A value for writing: missing when there is no such key.
  template <class Value>
  Lookup<Value> edit(Key key) {
    return keyspace().edit<Value>(hashed(key), now_ms_, touch());
  }
  // The same for what Redis counts as reading as well: a hit or a miss.
  template <class Value>
  Lookup<Value> edit_and_count(Key key) {
    auto value = edit<Value>(key);
    count(!value.missing(), key);
    return value;
  }
  // A value for writing; the first write creates a key that is not there.
  template <class Value>
  Lookup<Value> edit_or_create(Key key) {
    return keyspace().edit_or_create<Value>(hashed(key), now_ms_, touch());
  }
  // The entry of a key of any type, null when there is none. Counts a hit or a miss.
  const Entry* read_entry(Key key, Touch touched = Touch::kYes) {
    const Entry* entry = keyspace().find(hashed(key), now_ms_, touched == Touch::kNo ? Touch::kNo : touch());
    count(entry != nullptr, key);
    return entry;
  }
  // The same without counting: for writes that only ask whether a key is there.
  const Entry* find(Key key) { return keyspace().find(hashed(key), now_ms_, Touch::kNo); }
  // Whether a deadline is over, so that a key that gets it is gone at once. Never while a log is loaded.
  bool is_past(int64_t deadline_ms) const {
    return deadline_ms <= now_ms_ && services_.store.expiry_mode() == ExpiryMode::kRemove;
  }
  bool contains(Key key) { return find(key) != nullptr; }

  // SET: whatever the key holds is replaced.
  Assigned assign_string(Key key, Bytes value, DeadlineRule deadline = DeadlineRule::none(),
                         StringForm form = StringForm::kAny) {
    return keyspace().assign_string(hashed(key), value, deadline, now_ms_, form);
  }
  // For a key that the request has looked up before: one request is one use.
  Assigned assign_string_again(Key key, Bytes value, DeadlineRule deadline) {
    return keyspace().assign_string(hashed(key), value, deadline, now_ms_, StringForm::kAny, Touch::kNo);
  }
  bool erase(Key key) { return keyspace().erase(hashed(key), now_ms_); }

  // Starts the two stages of a look-up for keys that a command is about to visit one after the other (MGET, DEL): call
  // it before the loop. Bounded: only the first kPrefetchKeysMax keys.
  static constexpr size_t kPrefetchKeysMax = 64;
  void prefetch(std::span<const Bytes> keys, size_t step = 1);

  void begin(std::span<const Bytes> argv, int8_t first_key, uint64_t first_key_hash) {
    const bool known = first_key_hash != 0 && static_cast<size_t>(first_key) < argv.size();
    first_key_ = known ? argv[static_cast<size_t>(first_key)].data() : nullptr;
    first_key_hash_ = first_key_hash;
  }

  // Whether the client's look-ups count as uses.
  Touch touch() const { return (client_.flags & kClientNoTouch) ? Touch::kNo : Touch::kYes; }

 private:
  void count(bool hit, Key key) {
    if (!hit) return missed(key);
    ++services_.stats.keyspace_hits;
  }
  // Counts, and tells whoever wants to know of look-ups in vain.
  void missed(Key key);

  Services& services_;
  Client& client_;
  int64_t now_ms_;
  const char* first_key_ = nullptr;
  uint64_t first_key_hash_ = 0;
};

}  // namespace larder
