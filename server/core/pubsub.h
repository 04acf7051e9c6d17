#pragma once

// Publish and subscribe: who listens to which channels and patterns, and the way of a message to them.
//
//     client.subscriptions ── [topic, place] [topic, place] ...      per kind
//                                 │  ▲
//     NameTable ──────────▶ Topic { name, subscribers: [subscriptions, place] ... }
//
// Each side knows its place on the other, so that an end of a subscription costs no search on either. A client that goes leaves its
// subscriptions behind with no client in them: they get nothing and count for nothing from then on, and are taken out of the topics in
// pieces when they are very many (core/leftovers.h). Whether a client has
// subscribed to a topic already is looked up on the side that is shorter. Patterns are in a PatternIndex besides: a
// message touches only the patterns whose literal beginning fits. Shard channels are a world of their own.
//
// Cost: SUBSCRIBE and UNSUBSCRIBE O(min(topics of the client, clients of the topic)); publish O(1) look-up, and one
// Delivery::send per receiver.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "server/core/client.h"
#include "server/core/leftovers.h"
#include "server/core/name_table.h"
#include "server/core/pattern_index.h"

namespace larder {

class Delivery;
class PubSub;

enum class TopicKind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kTopicKindCount = 3;

struct Topic;

// One client's subscriptions.
struct Subscriptions final : Leftover {
  struct Place {
    Topic* topic;
    uint32_t position;  // in the topic's subscribers
  };
  Subscriptions(PubSub& owner, Client& subscriber) : pubsub(owner), client(&subscriber) {}
  size_t steps_left() const override { return total(); }
  void undo_some(size_t steps_max) override;

  PubSub& pubsub;
  Client* client;  // null: it has left them
  std::array<std::vector<Place>, kTopicKindCount> topics;

  size_t count(TopicKind kind) const { return topics[static_cast<size_t>(kind)].size(); }
  size_t total() const;
  size_t memory_bytes() const;
};

// How many of a kind a client has; any client.
size_t subscription_count(const Client& client, TopicKind kind);
size_t subscription_bytes(const Client& client);

// A channel, shard channel or pattern that somebody listens to.
struct Topic {
  struct Subscriber {
    Subscriptions* subscriptions;
    uint32_t position;  // in their list of this kind
  };
  std::string name;
  uint64_t hash = 0;
  uint32_t index_position = 0;
  std::vector<Subscriber> subscribers;
};

class PubSub {
 public:
  // The delivery outlives this; the queue holds nothing of this when it goes. `hash_seed` is drawn at random: names come from
  // clients.
  PubSub(Delivery& delivery, LeftoverQueue& leftovers, uint64_t hash_seed);

  // Return whether anything changed. `name` of unsubscribe() may lie in the topic itself.
  bool subscribe(Client& client, TopicKind kind, Bytes name);
  bool unsubscribe(Client& client, TopicKind kind, Bytes name);
  // The end of all subscriptions (disconnect, RESET), without a word to the client.
  void forget(Client& client);
  // Whether the client is bound to the rules of subscriber mode; call it when its protocol has changed.
  static void update_gate(Client& client);

  // Sends the message to those who subscribed to the channel, then to those with a pattern that matches. Returns to how many
  // (a client counts once for each of its subscriptions that fit).
  size_t publish(Bytes channel, Bytes message);
  size_t publish_to_shard(Bytes channel, Bytes message);
  // True only when publish() has nobody to send to, whatever the channel.
  bool nobody_listens() const { return table(TopicKind::kChannel).empty() && table(TopicKind::kPattern).empty(); }

  // Of the topics; what a client has of them is the client's.
  size_t memory_bytes() const;
  // O(1), but while subscriptions that were left are being undone.
  size_t topic_count(TopicKind kind) const;
  size_t subscriber_count(TopicKind kind, Bytes name) const;
  // Clients with a subscription of any kind.
  size_t client_count() const { return client_count_; }
  // visit(Bytes name) in no particular order.
  template <class Visit>
  void for_each_topic(TopicKind kind, Visit visit) const {
    table(kind).for_each([&](const Topic& topic) {
      if (live_count(topic) > 0) visit(Bytes(topic.name));
    });
  }
  // Checks that both sides of every subscription agree; stops the process otherwise.
  void check_integrity() const;

 private:
  const NameTable<Topic>& table(TopicKind kind) const { return tables_[static_cast<size_t>(kind)]; }
  NameTable<Topic>& table(TopicKind kind) { return tables_[static_cast<size_t>(kind)]; }
  friend struct Subscriptions;
  size_t send_to_all(const Topic& topic, const class PushMessage& message);
  // Those of its subscribers that are still there.
  size_t live_count(const Topic& topic) const;
  // Takes the topic at this place of the list out of it, and the list out of the topic.
  void remove(Subscriptions& subscriptions, TopicKind kind, uint32_t position);

  Delivery& delivery_;
  LeftoverQueue& leftovers_;
  std::array<NameTable<Topic>, kTopicKindCount> tables_;
  PatternIndex<Topic> patterns_;
  size_t client_count_ = 0;
  size_t left_count_ = 0;  // subscriptions whose client has left them
  size_t topic_bytes_ = 0;
  Buffer scratch_;
};

}  // namespace larder
