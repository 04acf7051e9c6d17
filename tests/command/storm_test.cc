// A storm of random requests, made from the grammar of every command and from hostile values. Nothing may crash, every
// request gets exactly one reply (any number of whole ones where clients subscribe and track), and the keyspace keeps its
// invariants.
//
// The seed is printed and can be given: LARDER_STORM_SEED, and LARDER_STORM_STEPS for a longer run.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/in_process_server.h"
#include "tests/support/reply_text.h"
#include "tests/support/request_maker.h"

namespace larder {
namespace {

using testing::InProcessServer;
using Connection = InProcessServer::Connection;
using Request = std::vector<std::string>;

constexpr uint64_t kDefaultSeed = 20260101;
constexpr uint64_t kStormSteps = 30000;
constexpr uint64_t kConversationSteps = 15000;
constexpr size_t kStormConnections = 8;

uint64_t from_environment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

// What a storm must not do: it would end the server, or stop it for long.
constexpr Bytes kStormExcluded[] = {"shutdown",     "debug", "client|pause", "client|kill",
                                    "client|reply", "quit",  "config|set",   "config|rewrite"};
// What makes a client receive more than the replies to its requests.
constexpr Bytes kStartsConversation[] = {"subscribe",    "psubscribe",   "ssubscribe", "unsubscribe",
                                         "punsubscribe", "sunsubscribe", "monitor",    "client|tracking"};

enum class Replies { kOneEach, kAny };

class Storm : public ::testing::Test {
 protected:
  // Sends one request and checks what comes back: whole replies, and one only if that is the rule.
  void send(Connection& client, const Request& request, Replies replies) {
    client.send_request(request);
    server_.run();
    // A request that waits for keys gets its reply when its time is over, at the latest.
    if (client.client().blocked != nullptr) {
      Connection& other = server_.connect();
      other.send_request({"CLIENT", "UNBLOCK", std::to_string(client.client().id)});
      server_.run();
      other.close();
    }
    const std::string bytes = client.take();
    ReplyReader reader;
    reader.feed(bytes);
    Reply reply;
    ReplyOutcome outcome = reader.next(&reply);
    if (replies == Replies::kAny) {
      if (client.closed()) return;
      while (outcome == ReplyOutcome::kReply && !reader.idle()) outcome = reader.next(&reply);
      ASSERT_TRUE(bytes.empty() || outcome == ReplyOutcome::kReply)
          << text_of(request) << " -> " << quoted(bytes.substr(0, 300));
    } else {
      ASSERT_EQ(outcome, ReplyOutcome::kReply) << text_of(request) << " -> " << quoted(bytes.substr(0, 300));
      ASSERT_TRUE(reader.idle()) << text_of(request) << " -> more than one reply: " << quoted(bytes.substr(0, 300));
    }
    ++(reply.is_error() ? errors_ : answers_);
  }

  // Requests of random clients that come and go; then everything is given back.
  void storm(uint64_t steps, Replies replies);

  static std::string text_of(const Request& request) {
    std::string text;
    for (const std::string& word : request) text += quoted(Bytes(word).substr(0, 100)) + " ";
    return text;
  }

  void check_integrity() {
    Store& store = server_.services().store;
    for (int db = 0; db < store.database_count(); ++db) store.database(db).check_integrity();
  }

  InProcessServer server_;
  uint64_t answers_ = 0;
  uint64_t errors_ = 0;
};

void Storm::storm(uint64_t steps, Replies replies) {
  const uint64_t seed = from_environment("LARDER_STORM_SEED", kDefaultSeed);
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  std::vector<Bytes> excluded(std::begin(kStormExcluded), std::end(kStormExcluded));
  if (replies == Replies::kOneEach) {
    excluded.insert(excluded.end(), std::begin(kStartsConversation), std::end(kStartsConversation));
  }
  testing::RequestMaker maker(server_.services().registry, random, excluded);
  std::vector<Connection*> clients;
  for (size_t i = 0; i < kStormConnections; ++i) clients.push_back(&server_.connect());
  for (uint64_t step = 0; step < steps; ++step) {
    Connection*& client = clients[random.uniform(clients.size())];
    if (client->closed() || random.one_in(2000)) {
      client->close();
      client = &server_.connect();
    }
    send(*client, maker.make(), replies);
    if (HasFatalFailure()) return;
    if (random.one_in(50)) server_.clock().advance_ms(random.between(0, 300));
    if (random.one_in(5000)) check_integrity();
  }
  check_integrity();
  std::printf("seed %llu: %llu answers, %llu errors\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(answers_), static_cast<unsigned long long>(errors_));
  EXPECT_GT(answers_, steps / 10);
  Connection& last = server_.connect();
  EXPECT_EQ(last.call("FLUSHALL", "SYNC"), "+OK\r\n");
  for (Connection* client : clients) client->close();
  server_.run();
  EXPECT_EQ(server_.services().store.blobs().used_bytes(), 0u);
}

TEST_F(Storm, RandomRequestsOfEveryCommand) {
  storm(from_environment("LARDER_STORM_STEPS", kStormSteps), Replies::kOneEach);
}

TEST_F(Storm, RandomRequestsOfClientsThatSubscribe) {
  storm(from_environment("LARDER_STORM_STEPS", kConversationSteps), Replies::kAny);
}

TEST_F(Storm, StringCommandsAgreeWithAMap) {
  const uint64_t seed = from_environment("LARDER_STORM_SEED", kDefaultSeed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  Connection& client = server_.connect();
  std::map<std::string, std::string> model;
  for (int step = 0; step < 30000; ++step) {
    const std::string key = "k" + std::to_string(random.uniform(200));
    const std::string value(random.uniform(random.one_in(100) ? 30000 : 60),
                            static_cast<char>('a' + random.uniform(26)));
    const auto found = model.find(key);
    switch (random.uniform(6)) {
      case 0:
        ASSERT_EQ(client.call("SET", key, value), "+OK\r\n");
        model[key] = value;
        break;
      case 1: {
        const std::string expected = found == model.end()
                                         ? "$-1\r\n"
                                         : "$" + std::to_string(found->second.size()) + "\r\n" + found->second + "\r\n";
        ASSERT_EQ(client.call("GET", key), expected);
        break;
      }
      case 2:
        ASSERT_EQ(client.call("DEL", key), found == model.end() ? ":0\r\n" : ":1\r\n");
        model.erase(key);
        break;
      case 3:
        model[key] += value;
        ASSERT_EQ(client.call("APPEND", key, value), ":" + std::to_string(model[key].size()) + "\r\n");
        break;
      case 4:
        ASSERT_EQ(client.call("SET", key, value, "NX"), found == model.end() ? "+OK\r\n" : "$-1\r\n");
        if (found == model.end()) model[key] = value;
        break;
      default:
        ASSERT_EQ(client.call("STRLEN", key),
                  ":" + std::to_string(found == model.end() ? 0 : found->second.size()) + "\r\n");
    }
    if (step % 5000 == 0) check_integrity();
  }
  ASSERT_EQ(client.call("DBSIZE"), ":" + std::to_string(model.size()) + "\r\n");
}

}  // namespace
}  // namespace larder
