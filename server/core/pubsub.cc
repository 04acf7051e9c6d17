#include "server/core/pubsub.h"

#include <algorithm>

#include "base/assert.h"
#include "server/core/delivery.h"

namespace larder {
namespace {

// Bytes of a published message that the scratch buffer keeps.
constexpr size_t kKeptScratchBytes = 4096;
constexpr uint32_t kNotFound = UINT32_MAX;

// Where in the client's list the topic is.
uint32_t find_topic(const Subscriptions& subscriptions, TopicKind kind, const Topic& topic) {
  const auto& places = subscriptions.topics[static_cast<size_t>(kind)];
  if (places.size() <= topic.subscribers.size()) {
    const auto found = std::find_if(places.begin(), places.end(), [&](const auto& p) { return p.topic == &topic; });
    return found == places.end() ? kNotFound : static_cast<uint32_t>(found - places.begin());
  }
  const auto found = std::find_if(topic.subscribers.begin(), topic.subscribers.end(),
                                  [&](const auto& s) { return s.subscriptions == &subscriptions; });
  return found == topic.subscribers.end() ? kNotFound : found->position;
}

}  // namespace

size_t literal_prefix_bytes(Bytes pattern) { return std::min(pattern.find_first_of("*?[\\"), pattern.size()); }

size_t Subscriptions::total() const {
  size_t sum = 0;
  for (const auto& places : topics) sum += places.size();
  return sum;
}

size_t Subscriptions::memory_bytes() const {
  // Of a topic that is shared, each subscriber counts its own place in it.
  size_t bytes = sizeof(Subscriptions);
  for (const auto& places : topics) bytes += places.capacity() * (sizeof(Place) + sizeof(Topic::Subscriber));
  return bytes;
}

size_t subscription_count(const Client& client, TopicKind kind) {
  return client.subscriptions ? client.subscriptions->count(kind) : 0;
}

size_t subscription_bytes(const Client& client) {
  return client.subscriptions ? client.subscriptions->memory_bytes() : 0;
}

PubSub::PubSub(Delivery& delivery, LeftoverQueue& leftovers, uint64_t hash_seed)
    : delivery_(delivery),
      leftovers_(leftovers),
      tables_{NameTable<Topic>(hash_seed), NameTable<Topic>(hash_seed), NameTable<Topic>(hash_seed)},
      patterns_(hash_seed) {}

bool PubSub::subscribe(Client& client, TopicKind kind, Bytes name) {
  if (!client.subscriptions) client.subscriptions = std::make_unique<Subscriptions>(*this, client);
  auto& places = client.subscriptions->topics[static_cast<size_t>(kind)];
  Topic& topic = table(kind).find_or_add(name);
  const bool is_new_topic = topic.subscribers.empty();
  if (!is_new_topic && find_topic(*client.subscriptions, kind, topic) != kNotFound) return false;
  if (client.subscriptions->total() == 0) ++client_count_;
  if (is_new_topic) topic_bytes_ += sizeof(Topic) + name.size();
  places.push_back({&topic, static_cast<uint32_t>(topic.subscribers.size())});
  topic.subscribers.push_back({client.subscriptions.get(), static_cast<uint32_t>(places.size() - 1)});
  if (is_new_topic && kind == TopicKind::kPattern) patterns_.add(topic);
  client.flags |= kClientPubsub;
  update_gate(client);
  return true;
}

bool PubSub::unsubscribe(Client& client, TopicKind kind, Bytes name) {
  if (!client.subscriptions) return false;
  const Topic* topic = table(kind).find(name);
  if (topic == nullptr) return false;
  const uint32_t at = find_topic(*client.subscriptions, kind, *topic);
  if (at == kNotFound) return false;
  remove(*client.subscriptions, kind, at);
  if (client.subscriptions->total() == 0) forget(client);
  return true;
}

// The last on each side takes the place of the one that goes.
void PubSub::remove(Subscriptions& subscriptions, TopicKind kind, uint32_t position) {
  auto& places = subscriptions.topics[static_cast<size_t>(kind)];
  const auto [topic, topic_position] = places[position];
  LARDER_ASSERT(topic->subscribers[topic_position].subscriptions == &subscriptions);
  topic->subscribers[topic_position] = topic->subscribers.back();
  const Topic::Subscriber& moved = topic->subscribers[topic_position];
  moved.subscriptions->topics[static_cast<size_t>(kind)][moved.position].position = topic_position;
  topic->subscribers.pop_back();
  places[position] = places.back();
  places.pop_back();
  if (position < places.size()) {
    const Subscriptions::Place& place = places[position];
    place.topic->subscribers[place.position].position = position;
  }
  if (!topic->subscribers.empty()) return;
  if (kind == TopicKind::kPattern) patterns_.remove(*topic);
  topic_bytes_ -= sizeof(Topic) + topic->name.size();
  table(kind).remove(*topic);
}

void PubSub::forget(Client& client) {
  if (!client.subscriptions) return;
  client.subscriptions->client = nullptr;
  left_count_ += client.subscriptions->total();
  leftovers_.add(std::move(client.subscriptions));
  client.flags &= ~kClientPubsub;
  --client_count_;
  update_gate(client);
}

void Subscriptions::undo_some(size_t steps_max) {
  for (size_t i = 0; i < kTopicKindCount; ++i) {
    for (; steps_max > 0 && !topics[i].empty(); --steps_max) {
      pubsub.remove(*this, static_cast<TopicKind>(i), static_cast<uint32_t>(topics[i].size() - 1));
      --pubsub.left_count_;
    }
  }
}

void PubSub::update_gate(Client& client) {
  const bool bound = (client.flags & kClientPubsub) && client.protocol == 2;
  client.gate = bound ? client.gate | kGateSubscriber : client.gate & ~kGateSubscriber;
}

size_t PubSub::send_to_all(const Topic& topic, const PushMessage& message) {
  size_t receivers = 0;
  for (const Topic::Subscriber& subscriber : topic.subscribers) {
    Client* const client = subscriber.subscriptions->client;
    if (client == nullptr) continue;
    delivery_.send(*client, message);
    ++receivers;
  }
  return receivers;
}

size_t PubSub::publish(Bytes channel, Bytes message) {
  size_t receivers = 0;
  const Topic* topic = table(TopicKind::kChannel).find(channel);
  if (topic == nullptr && table(TopicKind::kPattern).empty()) return 0;
  const PushMessage::Payload payload(message);
  if (topic != nullptr) receivers += send_to_all(*topic, PushMessage(scratch_, {"message", channel}, payload));
  patterns_.for_each_match(channel, [&](const Topic& pattern) {
    receivers += send_to_all(pattern, PushMessage(scratch_, {"pmessage", pattern.name, channel}, payload));
  });
  scratch_.clear();
  scratch_.shrink(kKeptScratchBytes);
  return receivers;
}

size_t PubSub::publish_to_shard(Bytes channel, Bytes message) {
  const Topic* topic = table(TopicKind::kShardChannel).find(channel);
  if (topic == nullptr) return 0;
  const PushMessage::Payload payload(message);
  return send_to_all(*topic, PushMessage(scratch_, {"smessage", channel}, payload));
}

size_t PubSub::memory_bytes() const {
  size_t bytes = topic_bytes_;
  for (const NameTable<Topic>& topics : tables_) bytes += topics.table_bytes();
  return bytes;
}

size_t PubSub::live_count(const Topic& topic) const {
  if (left_count_ == 0) return topic.subscribers.size();
  const auto is_there = [](const Topic::Subscriber& subscriber) { return subscriber.subscriptions->client != nullptr; };
  return static_cast<size_t>(std::count_if(topic.subscribers.begin(), topic.subscribers.end(), is_there));
}

size_t PubSub::topic_count(TopicKind kind) const {
  if (left_count_ == 0) return table(kind).size();
  size_t count = 0;
  for_each_topic(kind, [&](Bytes) { ++count; });
  return count;
}

size_t PubSub::subscriber_count(TopicKind kind, Bytes name) const {
  const Topic* topic = table(kind).find(name);
  return topic == nullptr ? 0 : live_count(*topic);
}

void PubSub::check_integrity() const {
  for (size_t kind = 0; kind < kTopicKindCount; ++kind) {
    tables_[kind].for_each([&](const Topic& topic) {
      LARDER_ASSERT(!topic.subscribers.empty());
      for (size_t i = 0; i < topic.subscribers.size(); ++i) {
        const Topic::Subscriber& subscriber = topic.subscribers[i];
        const auto& places = subscriber.subscriptions->topics[kind];
        LARDER_ASSERT(subscriber.position < places.size());
        LARDER_ASSERT(places[subscriber.position].topic == &topic && places[subscriber.position].position == i);
      }
    });
  }
}

}  // namespace larder
