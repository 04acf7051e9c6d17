// How requests travel: in pieces, in pipelines, from several clients in one tick, and what malformed ones do.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using Connection = InProcessServer::Connection;

// A pipeline of many kinds of requests, arrays and plain lines, and its replies.
const std::string kPipeline =
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nl\r\n"
    "GET k\r\n"
    "*1\r\n$4\r\nPING\r\n"
    "\r\n"
    "*0\r\n"
    "SET n \"1 2\\x33\"\r\n"
    "*2\r\n$4\r\nINCR\r\n$3\r\nnum\r\n"
    "*2\r\n$3\r\nGET\r\n$0\r\n\r\n"
    "NOSUCH a b\r\n"
    "*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$7\r\nSETNAME\r\n$1\r\nx\r\n"
    "*2\r\n$3\r\nGET\r\n$7\r\nmissing\r\n"
    "*2\r\n$4\r\nECHO\r\n$10\r\n$3\r\nGET\r\n!!\r\n";

std::string replies_at_once() {
  InProcessServer server;
  Connection& client = server.connect();
  client.send(kPipeline);
  server.run();
  return client.take();
}

TEST(Requests, SplitAtEveryByteGiveTheSameReplies) {
  const std::string expected = replies_at_once();
  ASSERT_NE(expected.find("va\r\nl"), std::string::npos);
  ASSERT_NE(expected.find("_\r\n"), std::string::npos);
  for (size_t split = 1; split < kPipeline.size(); ++split) {
    InProcessServer server;
    Connection& client = server.connect();
    client.send(kPipeline.substr(0, split));
    server.run();
    client.send(kPipeline.substr(split));
    server.run();
    ASSERT_EQ(client.take(), expected) << "split at byte " << split;
  }
}

TEST(Requests, ByteByByteGiveTheSameReplies) {
  const std::string expected = replies_at_once();
  InProcessServer server;
  Connection& client = server.connect();
  client.set_receive_bytes(1);
  client.send(kPipeline);
  server.run();
  EXPECT_EQ(client.take(), expected);
}

TEST(Requests, RandomPiecesGiveTheSameReplies) {
  const std::string expected = replies_at_once();
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    InProcessServer server;
    Connection& client = server.connect();
    for (size_t at = 0; at < kPipeline.size();) {
      const size_t count = std::min<size_t>(1 + random.uniform(12), kPipeline.size() - at);
      client.send(kPipeline.substr(at, count));
      at += count;
      if (random.one_in(2)) server.run_turn();
    }
    server.run();
    ASSERT_EQ(client.take(), expected) << "seed " << seed;
  }
}

TEST(Requests, ALargeValueArrivesInPieces) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string value(3 * 1024 * 1024 + 17, 'v');
  client.set_receive_bytes(1000);
  client.send_request({"SET", "k", value});
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n");
  EXPECT_EQ(client.client().unread, nullptr) << "the buffer of the large request is given back";
  client.set_receive_bytes(Connection::kUnlimited);
  EXPECT_EQ(client.call("GET", "k"), "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n");
}

TEST(Requests, AnIdleClientOwnsNoBuffers) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("SET", "k", "v");
  EXPECT_EQ(client.client().unread, nullptr);
  EXPECT_EQ(client.client().queue_, nullptr);
  EXPECT_LT(client.client().memory_bytes(), 800u);
}

TEST(Requests, PipelinesOfSeveralClientsInOneTickKeepTheirOrder) {
  InProcessServer server;
  constexpr int kClients = 20;
  constexpr int kRequests = 100;
  std::vector<Connection*> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(&server.connect());
  // Every client counts in a key of its own and in a common one.
  for (int i = 0; i < kClients; ++i) {
    for (int n = 0; n < kRequests; ++n) {
      clients[static_cast<size_t>(i)]->send_request({"INCR", "own:" + std::to_string(i)});
      clients[static_cast<size_t>(i)]->send_request({"INCR", "common"});
    }
  }
  server.run();
  int64_t common_seen = 0;
  for (int i = 0; i < kClients; ++i) {
    ReplyReader reader;
    reader.feed(clients[static_cast<size_t>(i)]->take());
    Reply reply;
    int64_t common_before = 0;
    for (int n = 1; n <= kRequests; ++n) {
      ASSERT_EQ(reader.next(&reply), ReplyOutcome::kReply);
      ASSERT_EQ(reply.integer, n);
      ASSERT_EQ(reader.next(&reply), ReplyOutcome::kReply);
      ASSERT_GT(reply.integer, common_before);
      common_before = reply.integer;
    }
    common_seen = std::max(common_seen, common_before);
    EXPECT_TRUE(reader.idle());
  }
  EXPECT_EQ(common_seen, kClients * kRequests);
}

// Collections large and small, keys of other types, and one that is going to end.
void fill_for_items(InProcessServer& server, Connection& client) {
  for (int i = 0; i < 2000; i++) {
    const std::string n = std::to_string(i);
    client.send("HSET hash f" + n + " v" + n + "\r\nSADD set m" + n + "\r\nZADD zset " + n + " m" + n +
                "\r\nRPUSH list " + n + "\r\n");
    if (i % 100 == 99) server.run();
  }
  client.send("SET string x\r\nHSET small f1 v1\r\nHSET dying f1 v1\r\nPEXPIRE dying 1\r\n");
  server.run();
  (void)client.take();
}

// What a window of requests is going to look for in collections is fetched before the first is executed. Whatever the keys
// hold then, and whatever the first requests make of them, the replies are those of requests sent one by one.
TEST(Requests, WhatAWindowLooksForInCollectionsIsReadAtItsTurn) {
  const std::vector<std::string> requests = {"HGET hash f7",
                                             "HGET hash none",
                                             "HGET string f",
                                             "HGET small f1",
                                             "HGET missing f1",
                                             "HGET list f1",
                                             "HGET hash",
                                             "HSET hash f7 new",
                                             "HGET hash f7",
                                             "SISMEMBER set m9",
                                             "SMOVE set other m9",
                                             "SISMEMBER set m9",
                                             "SISMEMBER other m9",
                                             "SADD set m9 m10",
                                             "SREM set m11 none",
                                             "SMISMEMBER set m1 m2",
                                             "ZRANK zset m500",
                                             "ZADD zset 2.5 m500",
                                             "ZRANK zset m500",
                                             "ZINCRBY zset 1 m500",
                                             "ZADD zset NX 1 fresh",
                                             "ZSCORE zset none",
                                             "ZMSCORE zset m1 m3",
                                             "ZREM zset m1",
                                             "ZRANK set m1",
                                             "GEOADD zset 2 48 m77",
                                             "GEOPOS zset m77",
                                             "HINCRBY hash n 5",
                                             "HDEL hash f7 n",
                                             "SELECT 1",
                                             "HGET hash f8",
                                             "SELECT 0",
                                             "HGET hash f8",
                                             "HGET dying f1",
                                             "DEL hash zset",
                                             "HGET hash f9",
                                             "ZRANK zset m9",
                                             "HSET hash f9 string",
                                             "HGET hash f9",
                                             "RENAME set zset",
                                             "SISMEMBER zset m12",
                                             "ZSCORE zset m12",
                                             "FLUSHALL",
                                             "SADD set m1",
                                             "HEXISTS hash f9"};
  std::string pipelined;
  std::string one_by_one;
  for (const bool at_once : {true, false}) {
    InProcessServer server;
    Connection& client = server.connect();
    fill_for_items(server, client);
    for (const std::string& request : requests) {
      client.send(request + "\r\n");
      if (!at_once) server.run();
    }
    server.run();
    (at_once ? pipelined : one_by_one) = client.take();
  }
  EXPECT_FALSE(pipelined.empty());
  EXPECT_EQ(pipelined, one_by_one);
}

TEST(Requests, AGreedyClientTakesTurnsWithTheOthers) {
  InProcessServer server;
  Connection& greedy = server.connect();
  Connection& modest = server.connect();
  std::string flood;
  for (int i = 0; i < 20000; ++i) flood += "*1\r\n$4\r\nPING\r\n";
  greedy.send(flood);
  modest.send("PING\r\n");
  server.run_turn();
  EXPECT_EQ(modest.take(), "+PONG\r\n");
  EXPECT_LT(greedy.take().size(), Tick::kTurnInputBytes);
  server.run();
}

TEST(Requests, LittleIsReceivedAtFirstOfThoseWhoSendLargeOnes) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string value(100 * 1024, 'x');
  const std::string large = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$102400\r\n" + value + "\r\n";
  const auto first_piece_of = [&](const std::string& request) {
    const uint64_t before = server.services().stats.net_input_bytes;
    client.send(request);
    server.run_turn();
    const uint64_t piece = server.services().stats.net_input_bytes - before;
    server.run();
    client.take();
    return piece;
  };
  EXPECT_EQ(first_piece_of(large), Tick::kTurnInputBytes);
  EXPECT_EQ(first_piece_of(large), Tick::kFirstPieceBytes);
  EXPECT_EQ(first_piece_of(large), Tick::kFirstPieceBytes);
  EXPECT_EQ(client.call("GET", "k"), "$102400\r\n" + value + "\r\n");
  EXPECT_EQ(first_piece_of(large), Tick::kTurnInputBytes);
}

TEST(Requests, ProtocolErrorsAreAnsweredAndClose) {
  const struct {
    const char* input;
    const char* reply;
  } kCases[] = {
      {"*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
      {"*2\r\n$3\r\nGET\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
      {"*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"GET \"x\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
  };
  for (const auto& each : kCases) {
    InProcessServer server;
    Connection& client = server.connect();
    client.send(std::string("PING\r\n") + each.input + "PING\r\n");
    server.run();
    EXPECT_EQ(client.take(), std::string("+PONG\r\n") + each.reply);
    EXPECT_TRUE(client.closed()) << each.input;
  }
}

TEST(Requests, AnUnauthenticatedClientMaySendLittle) {
  InProcessServer server({.arguments = {"--requirepass", "secret"}});
  Connection& many = server.connect();
  many.send("*11\r\n");
  server.run();
  EXPECT_EQ(many.take(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
  EXPECT_TRUE(many.closed());
  Connection& large = server.connect();
  large.send("*2\r\n$4\r\nAUTH\r\n$16385\r\n");
  server.run();
  EXPECT_EQ(large.take(), "-ERR Protocol error: unauthenticated bulk length\r\n");
  EXPECT_TRUE(large.closed());
}

TEST(Requests, TheLimitsEndWithTheAuthenticationInTheSamePiece) {
  InProcessServer server({.arguments = {"--requirepass", "secret"}});
  Connection& client = server.connect();
  const std::string value(100000, 'x');
  client.send_request({"AUTH", "secret"});
  client.send_request({"SET", "k", value});
  client.send_request({"STRLEN", "k"});
  client.send_request({"INCR", "n"});
  client.send_request({"INCR", "n"});
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n+OK\r\n:100000\r\n:1\r\n:2\r\n");
}

TEST(Requests, NothingIsRunBehindQuit) {
  InProcessServer server;
  Connection& client = server.connect();
  client.send("QUIT\r\nSET k v\r\n");
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(server.connect().call("GET", "k"), "$-1\r\n");
}

TEST(Requests, ReplyOffSilencesExactlyWhatItShould) {
  InProcessServer server;
  Connection& client = server.connect();
  EXPECT_EQ(client.call("CLIENT", "REPLY", "OFF"), "");
  EXPECT_EQ(client.call("SET", "k", std::string(100000, 'x')), "");
  EXPECT_EQ(client.call("GET", "k"), "") << "a pinned value is silenced too";
  EXPECT_EQ(client.call("NOSUCH"), "");
  EXPECT_EQ(client.call("CLIENT", "REPLY", "ON"), "+OK\r\n");
  EXPECT_EQ(client.call("CLIENT", "REPLY", "SKIP"), "");
  EXPECT_EQ(client.call("GET", "k"), "");
  EXPECT_EQ(client.call("STRLEN", "k"), ":100000\r\n");
}

TEST(Requests, AClientThatGoesAwayInTheMiddleOfARequest) {
  InProcessServer server;
  for (size_t split = 1; split < kPipeline.size(); split += 7) {
    Connection& client = server.connect();
    client.send(kPipeline.substr(0, split));
    server.run();
    client.close();
    server.run();
  }
  EXPECT_EQ(server.services().clients.count(), 0u);
}

}  // namespace
}  // namespace larder
