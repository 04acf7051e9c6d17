// Clients that go, or give up what they had very much of: others see nothing of it from then on, while it is undone in pieces.

#include "server/core/leftovers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "server/core/blocking_table.h"
#include "server/core/pubsub.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using Connection = InProcessServer::Connection;

constexpr size_t kMany = 1000;

// The request with k0, k1, ... behind `words`, and then `last`.
std::vector<std::string> with_keys(std::vector<std::string> words, const std::string& last = "") {
  for (size_t i = 0; i < kMany; ++i) words.push_back("k" + std::to_string(i));
  if (!last.empty()) words.push_back(last);
  return words;
}

// What the client is answered in the next turn, in which no background work has come before.
std::string in_one_turn(InProcessServer& server, Connection& client, const std::string& requests) {
  client.send(requests);
  server.run_turn();
  return client.take();
}

void send_and_run(InProcessServer& server, Connection& client, const std::vector<std::string>& request) {
  client.send_request(request);
  server.run();
  client.take();
}

// To as many channels as patterns.
void subscribe_to_many(InProcessServer& server, Connection& client) {
  send_and_run(server, client, with_keys({"SUBSCRIBE"}));
  send_and_run(server, client, with_keys({"PSUBSCRIBE"}));
}

TEST(Leftovers, WatchesOfOneThatHasGoneAreUndoneInPieces) {
  InProcessServer server;
  Connection& gone = server.connect();
  Connection& other = server.connect();
  Connection& writer = server.connect();
  send_and_run(server, gone, with_keys({"WATCH"}));
  other.call("WATCH", "k5");
  gone.close();
  EXPECT_EQ(server.services().leftovers.steps(), kMany);
  EXPECT_EQ(server.services().transactions.watching_clients(), 1u);
  EXPECT_EQ(in_one_turn(server, writer, "SET k5 v\r\nSET k6 v\r\nFLUSHALL\r\n"), "+OK\r\n+OK\r\n+OK\r\n");
  server.run();
  EXPECT_TRUE(server.services().leftovers.empty());
  EXPECT_EQ(server.services().transactions.watched_key_count(), 1u);
  other.call("MULTI");
  EXPECT_EQ(other.call("EXEC"), "*-1\r\n");
  EXPECT_TRUE(server.services().transactions.empty());
}

// The removal of what has expired is news to those who saw it alive, and only the first removal is none to others.
TEST(Leftovers, WatchedKeysThatHaveExpiredAreForgivenOnce) {
  InProcessServer server;
  Connection& early = server.connect();
  Connection& late = server.connect();
  Connection& writer = server.connect();
  for (size_t i = 0; i < kMany; ++i) writer.call("SET", "k" + std::to_string(i), "v", "PX", "10");
  writer.call("CLIENT", "PAUSE", "100", "WRITE");
  early.call("WATCH", "k999");
  server.clock().advance_us(20'000);
  send_and_run(server, late, with_keys({"WATCH"}));
  server.advance_ms(200);
  server.run();
  EXPECT_EQ(writer.call("DBSIZE"), ":0\r\n");
  early.call("MULTI");
  EXPECT_EQ(early.call("EXEC"), "*-1\r\n");
  late.call("MULTI");
  EXPECT_EQ(late.call("EXEC"), "*0\r\n");

  writer.call("SET", "k7", "v", "PX", "10");
  writer.call("CLIENT", "PAUSE", "100", "WRITE");
  server.clock().advance_us(20'000);
  late.call("WATCH", "k7");
  server.advance_ms(200);
  server.run();
  writer.call("SET", "k7", "v", "PX", "10");
  late.call("MULTI");
  EXPECT_EQ(late.call("EXEC"), "*-1\r\n");
  EXPECT_TRUE(server.services().transactions.empty());
}

TEST(Leftovers, WhoHasGivenUpWatchesMayWatchTheSameKeys) {
  for (const char* end : {"UNWATCH", "RESET", "MULTI\r\nDISCARD", "MULTI\r\nEXEC"}) {
    InProcessServer server;
    Connection& client = server.connect();
    Connection& writer = server.connect();
    send_and_run(server, client, with_keys({"WATCH"}));
    client.send(std::string(end) + "\r\nWATCH k1 k2\r\n");
    writer.send("SET k2 v\r\n");
    client.send("MULTI\r\n");
    server.run_turn();
    EXPECT_TRUE(client.client().transaction->watch_broken) << end;
    EXPECT_EQ(client.client().transaction->watched.size(), 2u) << end;
    server.run();
    client.take();
    EXPECT_EQ(client.call("EXEC"), "*-1\r\n") << end;
    EXPECT_TRUE(server.services().transactions.empty()) << end;
  }
}

TEST(Leftovers, QueuedRequestsAreFreedInPiecesAndRunOnce) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("MULTI");
  for (size_t i = 0; i < kMany; ++i) client.send("INCR n\r\n");
  server.run();
  client.take();
  client.send("EXEC\r\n");
  server.run_turn();
  EXPECT_TRUE(client.take().ends_with(":1000\r\n"));
  server.run();
  EXPECT_EQ(client.call("GET", "n"), "$4\r\n1000\r\n");
  EXPECT_TRUE(server.services().leftovers.empty());
}

TEST(Leftovers, SubscriptionsOfOneThatHasGoneCountForNothing) {
  InProcessServer server;
  Connection& gone = server.connect();
  Connection& other = server.connect();
  Connection& asker = server.connect();
  subscribe_to_many(server, gone);
  other.call("SUBSCRIBE", "k5");
  gone.close();
  EXPECT_EQ(server.services().leftovers.steps(), 2 * kMany);
  EXPECT_EQ(in_one_turn(server, asker, "PUBSUB NUMSUB k5 k6\r\n"), "*4\r\n$2\r\nk5\r\n:1\r\n$2\r\nk6\r\n:0\r\n");
  EXPECT_EQ(server.services().pubsub.client_count(), 1u);
  server.run();
  EXPECT_TRUE(server.services().leftovers.empty());
  server.services().pubsub.check_integrity();
  EXPECT_EQ(server.services().pubsub.topic_count(TopicKind::kChannel), 1u);
}

TEST(Leftovers, MessagesReachThoseWhoAreThere) {
  InProcessServer server;
  Connection& gone = server.connect();
  Connection& other = server.connect();
  Connection& asker = server.connect();
  subscribe_to_many(server, gone);
  gone.send("RESET\r\nSUBSCRIBE k1\r\n");
  other.send("SUBSCRIBE k5\r\n");
  asker.send(
      "PUBLISH k5 m\r\nPUBLISH k6 m\r\nPUBLISH k1 m\r\nPUBSUB NUMPAT\r\nPUBSUB CHANNELS k5*\r\nPUBSUB CHANNELS "
      "k6*\r\n");
  server.run_turn();
  EXPECT_EQ(asker.take(), ":1\r\n:0\r\n:1\r\n:0\r\n*1\r\n$2\r\nk5\r\n*0\r\n");
  server.run();
  EXPECT_TRUE(other.take().ends_with("*3\r\n$7\r\nmessage\r\n$2\r\nk5\r\n$1\r\nm\r\n"));
  EXPECT_TRUE(gone.take().ends_with("*3\r\n$7\r\nmessage\r\n$2\r\nk1\r\n$1\r\nm\r\n"));
  server.services().pubsub.check_integrity();
  EXPECT_EQ(server.services().pubsub.topic_count(TopicKind::kPattern), 0u);
}

TEST(Leftovers, KeysThatNobodyWaitsForAnyMoreServeNobody) {
  InProcessServer server;
  Connection& gone = server.connect();
  Connection& other = server.connect();
  Connection& writer = server.connect();
  send_and_run(server, gone, with_keys({"BLPOP"}, "0"));
  other.send("BLPOP k5 0\r\n");
  server.run();
  gone.close();
  EXPECT_GE(server.services().leftovers.steps(), kMany);
  EXPECT_EQ(in_one_turn(server, writer, "RPUSH k5 a b\r\nRPUSH k6 c\r\n"), ":2\r\n:1\r\n");
  server.run();
  EXPECT_EQ(other.take(), "*2\r\n$2\r\nk5\r\n$1\r\na\r\n");
  EXPECT_EQ(writer.call("LRANGE", "k5", "0", "-1"), "*1\r\n$1\r\nb\r\n");
  EXPECT_EQ(writer.call("LLEN", "k6"), ":1\r\n");
  EXPECT_TRUE(server.services().blocking.empty());
}

TEST(Leftovers, WhoIsServedMayWaitForTheSameKeysAtOnce) {
  InProcessServer server;
  Connection& client = server.connect();
  Connection& writer = server.connect();
  send_and_run(server, client, with_keys({"BLPOP"}, "0"));
  client.send_request(with_keys({"BLPOP"}, "0"));
  writer.send("RPUSH k5 a\r\n");
  server.run_turn();
  writer.send("RPUSH k7 b\r\n");
  server.run_turn();
  server.run();
  EXPECT_EQ(client.take(), "*2\r\n$2\r\nk5\r\n$1\r\na\r\n*2\r\n$2\r\nk7\r\n$1\r\nb\r\n");
  EXPECT_TRUE(server.services().blocking.empty());
}

TEST(Leftovers, TrackedKeysAreForgottenAtOnceAndFreedInPieces) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("HELLO", "3");
  client.call("CLIENT", "TRACKING", "ON");
  send_and_run(server, client, with_keys({"MGET"}));
  EXPECT_EQ(server.services().tracking.key_count(), kMany);
  client.send("FLUSHALL\r\nGET k5\r\nSET k5 v\r\nSET k6 v\r\n");
  server.run_turn();
  EXPECT_EQ(server.services().tracking.key_count(), 0u);
  const std::string seen = client.take();
  EXPECT_NE(seen.find("$2\r\nk5\r\n"), std::string::npos);
  EXPECT_EQ(seen.find("$2\r\nk6\r\n"), std::string::npos) << "it was told of that with the flush";
  server.run();
  send_and_run(server, client, with_keys({"MGET"}));
  client.close();
  EXPECT_EQ(server.services().tracking.key_count(), 0u);
  EXPECT_EQ(server.services().leftovers.steps(), kMany);
  server.run();
  EXPECT_TRUE(server.services().leftovers.empty());
}

TEST(Leftovers, WhatOneWasOwedIsDroppedInPieces) {
  InProcessServer server;
  Connection& slow = server.connect();
  Connection& other = server.connect();
  other.call("SET", "k", std::string(20'000, 'v'));
  slow.set_window_bytes(0);
  for (size_t i = 0; i < kMany; ++i) slow.send("GET k\r\n");
  server.run();
  const size_t pieces = slow.client().queue_->piece_count();
  slow.close();
  EXPECT_EQ(server.services().leftovers.steps(), pieces);
  EXPECT_EQ(in_one_turn(server, other, "SET k w\r\nGET k\r\n"), "+OK\r\n$1\r\nw\r\n");
  server.run();
  EXPECT_TRUE(server.services().leftovers.empty());
}

TEST(Leftovers, AFlushOfScriptsAndLibrariesHoldsFromThatMomentOn) {
  InProcessServer server;
  Connection& client = server.connect();
  for (size_t i = 0; i < kMany; ++i) client.call("SCRIPT", "LOAD", "return " + std::to_string(i));
  for (size_t i = 0; i < 100; ++i) {
    const std::string name = std::to_string(i);
    client.call("FUNCTION", "LOAD",
                "#!lua name=lib" + name + "\nredis.register_function('f" + name + "', function() return 1 end)");
  }
  client.send("EVALSHA 98fe65896b61b785c5ed328a5a0a1421f4f1490c 0\r\nSCRIPT FLUSH\r\n");
  client.send("EVALSHA 98fe65896b61b785c5ed328a5a0a1421f4f1490c 0\r\n");
  client.send("FCALL f7 0\r\nFUNCTION FLUSH\r\nFCALL f7 0\r\n");
  server.run_turn();
  EXPECT_EQ(client.take(),
            ":500\r\n+OK\r\n-NOSCRIPT No matching script. Please use EVAL.\r\n"
            ":1\r\n+OK\r\n-ERR Function not found\r\n");
  server.run();
  EXPECT_TRUE(server.services().leftovers.empty());
  EXPECT_EQ(client.call("EVAL", "return 500", "0"), ":500\r\n");
  EXPECT_EQ(client.call("FUNCTION", "LIST"), "*0\r\n");
}

class Counted final : public Leftover {
 public:
  Counted(size_t steps, size_t& undone) : steps_(steps), undone_(undone) {}
  size_t steps_left() const override { return steps_; }
  void undo_some(size_t steps_max) override {
    const size_t taken = std::min(steps_, steps_max);
    steps_ -= taken;
    undone_ += taken;
  }

 private:
  size_t steps_;
  size_t& undone_;
};

TEST(Leftovers, OneWhoLeavesMoreThanMayWaitPaysForIt) {
  LeftoverQueue queue;
  size_t undone = 0;
  queue.add(std::make_unique<Counted>(LeftoverQueue::kAtOnceMax, undone));
  EXPECT_EQ(undone, LeftoverQueue::kAtOnceMax);
  queue.add(std::make_unique<Counted>(3 * LeftoverQueue::kStepsMax, undone));
  EXPECT_EQ(undone, LeftoverQueue::kAtOnceMax) << "one of any size is taken";
  undone = 0;
  queue.add(std::make_unique<Counted>(1000, undone));
  EXPECT_EQ(undone, 1000u);
  EXPECT_EQ(queue.steps(), 3 * LeftoverQueue::kStepsMax);
  for (undone = 0; queue.undo_some(1000);) EXPECT_EQ(undone % 1000, 0u);
  EXPECT_EQ(undone, 3 * LeftoverQueue::kStepsMax);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace larder
