#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kPubsubDocRows[] = {
    {"subscribe", "Listens to channels.", "2.0.0", "O(N), N the number of channels", "channel [channel ...]"},
    {"unsubscribe", "Stops listening to channels, or to all of them.", "2.0.0", "O(N), N the number of channels",
     "[channel [channel ...]]"},
    {"psubscribe", "Listens to all channels that match a pattern.", "2.0.0", "O(N), N the number of patterns",
     "pattern [pattern ...]"},
    {"punsubscribe", "Stops listening to patterns, or to all of them.", "2.0.0", "O(N), N the number of patterns",
     "[pattern [pattern ...]]"},
    {"ssubscribe", "Listens to shard channels.", "7.0.0", "O(N), N the number of channels",
     "shardchannel [shardchannel ...]"},
    {"sunsubscribe", "Stops listening to shard channels, or to all of them.", "7.0.0", "O(N), N the number of channels",
     "[shardchannel [shardchannel ...]]"},
    {"publish", "Sends a message to everybody who listens to a channel; returns to how many.", "2.0.0",
     "O(N+M), N the listeners of the channel and M the patterns whose beginning fits", "channel message"},
    {"spublish", "Sends a message to everybody who listens to a shard channel; returns to how many.", "7.0.0",
     "O(N), N the listeners of the channel", "shardchannel message"},
    {"pubsub", "Commands that look at channels and patterns.", "2.8.0", "Depends on the subcommand.", ""},
    {"pubsub|channels", "Channels that somebody listens to.", "2.8.0", "O(N), N the number of channels", "[pattern]"},
    {"pubsub|numpat", "How many different patterns are listened to.", "2.8.0", "O(1)", ""},
    {"pubsub|numsub", "How many listen to each of these channels.", "2.8.0", "O(N), N the number of channels asked for",
     "[channel [channel ...]]"},
    {"pubsub|shardchannels", "Shard channels that somebody listens to.", "7.0.0",
     "O(N), N the number of shard channels", "[pattern]"},
    {"pubsub|shardnumsub", "How many listen to each of these shard channels.", "7.0.0",
     "O(N), N the number of shard channels asked for", "[shardchannel [shardchannel ...]]"},
    {"pubsub|help", "Describes the subcommands.", "6.2.0", "O(1)", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kPubsubDocs = kPubsubDocRows;

}  // namespace larder
