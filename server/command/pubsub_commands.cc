// SUBSCRIBE and its relatives, PUBLISH, SPUBLISH and PUBSUB. The state is core/pubsub.h's.

#include <string>
#include <vector>

#include "base/glob.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/core/context.h"
#include "server/core/delivery.h"
#include "server/core/propagation.h"
#include "server/core/pubsub.h"

namespace larder {
namespace {

constexpr ErrorText kSsubscribeDenied{"ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"};

// Confirmations are pushes, not replies: CLIENT REPLY OFF does not stop them. They go the way of a message then.
class Confirmations {
 public:
  explicit Confirmations(CommandContext& ctx)
      : ctx_(ctx),
        is_unanswered_((ctx.client().flags & (kClientReplyOff | kClientReplySkip)) != 0),
        apart_(buffer_, ctx.client().protocol) {}
  ~Confirmations() {
    if (is_unanswered_) ctx_.services().delivery.send(ctx_.client(), buffer_.bytes());
  }
  Confirmations(const Confirmations&) = delete;
  Confirmations& operator=(const Confirmations&) = delete;

  // `topic` null: there was none to leave.
  void add(Bytes word, const Bytes* topic, size_t count) {
    ReplyWriter& writer = is_unanswered_ ? apart_ : ctx_.reply();
    writer.push(3);
    writer.bulk(word);
    if (topic == nullptr) {
      writer.null();
    } else {
      writer.bulk(*topic);
    }
    writer.integer(static_cast<int64_t>(count));
  }

 private:
  CommandContext& ctx_;
  const bool is_unanswered_;
  Buffer buffer_;
  ReplyWriter apart_;
};

// What a confirmation counts: channels and patterns together, shard channels by themselves.
size_t count_of(const Client& client, TopicKind kind) {
  if (kind == TopicKind::kShardChannel) return subscription_count(client, kind);
  return subscription_count(client, TopicKind::kChannel) + subscription_count(client, TopicKind::kPattern);
}

void subscribe_to(CommandContext& ctx, ArgReader& args, TopicKind kind) {
  Confirmations confirmations(ctx);
  for (const Bytes topic : args.rest()) {
    ctx.services().pubsub.subscribe(ctx.client(), kind, topic);
    confirmations.add(ctx.command().full_name, &topic, count_of(ctx.client(), kind));
  }
}

void unsubscribe_all(CommandContext& ctx, TopicKind kind, Confirmations& confirmations) {
  Client& client = ctx.client();
  if (subscription_count(client, kind) == 0) {
    return confirmations.add(ctx.command().full_name, nullptr, count_of(client, kind));
  }
  while (subscription_count(client, kind) > 0) {
    const std::string name = client.subscriptions->topics[static_cast<size_t>(kind)].back().topic->name;
    ctx.services().pubsub.unsubscribe(client, kind, name);
    const Bytes topic = name;
    confirmations.add(ctx.command().full_name, &topic, count_of(client, kind));
  }
}

void unsubscribe_from(CommandContext& ctx, ArgReader& args, TopicKind kind) {
  Confirmations confirmations(ctx);
  if (args.at_end()) return unsubscribe_all(ctx, kind, confirmations);
  for (const Bytes topic : args.rest()) {
    ctx.services().pubsub.unsubscribe(ctx.client(), kind, topic);
    confirmations.add(ctx.command().full_name, &topic, count_of(ctx.client(), kind));
  }
}

void subscribe(CommandContext& ctx, ArgReader& args) { subscribe_to(ctx, args, TopicKind::kChannel); }
void psubscribe(CommandContext& ctx, ArgReader& args) { subscribe_to(ctx, args, TopicKind::kPattern); }
void ssubscribe(CommandContext& ctx, ArgReader& args) {
  // One confirmation a channel is more than the one reply that EXEC has room for. SUBSCRIBE may do it all the same, as ever.
  if (ctx.client().flags & kClientDenyBlocking) return ctx.reply().error(kSsubscribeDenied);
  subscribe_to(ctx, args, TopicKind::kShardChannel);
}
void unsubscribe(CommandContext& ctx, ArgReader& args) { unsubscribe_from(ctx, args, TopicKind::kChannel); }
void punsubscribe(CommandContext& ctx, ArgReader& args) { unsubscribe_from(ctx, args, TopicKind::kPattern); }
void sunsubscribe(CommandContext& ctx, ArgReader& args) { unsubscribe_from(ctx, args, TopicKind::kShardChannel); }

void publish(CommandContext& ctx, ArgReader& args) {
  const auto [channel, message] = args.take<Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  const size_t receivers = ctx.services().pubsub.publish(channel, message);
  ctx.services().propagation.message(ctx.argv());
  ctx.reply().integer(static_cast<int64_t>(receivers));
}

void spublish(CommandContext& ctx, ArgReader& args) {
  const auto [channel, message] = args.take<Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  const size_t receivers = ctx.services().pubsub.publish_to_shard(channel, message);
  ctx.services().propagation.message(ctx.argv());
  ctx.reply().integer(static_cast<int64_t>(receivers));
}

void list_topics(CommandContext& ctx, ArgReader& args, TopicKind kind) {
  if (args.remaining() > 1) return ctx.reply().error(Bytes(subcommand_syntax_error("pubsub", ctx.argv()[1])));
  const bool all = args.at_end();
  const Bytes pattern = all ? Bytes() : args.take<Bytes>();
  const auto mark = ctx.reply().begin_deferred();
  size_t count = 0;
  ctx.services().pubsub.for_each_topic(kind, [&](Bytes name) {
    if (!all && !glob_match(pattern, name)) return;
    ctx.reply().bulk(name);
    ++count;
  });
  ctx.reply().end_deferred_array(mark, count);
}

void count_subscribers(CommandContext& ctx, ArgReader& args, TopicKind kind) {
  const auto names = args.rest();
  ctx.reply().array(2 * names.size());
  for (const Bytes name : names) {
    ctx.reply().bulk(name);
    ctx.reply().integer(static_cast<int64_t>(ctx.services().pubsub.subscriber_count(kind, name)));
  }
}

void pubsub_channels(CommandContext& ctx, ArgReader& args) { list_topics(ctx, args, TopicKind::kChannel); }
void pubsub_shardchannels(CommandContext& ctx, ArgReader& args) { list_topics(ctx, args, TopicKind::kShardChannel); }
void pubsub_numsub(CommandContext& ctx, ArgReader& args) { count_subscribers(ctx, args, TopicKind::kChannel); }
void pubsub_shardnumsub(CommandContext& ctx, ArgReader& args) {
  count_subscribers(ctx, args, TopicKind::kShardChannel);
}

void pubsub_numpat(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().integer(static_cast<int64_t>(ctx.services().pubsub.topic_count(TopicKind::kPattern)));
}

constexpr CommandSpec kPubsubSubRows[] = {
    {.name = "channels", .arity = -2, .flags = kPubsub | kWhileLoading | kWhileStale, .run = pubsub_channels},
    {.name = "numpat", .arity = 2, .flags = kPubsub | kWhileLoading | kWhileStale, .run = pubsub_numpat},
    {.name = "numsub", .arity = -2, .flags = kPubsub | kWhileLoading | kWhileStale, .run = pubsub_numsub},
    {.name = "shardchannels", .arity = -2, .flags = kPubsub | kWhileLoading | kWhileStale, .run = pubsub_shardchannels},
    {.name = "shardnumsub", .arity = -2, .flags = kPubsub | kWhileLoading | kWhileStale, .run = pubsub_shardnumsub},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = container_help},
};

constexpr uint32_t kSubscribeFlags = kPubsub | kNotInScripts | kWhileLoading | kWhileStale;

constexpr CommandSpec kPubsubRows[] = {
    {.name = "subscribe", .arity = -2, .flags = kSubscribeFlags | kSentinel, .run = subscribe},
    {.name = "unsubscribe", .arity = -1, .flags = kSubscribeFlags | kSentinel, .run = unsubscribe},
    {.name = "psubscribe", .arity = -2, .flags = kSubscribeFlags | kSentinel, .run = psubscribe},
    {.name = "punsubscribe", .arity = -1, .flags = kSubscribeFlags | kSentinel, .run = punsubscribe},
    {.name = "ssubscribe",
     .arity = -2,
     .flags = kSubscribeFlags,
     .keys = key_specs("NOT_KEY@i1:range(-1,1,0)"),
     .run = ssubscribe},
    {.name = "sunsubscribe",
     .arity = -1,
     .flags = kSubscribeFlags,
     .keys = key_specs("NOT_KEY@i1:range(-1,1,0)"),
     .run = sunsubscribe},
    {.name = "publish",
     .arity = 3,
     .flags = kPubsub | kWhileLoading | kWhileStale | kFast | kMayReplicate | kSentinel,
     .run = publish},
    {.name = "spublish",
     .arity = 3,
     .flags = kPubsub | kWhileLoading | kWhileStale | kFast | kMayReplicate,
     .keys = key_specs("NOT_KEY@i1:range(0,1,0)"),
     .run = spublish},
    {.name = "pubsub", .arity = -2, .subcommands = kPubsubSubRows},
};

}  // namespace

const CommandFamily kPubsubFamily{"pubsub", kPubsubRows, kPubsubDocs};

}  // namespace larder
