#include "server/core/tracking.h"

#include <algorithm>

#include "base/assert.h"
#include "protocol/reply_writer.h"
#include "server/config/settings.h"
#include "server/core/client.h"
#include "server/core/client_list.h"
#include "server/core/command_spec.h"
#include "server/core/delivery.h"

namespace larder {
namespace {

constexpr Bytes kInvalidationChannel = "__redis__:invalidate";

// From here on a key's list of readers is cleared of those who have gone each time it has doubled.
constexpr size_t kReadersBeforeCleaning = 16;
constexpr size_t kKeptBufferBytes = 4096;

bool is_power_of_two(size_t n) { return (n & (n - 1)) == 0; }

bool is_default_reader(const Client* client) {
  return client != nullptr && client->tracking && !(client->tracking->modes & kTrackBroadcast);
}

}  // namespace

void Tracking::enable(Client& client, uint32_t modes, uint64_t redirection, std::span<const Bytes> prefixes) {
  if (!client.tracking) {
    client.tracking = std::make_unique<TrackingState>(*this, client);
    ++client_count_;
  }
  TrackingState& state = *client.tracking;
  state.modes = modes;
  state.redirection = redirection;
  state.redirection_broken = false;
  if (!(modes & kTrackBroadcast)) return;
  const Bytes everything[] = {Bytes()};
  if (prefixes.empty()) prefixes = everything;
  for (const Bytes prefix : prefixes) {
    if (std::find(state.prefixes.begin(), state.prefixes.end(), prefix) != state.prefixes.end()) continue;
    state.prefixes.emplace_back(prefix);
    auto found = prefixes_.find(prefix);
    if (found == prefixes_.end()) {
      found = prefixes_.emplace(std::string(prefix), PrefixGroup{}).first;
      ++prefix_lengths_[prefix.size()];
    }
    found->second.trackers.push_back(&state);
  }
}

void Tracking::disable(Client& client) {
  if (!client.tracking) return;
  client.tracking->client = nullptr;
  services_.leftovers.add(std::move(client.tracking));
  // Nobody is left who could be told.
  if (--client_count_ == 0) forget_all_keys();
}

void TrackingState::undo_some(size_t steps_max) {
  for (; steps_max > 0 && !prefixes.empty(); --steps_max) {
    tracking.leave_prefix(*this, prefixes.back());
    prefixes.pop_back();
  }
}

void Tracking::leave_prefix(const TrackingState& state, const std::string& prefix) {
  const auto found = prefixes_.find(prefix);
  LARDER_ASSERT(found != prefixes_.end());
  std::erase(found->second.trackers, &state);
  if (!found->second.trackers.empty()) return;
  prefixes_.erase(found);
  const auto length = prefix_lengths_.find(prefix.size());
  if (--length->second == 0) prefix_lengths_.erase(length);
}

// A table that is only to be freed. A step is an item; a piece frees whole segments of the table, of about 600.
class Tracking::ForgottenKeys final : public Leftover {
 public:
  explicit ForgottenKeys(std::unique_ptr<TrackedKeys> keys) : keys_(std::move(keys)) {}
  size_t steps_left() const override { return keys_->size(); }
  void undo_some(size_t steps_max) override {
    const size_t end = keys_->size() - std::min(steps_max, keys_->size());
    while (keys_->size() > end) position_ = keys_->drain(position_);
  }

 private:
  std::unique_ptr<TrackedKeys> keys_;
  uint64_t position_ = 0;
};

void Tracking::forget_all_keys() {
  item_count_ = name_bytes_ = 0;
  if (table_->empty()) return;
  services_.leftovers.add(std::make_unique<ForgottenKeys>(std::move(table_)));
  table_ = std::make_unique<TrackedKeys>(hash_seed_);
}

// A script's keys are those of the commands that it runs, and the channels of a message are no keys.
void Tracking::command_ran(Client& asker, const Command& command, std::span<const Bytes> argv) {
  if (!is_default_reader(&asker)) return;
  const CommandSpec& spec = *command.spec;
  if (!(spec.flags & kReadonly) || (spec.flags & (kPubsub | kSkipMonitor))) return;
  const TrackingState& state = *asker.tracking;
  if ((state.modes & kTrackOptIn) && !state.caching_given) return;
  if ((state.modes & kTrackOptOut) && state.caching_given) return;
  positions_.clear();
  if (!find_keys(command, argv, positions_)) return;
  for (const KeyPosition& position : positions_) {
    if (!(position.flags & kKeyNotKey)) remember(asker, argv[position.index]);
  }
}

// CLIENT CACHING holds for one request, or for the whole transaction that follows. Other CLIENT commands may come between.
void Tracking::request_ended(Client& asker, const Command& command) {
  if (!asker.tracking || (asker.gate & kGateTransaction)) return;
  const Command& top = command.parent != nullptr ? *command.parent : command;
  if (top.full_name != "client") asker.tracking->caching_given = false;
}

void Tracking::remember(Client& client, Bytes key) {
  TrackedKey& tracked = table_->find_or_add(key);
  auto& readers = tracked.readers;
  const auto place = std::lower_bound(readers.begin(), readers.end(), client.id);
  if (place != readers.end() && *place == client.id) return;
  if (readers.empty()) name_bytes_ += key.size();
  readers.insert(place, client.id);
  ++item_count_;
  if (readers.size() >= kReadersBeforeCleaning && is_power_of_two(readers.size())) drop_gone_readers(tracked);
  if (readers.size() == 1) shrink_to_limit();
}

void Tracking::drop_gone_readers(TrackedKey& key) {
  item_count_ -=
      std::erase_if(key.readers, [&](uint64_t id) { return !is_default_reader(services_.clients.find(id)); });
}

void Tracking::shrink_to_limit() {
  const auto limit = static_cast<size_t>(services_.settings.tracking_keys_max);
  while (limit > 0 && table_->size() > limit) invalidate(*table_->draw(services_.random), nullptr);
}

void Tracking::key_changed(Bytes key, const Client* by) {
  if (!prefixes_.empty()) collect_broadcast(key, by);
  if (TrackedKey* tracked = table_->find(key)) invalidate(*tracked, by);
}

void Tracking::invalidate(TrackedKey& key, const Client* by) {
  Buffer encoded;
  ReplyWriter writer(encoded);
  writer.array(1);
  writer.bulk(key.name);
  const std::vector<uint64_t> readers = std::move(key.readers);
  item_count_ -= readers.size();
  name_bytes_ -= key.name.size();
  table_->remove(key);
  for (const uint64_t id : readers) {
    Client* reader = services_.clients.find(id);
    if (!is_default_reader(reader)) continue;
    if (reader == by && (reader->tracking->modes & kTrackNoLoop)) continue;
    send_keys(*reader, encoded.bytes());
  }
}

void Tracking::database_changed() {
  if (!active()) return;
  forget_all_keys();
  for (const auto& client : services_.clients.all()) {
    if (client->tracking) send_null(*client);
  }
}

void Tracking::collect_broadcast(Bytes key, const Client* by) {
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > key.size()) return;
    const auto found = prefixes_.find(key.substr(0, length));
    if (found == prefixes_.end()) continue;
    auto& changed = found->second.changed;
    const auto known = changed.find(key);
    const uint64_t id = by == nullptr ? 0 : by->id;
    if (known != changed.end()) {
      known->second = id;
    } else {
      changed.emplace(std::string(key), id);
    }
    broadcasts_pending_ = true;
  }
}

void Tracking::flush_broadcasts() {
  broadcasts_pending_ = false;
  for (auto& [prefix, group] : prefixes_) {
    if (group.changed.empty()) continue;
    send_group(group);
    group.changed.clear();
  }
}

void Tracking::send_group(const PrefixGroup& group) {
  Buffer all;
  all.append(encode_keys(group, 0));
  for (const TrackingState* tracker : group.trackers) {
    Client* const client = tracker->client;
    if (client == nullptr) continue;
    const bool without_own = (tracker->modes & kTrackNoLoop) != 0;
    const Bytes keys = without_own ? encode_keys(group, client->id) : all.bytes();
    if (!keys.empty()) send_keys(*client, keys);
  }
}

// The array of the group's keys, those left out that the client of this id changed; empty when nothing is left. Valid
// until the next call.
Bytes Tracking::encode_keys(const PrefixGroup& group, uint64_t without_id) {
  const auto is_told = [&](const auto& entry) { return without_id == 0 || entry.second != without_id; };
  const auto count = std::count_if(group.changed.begin(), group.changed.end(), is_told);
  keys_.clear();
  keys_.shrink(kKeptBufferBytes);
  if (count == 0) return {};
  ReplyWriter writer(keys_);
  writer.array(static_cast<size_t>(count));
  for (const auto& entry : group.changed) {
    if (is_told(entry)) writer.bulk(entry.first);
  }
  return keys_.bytes();
}

// Who gets the client's invalidations; null when nobody can. A client whose other connection has gone is told so.
Client* Tracking::receiver_of(Client& client) {
  TrackingState& state = *client.tracking;
  if (state.redirection == 0) return &client;
  Client* receiver = services_.clients.find(state.redirection);
  if (receiver != nullptr && !receiver->wants_close()) return receiver;
  state.redirection_broken = true;
  if (client.protocol != 3) return nullptr;
  frame_.clear();
  ReplyWriter writer(frame_, 3);
  writer.push(2);
  writer.bulk("tracking-redir-broken");
  writer.integer(static_cast<int64_t>(state.redirection));
  services_.delivery.send(client, frame_.bytes());
  return nullptr;
}

void Tracking::send_keys(Client& client, Bytes keys) {
  if (Client* receiver = receiver_of(client)) send_framed(client, *receiver, keys);
}

void Tracking::send_null(Client& client) {
  Client* receiver = receiver_of(client);
  if (receiver != nullptr) send_framed(client, *receiver, receiver->protocol == 3 ? Bytes("_\r\n") : Bytes("$-1\r\n"));
}

// A RESP2 connection can be sent nothing of its own; one that listens takes it as a message.
void Tracking::send_framed(Client& client, Client& receiver, Bytes keys) {
  const bool as_message = receiver.protocol != 3;
  if (as_message && (&client == &receiver || !(receiver.flags & kClientPubsub))) return;
  frame_.clear();
  frame_.shrink(kKeptBufferBytes);
  ReplyWriter writer(frame_, receiver.protocol);
  writer.push(as_message ? 3 : 2);
  writer.bulk(as_message ? Bytes("message") : Bytes("invalidate"));
  if (as_message) writer.bulk(kInvalidationChannel);
  writer.raw(keys);
  services_.delivery.send(receiver, frame_.bytes());
}

size_t Tracking::memory_bytes() const {
  return table_->table_bytes() + table_->size() * sizeof(TrackedKey) + name_bytes_ + item_count_ * sizeof(uint64_t);
}

}  // namespace larder
